// The whole server while its upstreams are silent, and when they are back: in real time, over real sockets.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type ZoneEntry } from "../../demo/upstream.ts";
import { addressesOf, outcomeOf } from "../../src/table/record.ts";
import { askOnce, recordsOf } from "../support/frames.ts";

const TTL_SECONDS = 1;
const BACK_WITHIN_MS = 20_000; // generous: how soon it is told by stories, on their own clock

let directory: string;
let servers: Upstream[];
let server: ServerProcess;
let silent: Set<number>;
const zone: Record<string, ZoneEntry> = {};

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  zone["known.example"] = { ttl: TTL_SECONDS, A: ["192.0.2.1"] };
  zone["new.example"] = { A: ["192.0.2.2"] };
  silent = new Set();
  servers = await Promise.all(
    [0, 1].map((index) => startUpstream({ zone, tamper: (reply) => (silent.has(index) ? undefined : reply) })),
  );
  const upstreams = servers.map(({ host, port }) => `${host}:${port}`).join();
  server = startServer({ DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: upstreams });
  await server.seen("Listening");
});
afterEach(async () => {
  await server.stopped("SIGTERM");
  await Promise.all(servers.map((each) => each.close()));
  fs.rmSync(directory, { recursive: true, force: true });
});

async function look(name: string): Promise<string[] | number> {
  const [record] = recordsOf(await askOnce(path.join(directory, "dns.sock"), [name]));
  const outcome = outcomeOf(record as Buffer);
  return outcome === layout.OUTCOME_DATA ? addressesOf(record as Buffer) : outcome;
}

describe("the server", () => {
  it("answers from the second upstream where the first is silent", async () => {
    silent.add(0);
    expect(await look("known.example")).toEqual(["192.0.2.1"]);
    expect(await look("new.example")).toEqual(["192.0.2.2"]);
    expect(servers[1]?.asked).toHaveLength(2);
  });

  it("goes on with what it knows while all are silent, fails for new names, and is fresh when one is back", async () => {
    expect(await look("known.example")).toEqual(["192.0.2.1"]);
    for (const index of [0, 1]) silent.add(index);
    await new Promise((resolve) => setTimeout(resolve, TTL_SECONDS * 1000 + 100));
    expect(await look("known.example")).toEqual(["192.0.2.1"]);
    expect(await look("new.example")).toBe(layout.OUTCOME_TEMPORARY);
    await server.seen("Upstream does not answer");
    zone["known.example"] = { ttl: TTL_SECONDS, A: ["192.0.2.9"] };
    silent.delete(1);
    await vi.waitFor(async () => expect(await look("known.example")).toEqual(["192.0.2.9"]), BACK_WITHIN_MS);
    await vi.waitFor(async () => expect(await look("new.example")).toEqual(["192.0.2.2"]), BACK_WITHIN_MS);
  });
});
