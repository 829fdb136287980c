// What programs with client.so see while the server is killed, started anew, held still, or gone for good.
import fs from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type Zone } from "../../demo/upstream.ts";
import { IS_FULL, report } from "../fuzz/size.ts";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, scriptedServer } from "../support/scriptedServer.ts";
import { monotonicMs, TableFile, tableBytes } from "../support/tableFile.ts";

const PROCESSES = IS_FULL ? 64 : 16;
const KILLS = IS_FULL ? 10 : 3;
const NAMES = 40;
const SHORT_TTL = 4;
const TICK_MS_MAX = 12; // client.so reads the clock of the kernel's last tick
const SLOW_MS = 800; // of the second that a server may be silent
const LIBCS_NAMESERVER = "192.0.2.200";
const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));

const FROM_CACHE = "198.51.100.250";
const FROM_LIBC = "203.0.113.250";
const numbered = (address: string): Zone =>
  Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`u${i}.example`, { A: [address] }]));
const ZONE: Zone = {
  ...Object.fromEntries(
    Array.from({ length: NAMES }, (_, i) => [
      `n${i}.example`,
      { ttl: 3600, A: [`198.51.100.${i + 1}`], AAAA: [`2001:db8::${(i + 1).toString(16)}`] },
    ]),
  ),
  ...numbered(FROM_CACHE),
  "short.example": { ttl: SHORT_TTL, A: [FROM_CACHE] },
};
/** The same names, with other addresses: what libc's own lookup gives. */
const LIBCS_ZONE: Zone = {
  ...numbered(FROM_LIBC),
  "short.example": { A: [FROM_LIBC] },
  "fresh.example": { A: [FROM_LIBC] },
};

let directory: string;
let upstream: Upstream;
let server: ServerProcess;
let box: Sandbox;

