import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fillTable } from "../../bench/tablefile.ts";
import { startServer } from "../../demo/serverProcess.ts";

const ENTRIES = 2000;
let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

it("a table that was filled is one that the next server goes on from, with all its names", async () => {
  const settings = {
    DNS_CACHE_DIR: directory,
    DNS_CACHE_UPSTREAMS: "127.0.0.5",
    DNS_CACHE_ENTRIES: String(ENTRIES),
  };
  const first = startServer(settings);
  await first.seen("Listening");
  await first.stopped("SIGTERM");
  const { held, numbers } = fillTable(directory, ENTRIES, ENTRIES / 2);
  expect(held).toBeGreaterThan(ENTRIES / 2.1);
  expect(fs.statSync(numbers).size).toBe(4 * held);
  const second = startServer(settings);
  try {
    await second.seen("Listening");
    expect(second.log.map(({ msg }) => msg)).toContain(`Went on with ${held} entries of the last table`);
  } finally {
    await second.stopped("SIGKILL");
  }
});
