// The built server while its wall clock jumps: ahead, as it does for the server when the machine has slept, and back.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HEARTBEAT_EVERY_MS } from "../../assembly/layout.ts";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream } from "../../demo/upstream.ts";
import { addressesOf } from "../../src/table/record.ts";
import { askOnce, recordsOf } from "../support/frames.ts";
import { libraryMissing } from "../support/programs.ts";
import { slotsIn } from "../support/slots.ts";

const LIBRARY = "/usr/$LIB/faketime/libfaketimeMT.so.1";
const NAME = "www.example";
const HOUR_S = 3600;
const FORGOT = /^Forgot all answers/;

const missing = libraryMissing(LIBRARY, "faketime");
let directory: string;
let upstream: Upstream;
let servers: ServerProcess[];

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  upstream = await startUpstream({ zone: { [NAME]: { ttl: 24 * HOUR_S, A: ["192.0.2.1"] } } });
  servers = [];
  setWallClock(0);
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stopped("SIGTERM")));
  await upstream.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** As far from the machine's, from now on. */
function setWallClock(seconds: number): void {
  const file = path.join(directory, "wall-clock");
  fs.writeFileSync(`${file}.new`, `${seconds < 0 ? "" : "+"}${seconds}s`);
  fs.renameSync(`${file}.new`, file);
}

async function started(settings: Record<string, string> = {}): Promise<ServerProcess> {
  const server = startServer({
    DNS_CACHE_DIR: directory,
    DNS_CACHE_UPSTREAMS: `${upstream.host}:${upstream.port}`,
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: path.join(directory, "wall-clock"),
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    ...settings,
  });
  servers.push(server);
  await server.seen("Listening");
  return server;
}

async function look(): Promise<string[]> {
  const [record] = recordsOf(await askOnce(path.join(directory, "dns.sock"), [NAME]));
  return addressesOf(record as Buffer);
}
const isPublished = () =>
  slotsIn(fs.readFileSync(path.join(directory, "cache.table"))).some(({ name }) => name === NAME);
const forgot = ({ log }: ServerProcess) => log.filter(({ msg }) => FORGOT.test(msg));

describe.skipIf(missing)(`a wall clock that jumps${missing ? ` (skipped: ${missing})` : ""}`, () => {
  it("ahead makes the server forget what it knows, and say so once", async () => {
    const server = await started();
    await look();
    expect([await look(), isPublished(), upstream.asked.length]).toEqual([["192.0.2.1"], true, 1]);
    setWallClock(HOUR_S);
    await vi.waitFor(() => expect(isPublished()).toBe(false), 30_000);
    expect(await look()).toEqual(["192.0.2.1"]);
    await vi.waitFor(() => expect(isPublished()).toBe(true), 30_000);
    expect(upstream.asked).toHaveLength(2);
    await sleep(4 * HEARTBEAT_EVERY_MS);
    expect([await look(), upstream.asked.length]).toEqual([["192.0.2.1"], 2]);
    expect(forgot(server)).toHaveLength(1);
    expect(Math.abs((forgot(server)[0]?.seconds as number) - HOUR_S)).toBeLessThan(60);
  });

  it("ahead is seen by a question that comes before the next heartbeat, with a table and without", async () => {
    for (const table of ["on", "off"]) {
      const server = await started({ DNS_CACHE_SHARED_TABLE: table });
      setWallClock(0);
      await look();
      const asked = upstream.asked.length;
      setWallClock(HOUR_S);
      await look();
      expect(upstream.asked.length).toBe(asked + 1);
      expect(forgot(server)).toHaveLength(1);
      await server.stopped("SIGTERM");
    }
  });

  it("back changes nothing", async () => {
    const server = await started();
    await look();
    setWallClock(-HOUR_S);
    await sleep(4 * HEARTBEAT_EVERY_MS);
    expect([await look(), isPublished(), upstream.asked.length]).toEqual([["192.0.2.1"], true, 1]);
    expect(forgot(server)).toEqual([]);
  });

  it("ahead while no server runs makes the next one set the table aside, and back does not", async () => {
    const restarted = async () => {
      await servers.at(-1)?.stopped("SIGKILL");
      return started();
    };
    await started();
    await look();
    setWallClock(-HOUR_S);
    expect((await restarted()).log).toContainEqual(
      expect.objectContaining({ msg: expect.stringMatching(/^Went on with 1 /) }),
    );
    setWallClock(0);
    expect((await restarted()).log).toContainEqual(
      expect.objectContaining({ msg: expect.stringContaining("Set the last table aside: the machine slept") }),
    );
    expect(isPublished()).toBe(false);
  });
});
