// client.so in processes that fork, cancel threads, close descriptors, have small stacks and small buffers.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildClient, buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import {
  answersFrom,
  type Behaviour,
  damages,
  hangsUpAfter,
  type ScriptedServer,
  scriptedServer,
} from "../support/scriptedServer.ts";
import { refusedFrame } from "../support/serverFrames.ts";
import { INSTRUMENTED_FLAGS } from "./flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const NAME = "www.example";
const ZONE = {
  "www.example": {
    chain: ["web.example", "a.rather.long.name.for.a.host.example"],
    a: ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
    aaaa: ["2001:db8::1", "2001:db8::2"],
  },
};
const LARGE_ZONE = { [NAME]: { a: Array.from({ length: 4000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`) } };
const LIBC_ADDRESS = "198.51.100.9"; // only the sandbox's own nameserver gives it
const LIBC_ZONE = { "www.example": { A: [LIBC_ADDRESS], AAAA: ["2001:db8::9"] } };
const FEW = 50;
const MANY = 1000;

// A frame that holds more than its records, and more than fits the client's first buffer.
const tooLong = damages(ZONE, (bytes) => {
  bytes.writeUInt32BE(bytes.length + 5000);
  return Buffer.concat([bytes, Buffer.alloc(5000)]);
});

const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;

beforeAll(async () => {
  if (missing) return;
  box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
  await box.startModule(`${root}/test/support/zoneUpstream.ts`, ["192.0.2.200", JSON.stringify(LIBC_ZONE)], {
    ready: /ready/,
  });
  server = await scriptedServer(answersFrom(ZONE));
});
afterAll(async () => {
  await server?.close();
  await box?.close();
});

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`client.so in a hard place, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    const task = async (
      name: string,
      count: number,
      environment: Record<string, string> = {},
      behaviour?: Behaviour,
    ) => {
      server.behave(behaviour ?? answersFrom(ZONE));
      const before = server.questions.length;
      const program = buildProgram("test/shim/hardship.c", libc);
      const env = { LD_PRELOAD: CLIENT, DNS_CACHE_DIR: server.directory, ...environment };
      const result = await box.run([program, name, NAME, String(count)], { env });
      return { ...result, asked: server.questions.length - before };
    };

    it("writes nothing beyond a buffer of any size and alignment", async () => {
      const result = await task("buffers", 1);
      expect(result).toMatchObject({ code: 0, stderr: "" });
      expect(result.asked).toBeGreaterThan(16_000);
    });

    it("takes a NULL for a node, a service, hints or an address as libc does", async () => {
      const { code, stdout } = await task("nulls", 1);
      const program = buildProgram("test/shim/hardship.c", libc);
      const addresses = (text: string) => text.replaceAll(/(?<=^a name.*) \d+ entries$/gm, " entries");
      const alone = await box.run([program, "nulls", NAME]);
      expect({ code, stdout: addresses(stdout) }).toEqual({ code: 0, stdout: addresses(alone.stdout) });
      expect(stdout).toMatch(/^a name: 0/m);
    });

    it.runIf(libc === "glibc")("keeps each function's static result while the others give theirs", async () => {
      const zone = answersFrom({ ...ZONE, "1.2.0.192.in-addr.arpa": { ptr: [NAME] } });
      expect(await task("static-results", 1, {}, zone)).toMatchObject({ code: 0, stdout: "4 16 4\n", asked: 3 });
    });

    it("serves children forked while other threads look up", async () => {
      expect(await task("forks", FEW)).toMatchObject({ code: 0, stdout: `0 of ${FEW} children failed\n` });
    });

    it("serves children forked while another thread walks the loaded objects", async () => {
      expect(await task("forks-in-loader", FEW)).toMatchObject({ code: 0, stdout: `0 of ${FEW} children failed\n` });
    });

    it("serves a thread that the constructor of a library waits for while it is loaded", async () => {
      const program = buildProgram("test/shim/hardship.c", libc);
      const plugin = buildProgram("test/shim/plugin.c", libc, ["-shared", "-fPIC"]);
      for (const off of ["0", "1"]) {
        const env = { LD_PRELOAD: CLIENT, DNS_CACHE_DIR: server.directory, DNS_CACHE_OFF: off };
        expect(await box.run([program, "plugin", plugin], { env })).toMatchObject({ code: 0, stderr: "" });
      }
    });

    it("leaves no descriptor when a thread is cancelled within", async () => {
      expect(await task("cancellation", FEW)).toMatchObject({ code: 0 });
    });

    it("fits a thread with 64 KiB of stack", async () => {
      expect(await task("small-stack", 1)).toMatchObject({ code: 0 });
    });

    it("leaves no memory behind", async () => {
      expect(await task("memory", 150, {}, answersFrom(LARGE_ZONE))).toMatchObject({ code: 0, asked: 150 });
    });

    it("does not mind that all descriptors are closed between calls", async () => {
      expect(await task("close-all", FEW)).toMatchObject({ code: 0, asked: FEW });
    });

    it("goes on after signals", async () => {
      expect(await task("interrupted", MANY)).toMatchObject({ code: 0, asked: MANY });
    });

    it("goes to libc when there is no descriptor left", async () => {
      expect(await task("no-descriptors-left", FEW)).toMatchObject({ code: 0, asked: 0 });
    });

    const KINDS: [string, Behaviour | undefined, Record<string, string>][] = [
      ["answered", undefined, {}],
      ["without a socket", undefined, { DNS_CACHE_DIR: "/nowhere" }],
      ["cut short", hangsUpAfter(ZONE, 20), {}],
      ["hung up on", (_, socket) => socket.destroy(), {}],
      ["refused", (_, socket) => socket.end(refusedFrame(3)), {}],
      ["damaged", damages(ZONE, (bytes) => bytes.fill(0x5a, 30, 40)), {}],
      ["answered with garbage", (_, socket) => socket.end(Buffer.alloc(5000, 0xee)), {}],
      ["answered at great length", tooLong, {}],
    ];
    for (const [kind, behaviour, environment] of KINDS)
      it(`leaves no descriptor after ${MANY} lookups ${kind}`, async () => {
        const result = await task("descriptors", MANY, environment, behaviour);
        const from = behaviour === undefined && !environment.DNS_CACHE_DIR ? "192.0.2." : LIBC_ADDRESS;
        expect(result).toMatchObject({
          code: 0,
          stdout: expect.stringMatching(`^0 descriptors more; at last: ${from}`),
        });
      });
  });
}

describe.skipIf(missing)("the library under AddressSanitizer and UBSan", () => {
  const run = async (task: string, count: number) => {
    server.behave(answersFrom(ZONE));
    const program = buildProgram("test/shim/instrumented.c", "glibc", INSTRUMENTED_FLAGS);
    return box.run([program, task, NAME, String(count)], { env: { DNS_CACHE_DIR: server.directory } });
  };
  for (const [task, count] of [
    ["buffers", 1],
    ["descriptors", 200],
    ["interrupted", 200], // no fork: the sanitizer's own allocator does not survive one in a process with threads
  ] as const)
    it(`is clean: ${task}`, async () => {
      expect(await run(task, count)).toMatchObject({ code: 0, stderr: "" });
    });
});

it.skipIf(missing)("glibc is known as such behind a sanitizer's own getaddrinfo", () => {
  const program = buildProgram("test/shim/parts.c", "glibc", INSTRUMENTED_FLAGS);
  expect(spawnSync(program, ["libc"], { encoding: "utf8" }).stdout).toBe("glibc\n");
});

describe("a claim", () => {
  it("is refused to others of its process, and taken over in a child forked meanwhile", () => {
    const program = buildProgram("test/shim/parts.c", "glibc", INSTRUMENTED_FLAGS);
    const { stdout } = spawnSync(program, ["claim"], { encoding: "utf8" });
    expect(stdout).toBe("free, then busy; in a child inherited, then busy; released, then free\n");
  });

  it("is taken over where the clock has gone back since", () => {
    const program = buildProgram("test/shim/parts.c", "glibc", INSTRUMENTED_FLAGS);
    const { stdout } = spawnSync(program, ["goes-back"], { encoding: "utf8" });
    expect(stdout).toBe("taken, then busy, then taken; inherited\n");
  });
});

describe("the first lookup of a process, interrupted by a signal whose handler looks up", () => {
  // Where no constructor has run. Before, the handler spun until the claim was 2 s old.
  it.each([
    [0, 20],
    [5, 16],
    [25, 0],
    [1999, 0],
  ])("is waited for no longer than 20 ms, %d ms after it began", (lateMs, waitedMs) => {
    const program = buildProgram("test/shim/interrupted.c", "glibc", ["-D_GNU_SOURCE", `-I${root}/shim`]);
    const { stdout } = spawnSync(program, [String(lateMs)], { encoding: "utf8", timeout: 10_000 });
    expect(stdout).toBe(`nothing in the handler after ${waitedMs} ms, settings behind it\n`);
  });
});

describe.skipIf(missing)("a build that may not use dlsym", () => {
  for (const libc of ["glibc", "musl"] as const) {
    const noMusl = libc === "musl" ? muslMissing() : undefined;
    it.skipIf(noMusl)(`finds the functions of ${libc} in its symbol table`, async () => {
      const library = buildClient("without-dlsym", "-DNAMEWELL_WITHOUT_DLSYM");
      const program = buildProgram("test/shim/lookup.c", libc);
      const input = "getaddrinfo localhost 80 2 1 0 0\ngethostbyname localhost\ngethostbyname_r localhost 999 0\n";
      const alone = await box.run([program], { input });
      const env = { LD_PRELOAD: library, DNS_CACHE_OFF: "1" };
      expect(await box.run([program], { input, env })).toEqual(alone);
      expect(alone.stdout).toContain("address 127.0.0.1");
    });
  }
});
