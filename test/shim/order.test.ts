// The order of addresses where what the kernel said is kept for a second: as libc orders them, and without asking again.
import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildClient, buildProgram, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type Entry, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { ROUTES_FLAGS, WATCHED_FLAGS } from "./flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const CLIENT = buildClient("steady", "-DNAMEWELL_STEADY");
const HOST = "192.0.2.200";

// Eight addresses to each name, of all kinds, all different: more than are kept, so that some are always learned anew.
const NAMES = Array.from({ length: 120 }, (_, i) => `n${i}.example`);
const V4 = ["192.0.2", "198.51.100", "127.0.1", "169.254.7", "10.0.0"];
const V6 = ["2001:db8::", "2001:db8:1::", "fd00:1::", "fe80::", "2002:c000:2::", "2a00::", "::ffff:c000:2", "fec0::"];
const zone: Record<string, { a: string[]; aaaa: string[] }> = {};
NAMES.forEach((name, i) => {
  zone[name] = {
    a: [0, 1, 2, 3].map((k) => `${V4[(i + k) % V4.length]}.${i + 1}`),
    aaaa: [0, 1, 2, 3].map((k) => `${V6[(i * 3 + k) % V6.length]}${100 + i}`),
  };
});
const both: Entry = { a: ["192.0.2.1"], aaaa: ["2001:db8::1"] };
const CALLS = 1000;

const missing = sandboxMissing();

/** Why no system calls can be counted here, or undefined. */
function straceMissing(): string | undefined {
  if (process.env.CI === "true" || spawnSync("strace", ["-V"]).status === 0) return undefined;
  return "strace is missing: apt-get install strace";
}