function start(): ServerProcess {
  return startServer({ DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}` });
}

describe.skipIf(sandboxMissing())("programs with client.so", { timeout: IS_FULL ? 600_000 : 120_000 }, () => {
  beforeEach(async () => {
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    upstream = await startUpstream({ zone: ZONE });
    server = start();
    await server.seen("Listening");
  });
  afterEach(async () => {
    await box.close();
    await server.stopped("SIGKILL");
    await upstream.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });
  const preload = () => ({ LD_PRELOAD: path.join(directory, "client.so") });

  async function withLibcsNameserver(): Promise<void> {
    box = await sandbox({ resolvConf: `nameserver ${LIBCS_NAMESERVER}\n` });
    await box.startModule(ZONE_MODULE, [LIBCS_NAMESERVER, JSON.stringify(LIBCS_ZONE)], { ready: /ready/ });
  }
  async function addressOf(name: string): Promise<string> {
    const { stdout } = await box.run([buildProgram("test/whole/address.c", "glibc"), "getaddrinfo", name], {
      env: preload(),
    });
    return stdout.trim();
  }

  it.for(["glibc", "musl"] as const)(
    "miss nothing while the server is killed and started anew (%s)",
    async (libc, { skip }) => {
      const reason = libc === "musl" ? muslMissing() : undefined;
      box = await sandbox(); // libc's nameserver is dead: a lookup that is left to libc fails
      if (reason !== undefined) skip(reason);
      const program = buildProgram("test/whole/lookers.c", libc);
      const warming = await box.start([program, "1", `${NAMES}`], { env: preload(), ready: /ready/ });
      expect((await warming.stop()).stdout).toContain("failed 0 wrong 0 crashed 0");
      expect(upstream.asked).toHaveLength(2 * NAMES);
      const lookers = await box.start([program, `${PROCESSES}`, `${NAMES}`], { env: preload(), ready: /ready/ });
      for (let kill = 0; kill < KILLS; kill++) {
        await server.stopped("SIGKILL");
        if (kill % 2) await sleep(layout.HEARTBEAT_OLD_MS + 500); // long enough to be noticed
        server = start();
        await server.seen("Listening");
        expect(await server.seen("Went on with")).toMatchObject({ entries: 2 * NAMES, dropped: 0 });
        await sleep(300);
      }
      const { code, stdout, stderr } = await lookers.stop();
      report(`${PROCESSES} processes (${libc}), ${KILLS} kills`, stdout);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const counts = /^lookups (\d+) failed 0 wrong 0 crashed 0$/m.exec(stdout);
      expect(Number(counts?.[1])).toBeGreaterThan(PROCESSES * NAMES);
      expect(upstream.asked).toHaveLength(2 * NAMES);
    },
  );

  it("go on with what was published until its ttl ends, when the server is gone", async () => {
    await withLibcsNameserver();
    const before = monotonicMs();
    expect(await addressOf("short.example")).toBe(FROM_CACHE);
    const after = monotonicMs();
    const program = buildProgram("test/whole/watch.c", "glibc");
    const watch = await box.start([program, "short.example", `${SLOW_MS}`], {
      env: preload(),
      ready: new RegExp(`^${FROM_CACHE} `, "m"),
    });
    await server.stopped("SIGKILL");
    const [, ended, lastBegan] = await watch.wrote(new RegExp(`^${FROM_LIBC} \\d+ (\\d+) (\\d+)$`, "m"));
    expect(Number(ended)).toBeGreaterThanOrEqual(before + SHORT_TTL * 1000);
    expect(Number(lastBegan)).toBeLessThanOrEqual(after + SHORT_TTL * 1000 + TICK_MS_MAX);
    await sleep(after + SHORT_TTL * 1000 + TICK_MS_MAX - monotonicMs());
    expect(await addressOf("short.example")).toBe(FROM_LIBC);
    const { stdout } = await watch.stop();
    expect(stdout.trim().split("\n")).toHaveLength(3); // one address, then the other, and how many were slow
  });

  it("do not even try to reach a server that is gone", async () => {
    await withLibcsNameserver();
    expect(await addressOf("n1.example")).toBe("198.51.100.2");
    const program = buildProgram("test/whole/watch.c", "glibc");
    const watch = await box.start([program, "n2.example", `${SLOW_MS}`], { env: preload(), ready: /198\.51\.100\.3 / });
    await server.stopped("SIGKILL");
    const socketPath = path.join(directory, "dns.sock");
    fs.unlinkSync(socketPath);
    let connections = 0;
    const silent = net.createServer((socket) => {
      connections++;
      socket.on("error", () => {});
      socket.resume(); // notices that the other end has left
    });
    await new Promise<void>((resolve) => silent.listen({ path: socketPath, writableAll: true }, resolve));
    try {
      await sleep(layout.HEARTBEAT_OLD_MS + 100);
      connections = 0;
      expect(await addressOf("fresh.example")).toBe(FROM_LIBC);
      expect(await addressOf("n1.example")).toBe("198.51.100.2");
      expect((await watch.stop()).stdout.trim().split("\n")).toHaveLength(2);
      expect(connections).toBe(0);
      fs.unlinkSync(path.join(directory, "cache.table")); // and with no heartbeat to go by they do
      expect(await addressOf("fresh.example")).toBe(FROM_LIBC);
      expect(connections).toBe(1);
    } finally {
      await new Promise((resolve) => silent.close(resolve));
    }
  });

  it("leave a server that is held still alone, and are back when it goes on", async () => {
    await withLibcsNameserver();
    const program = buildProgram("test/whole/watch.c", "glibc");
    const watch = await box.start([program, "u%.example", `${SLOW_MS}`], {
      env: preload(),
      ready: new RegExp(`^${FROM_CACHE} `, "m"),
    });
    process.kill(server.pid, "SIGSTOP");
    try {
      await watch.wrote(new RegExp(`^${FROM_LIBC} `, "m"));
      await sleep(2 * layout.HEARTBEAT_OLD_MS);
    } finally {
      process.kill(server.pid, "SIGCONT");
    }
    await watch.wrote(new RegExp(`^${FROM_LIBC} [^]*^${FROM_CACHE} `, "m"));
    const { stdout } = await watch.stop();
    report("a server held still", stdout);
    if (IS_FULL) expect(Number(/slow (\d+)/.exec(stdout)?.[1])).toBeLessThanOrEqual(1);
  });

  it("ask over the socket where the table is of a later layout", async () => {
    box = await sandbox();
    const scripted = await scriptedServer(answersFrom({ "n1.example": { a: ["198.51.100.1"] } }));
    const bytes = tableBytes([{ name: "n1.example", addresses: ["203.0.113.1"] }], {
      header: (header) => header.writeUInt32LE(layout.LAYOUT_VERSION + 1, layout.HEADER_LAYOUT_VERSION),
    });
    const table = new TableFile(path.join(scripted.directory, "cache.table"), bytes);
    try {
      fs.chmodSync(scripted.directory, 0o755);
      const program = buildProgram("test/whole/address.c", "glibc");
      const env = { LD_PRELOAD: CLIENT, DNS_CACHE_DIR: scripted.directory };
      const ask = async () => (await box.run([program, "getaddrinfo", "n1.example"], { env })).stdout.trim();
      expect(await ask()).toBe("198.51.100.1");
      expect(scripted.questions).toHaveLength(1);
      table.writeNumber(layout.HEADER_LAYOUT_VERSION, layout.LAYOUT_VERSION); // had it been ours
      expect(await ask()).toBe("203.0.113.1");
      expect(scripted.questions).toHaveLength(1);
    } finally {
      table.close();
      await scripted.close();
    }
  });
});
