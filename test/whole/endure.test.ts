// Many threads and forked children that look up whatever there is, at length, while the server is killed and started
// anew: no race, no leak, no descriptor, no wrong address. Each under what sees the one or the other.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type Zone } from "../../demo/upstream.ts";
import { IS_FULL, report } from "../fuzz/size.ts";
import { INSTRUMENTED_FLAGS, RACES_FLAGS } from "../shim/flags.ts";
import { buildProgram, muslMissing, toolMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const SECONDS = IS_FULL ? 60 : 4;
const THREADS = IS_FULL ? 64 : 16;
const CHILDREN = IS_FULL ? 16 : 3;
const NAMES = 40;
const FRESH = 2000;
const RESTART_EVERY_MS = 900;
const LIBCS_NAMESERVER = "192.0.2.200";
// libc asks for many.example over TCP, and each time leaves two ports waiting for a minute: 28,232 soon are not enough.
const REUSE_PORTS = "/proc/sys/net/ipv4/tcp_tw_reuse";
const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const MANY = Array.from({ length: 60 }, (_, i) => i + 1);
const ZONE: Zone = {
  ...Object.fromEntries(
    Array.from({ length: NAMES }, (_, i) => [
      `n${i}.example`,
      { ttl: 3, A: [`198.51.100.${i + 1}`], AAAA: [`2001:db8::${(i + 1).toString(16)}`] },
    ]),
  ),
  ...Object.fromEntries(Array.from({ length: FRESH }, (_, i) => [`u${i}.example`, { ttl: 1, A: ["203.0.113.1"] }])),
  "many.example": { A: MANY.map((i) => `203.0.113.${i}`), AAAA: MANY.map((i) => `2001:db8:1::${i.toString(16)}`) },
};

type Build = {
  missing?: () => string | undefined;
  program: () => string;
  /** Whether client.so is preloaded, or else within the program. */
  preloaded: boolean;
  command?: string[];
  env?: Record<string, string>;
  threads?: number;
  children?: number;
  fork: "early" | "late";
};
const LEAKS = "definite";
const VALGRIND = `valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=${LEAKS} --errors-for-leak-kinds=${LEAKS}`;
const BUILDS: Record<string, Build> = {
  ThreadSanitizer: {
    program: () => buildProgram("test/whole/endure_watched.c", "glibc", RACES_FLAGS),
    preloaded: false,
    env: { TSAN_OPTIONS: "exitcode=66" },
    fork: "late",
  },
  "AddressSanitizer and UBSan": {
    program: () => buildProgram("test/whole/endure_sanitized.c", "glibc", INSTRUMENTED_FLAGS),
    preloaded: false,
    env: { ASAN_OPTIONS: "detect_leaks=1" },
    fork: "early", // its own allocator does not survive a fork in a process with threads
  },
  valgrind: {
    missing: () => toolMissing("valgrind", "valgrind libc6-dbg"),
    program: () => buildProgram("test/whole/endure.c", "glibc"),
    preloaded: true,
    command: VALGRIND.split(" "),
    threads: 4,
    children: 2,
    fork: "early", // or what the parent's threads hold would be the child's leak
  },
  glibc: { program: () => buildProgram("test/whole/endure.c", "glibc"), preloaded: true, fork: "late" },
  musl: {
    missing: muslMissing,
    program: () => buildProgram("test/whole/endure.c", "musl"),
    preloaded: true,
    fork: "late",
  },
};

let directory: string;
let upstream: Upstream;
let server: ServerProcess;
let box: Sandbox;

async function start(): Promise<void> {
  server = startServer({ DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}` });
  await server.seen("Listening");
}

describe.skipIf(sandboxMissing())("threads and children that look up at length", { timeout: 300_000 }, () => {
  beforeEach(async () => {
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    upstream = await startUpstream({ zone: ZONE, soaMinimum: 2 });
    await start();
    box = await sandbox({
      resolvConf: `nameserver ${LIBCS_NAMESERVER}\n`,
      addresses: ["192.0.2.200/32", "2001:db8::200/128"],
    });
    await box.run(["sh", "-c", `echo 1 > ${REUSE_PORTS}`]);
    await box.startModule(ZONE_MODULE, [LIBCS_NAMESERVER, JSON.stringify(ZONE)], { ready: /ready/ });
  });
  afterEach(async () => {
    await box.close();
    await server.stopped("SIGKILL");
    await upstream.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  it.for(Object.keys(BUILDS))("do so without a fault, while the server comes and goes: %s", async (title, { skip }) => {
    const build = BUILDS[title] as Build;
    const reason = build.missing?.();
    if (reason !== undefined) skip(reason);
    const { command = [], threads = THREADS, children = CHILDREN } = build;
    const words = [SECONDS, threads, children, build.fork, NAMES].map(String);
    const env = {
      DNS_CACHE_DIR: directory,
      ...(build.preloaded && { LD_PRELOAD: path.join(directory, "client.so") }),
      ...build.env,
    };
    const program = await box.start([...command, build.program(), ...words], { env, ready: /^forked$/m });
    let isEnding = false;
    const running = program.ended.finally(() => {
      isEnding = true;
    });
    let restarts = 0;
    for (; !isEnding; restarts++) {
      await server.stopped("SIGKILL");
      if (restarts % 3 === 1) await Promise.race([running, sleep(2 * RESTART_EVERY_MS)]); // libc's turn
      await start();
      await Promise.race([running, sleep(RESTART_EVERY_MS)]);
    }
    const { code, stdout, stderr } = await running;
    report(`${title}: ${restarts} restarts`, stdout);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const counts = /^lookups (\d+) failed 0 wrong 0 children 0 descriptors 0$/m.exec(stdout);
    expect(Number(counts?.[1]), stdout).toBeGreaterThan(100);
    expect(restarts).toBeGreaterThan(0);
  });
});