describe("what is kept of routes", () => {
  const TASKS = [
    ["crowd", "keeps the last learned of a set, and mixes none up"],
    ["identity", "takes another port or family for another destination"],
    ["time", "knows for a second, and nothing from the future"],
    ["damage", "is unknown when one bit of it has changed"],
    ["threads", "is what was learned, while others write"],
  ] as const;
  for (const [task, title] of TASKS)
    it(title, () => {
      for (const flags of Object.values(ROUTES_FLAGS)) {
        const program = buildProgram("test/shim/sets.c", "glibc", flags);
        const { status, stdout, stderr } = spawnSync(program, [task], { encoding: "utf8" });
        expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
      }
    });
});

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`the order of addresses, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    let box: Sandbox;
    let server: ScriptedServer;
    let program: string;
    let expected: string;

    beforeAll(async () => {
      box = await sandbox({
        addresses: [`${HOST}/24`, "2001:db8::200/64", "fd00:1::200/64", "fe80::200/64"],
        routes: ["route add default dev lo", "-6 route add 2000::/3 dev lo"],
        resolvConf: `nameserver ${HOST}\n`,
      });
      const records = Object.entries(zone).map(([name, { a, aaaa }]) => [name, { A: a, AAAA: aaaa }]);
      await box.startModule(
        `${root}/test/support/zoneUpstream.ts`,
        [HOST, JSON.stringify(Object.fromEntries(records))],
        { ready: /ready/ },
      );
      server = await scriptedServer(answersFrom(zone));
      program = buildProgram("test/shim/orders.c", libc);
      const alone = await box.run([program, "list"], { input: `${NAMES.join("\n")}\n` });
      expect(alone).toMatchObject({ code: 0, stderr: "" });
      expected = alone.stdout;
    });
    afterAll(async () => {
      await server?.close();
      await box?.close();
    });

    const agrees = async (task: string, count: number, lookups: number, watched?: string) => {
      const before = server.questions.length;
      const env = { DNS_CACHE_DIR: server.directory, ...(!watched && { LD_PRELOAD: CLIENT }) };
      const result = await box.run([watched ?? program, task, String(count)], { input: expected, env });
      expect(result).toMatchObject({ code: 0, stderr: "", stdout: expect.not.stringContaining(" is ") });
      expect(server.questions.length - before).toBeGreaterThanOrEqual(lookups);
    };

    it("is libc's own for more destinations than are kept, again and again", () =>
      agrees("again", 3, 3 * NAMES.length));

    it("is libc's own in threads at the same time", () => agrees("threads", 3, 10 * NAMES.length));

    it("is libc's own in children forked in the midst of other threads", () => agrees("forks", 20, 4 * NAMES.length));

    it("is not kept as it comes out in a shortage of descriptors", async () => {
      const few = expected.split("\n").slice(0, 5).join("\n");
      const env = { DNS_CACHE_DIR: server.directory, LD_PRELOAD: CLIENT };
      const result = await box.run([program, "shortage"], { input: `${few}\n`, env });
      const during = libc === "glibc" ? "other" : "the same"; // musl has one socket at a time
      expect(result).toMatchObject({ code: 0, stdout: `${during} orders in a shortage\n`, stderr: "" });
    });

    if (libc === "glibc")
      it("is reached without a race (ThreadSanitizer)", () =>
        agrees("threads", 1, 3 * NAMES.length, buildProgram("test/shim/watched.c", "glibc", WATCHED_FLAGS)));
  });

  describe.skipIf(without)(`how many addresses, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    const numbers = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
    const v4 = numbers(60).map((i) => `198.51.100.${i}`);
    const v6 = numbers(60).map((i) => `2001:db8:${i}::1`);
    const sets = { many: { a: v4, aaaa: v6 }, few: { a: v4.slice(0, 30), aaaa: v6.slice(0, 30) } };
    let box: Sandbox;
    let server: ScriptedServer;
    beforeAll(async () => {
      box = await sandbox({ addresses: [`${HOST}/24`, "2001:db8::200/64"] });
      server = await scriptedServer(
        answersFrom(Object.fromEntries(Object.entries(sets).map(([name, set]) => [`${name}.example`, set]))),
      );
    });
    afterAll(async () => {
      await server?.close();
      await box?.close();
    });

    async function given(call: string) {
      const program = buildProgram("test/shim/lookup.c", libc);
      const env = { LD_PRELOAD: CLIENT, DNS_CACHE_DIR: server.directory };
      const { stdout } = await box.run([program], { input: `${call}\n`, env });
      const addresses = [...stdout.matchAll(/^ {2}(?:entry|address) (\S+)/gm)].map(([, address]) => String(address));
      const six = addresses.filter((address) => address.includes(":")).length;
      return { four: addresses.length - six, six, different: new Set(addresses).size === addresses.length };
    }

    /** From 1.2.4 on musl keeps IPv6 addresses before IPv4 ones. */
    function isNewMusl(): boolean {
      const loader = readdirSync("/lib").find((name) => name.startsWith("ld-musl-")) ?? "";
      const { stderr } = spawnSync(`/lib/${loader}`, { encoding: "utf8" });
      const [, major = 0, minor = 0, patch = 0] = /Version (\d+)\.(\d+)\.(\d+)/.exec(stderr)?.map(Number) ?? [];
      return major * 10_000 + minor * 100 + patch >= 10_204;
    }

    it("all on glibc; on musl 48 at most, as in its own arrays, one family before the other", async () => {
      const glibc = libc === "glibc";
      const v6First = !glibc && isNewMusl();
      const different = true;
      const most = glibc ? 60 : 48;
      for (const call of ["getaddrinfo many.example - 2 1 0 0", "gethostbyname many.example"])
        expect(await given(call), call).toEqual({ four: most, six: 0, different });
      for (const call of ["getaddrinfo many.example - 10 1 0 0", "gethostbyname2_r many.example 10 9000 0"])
        expect(await given(call), call).toEqual({ four: 0, six: most, different });
      const both = (first: number, rest: number) =>
        glibc || v6First ? { four: rest, six: first, different } : { four: first, six: rest, different };
      expect(await given("getaddrinfo many.example - 0 1 0 0")).toEqual(both(most, glibc ? 60 : 0));
      expect(await given("getaddrinfo few.example - 0 1 0 0")).toEqual(both(30, glibc ? 30 : 18));
    });
  });

  describe.skipIf(without)(`what the kernel is asked, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    let server: ScriptedServer;
    beforeAll(async () => {
      server = await scriptedServer(answersFrom({ "both.example": both }));
    });
    afterAll(() => server?.close());

    const noStrace = straceMissing();
    it.skipIf(noStrace)(
      `is asked once a second, however many lookups there are${noStrace ? ` (skipped: ${noStrace})` : ""}`,
      async () => {
        const box = await sandbox({ addresses: [`${HOST}/24`, "2001:db8::200/64"] });
        try {
          const lookups = buildProgram("test/shim/lookup.c", libc);
          const command = 'strace -f -ttt -e trace=socket,exit_group env LD_PRELOAD="$0" "$1"';
          const run = await box.run(["sh", "-c", command, CLIENT, lookups], {
            input: "getaddrinfo both.example 80 0 1 0 0x20\n".repeat(CALLS),
            env: { DNS_CACHE_DIR: server.directory },
          });
          expect(run.code).toBe(0);
          expect(server.questions.length).toBe(CALLS);
          expect(run.stdout.match(/entry 2001:db8::1 .*\n.*entry 192\.0\.2\.1 /g)?.length).toBe(CALLS);
          const times = [...run.stderr.matchAll(/(\d+\.\d+) (?:socket|exit_group)\(/g)].map(([, time]) => Number(time));
          const seconds = 1 + Math.floor((times.at(-1) ?? 0) - (times[0] ?? 0));
          const asked = run.stderr.match(/socket\((AF_NETLINK|AF_INET6?, SOCK_DGRAM)/g)?.length ?? 0;
          expect(asked).toBeGreaterThan(0);
          // a socket for each family and for its test by AI_ADDRCONFIG, or two reads of the interfaces
          expect(asked).toBeLessThanOrEqual(4 * seconds);
        } finally {
          await box.close();
        }
      },
    );

    it("is asked again, and a new or lost address seen", async () => {
      const box = await sandbox({ addresses: [`${HOST}/24`] });
      try {
        const lookups = buildProgram("test/shim/lookup.c", libc);
        const endless =
          '(until [ -e "$3" ]; do echo "getaddrinfo both.example 80 0 1 0 $2"; sleep 0.1; done) | env LD_PRELOAD="$0" "$1"';
        for (const flags of ["0", "0x20"]) {
          const end = join(server.directory, `end-${flags}`);
          const options = { env: { DNS_CACHE_DIR: server.directory } };
          const running = await box.start(["sh", "-c", endless, CLIENT, lookups, flags, end], options);
          const v4 = String.raw`returns 0 .*\n.*\n {2}entry 192\.0\.2\.1 `;
          const v6 = String.raw`returns 0 .*\n.*\n {2}entry 2001:db8::1 `;
          await running.wrote(new RegExp(v4));
          await box.run(["ip", "addr", "add", "2001:db8::200/64", "dev", "lo", "nodad"]);
          await running.wrote(new RegExp(`^[^]*?${v4}[^]*${v6}`));
          await box.run(["ip", "addr", "del", "2001:db8::200/64", "dev", "lo"]);
          await running.wrote(new RegExp(`^[^]*?${v6}[^]*${v4}`));
          writeFileSync(end, "");
          expect(await running.ended).toMatchObject({ code: 0, stderr: "" });
        }
      } finally {
        await box.close();
      }
    });
  });
}
