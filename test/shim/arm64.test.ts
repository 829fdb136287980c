// client.so for arm64, in programs that qemu runs on this machine. Beside the same program of this machine, since what
// they print has to be the same.
//
// Left out, for what would be tested is qemu: children forked while threads run (qemu's own locks may be held in them),
// close_range over its descriptors, and races (memory is ordered as this machine orders it, which is more than arm64 does).
// glibc on arm64 makes no thread with less than 128 KiB of stack.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type Zone } from "../../demo/upstream.ts";
import { callsOf, emulated, emulationMissing } from "../support/emulated.ts";
import { buildClient, buildProgram, CLIENT, CLIENT_ARM64 } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { sealedRecord } from "../support/serverFrames.ts";
import { beatingHeader, type TableEntry, TableFile, tableBytes } from "../support/tableFile.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const PLAIN_FLAGS = ["-D_GNU_SOURCE", `-I${root}/shim`];
const HOST = "192.0.2.200";
const LIBC = "198.51.100.9"; // only the sandbox's own nameserver gives it
const ROUTED = {
  addresses: [`${HOST}/24`, "2001:db8::200/64", "fd00:1::200/64", "fe80::200/64"],
  routes: ["route add default dev lo", "-6 route add 2000::/3 dev lo"],
  resolvConf: `nameserver ${HOST}\n`,
};

const missing = emulationMissing() ?? sandboxMissing();
const program = (source: string, flags: readonly string[] = []) => buildProgram(source, "arm64", flags);

function run([file = "", ...args]: string[], input = "") {
  const { stdout, stderr, status } = spawnSync(file, args, { input, encoding: "utf8" });
  return { stdout, stderr, status };
}

describe.skipIf(missing)(`client.so for arm64${missing ? ` (skipped: ${missing})` : ""}`, () => {
  describe("the decoder", () => {
    it("decides as this machine's does", () => {
      const good = sealedRecord({
        name: "www.example",
        chain: ["web.example", "host.example"],
        addresses: ["192.0.2.1", "192.0.2.2"],
      });
      const asRecord = (bytes: Buffer) => `record www.example ${layout.TYPE_A} ${bytes.toString("hex") || "-"}`;
      const flipped = Array.from({ length: good.length * 8 }, (_, bit) => {
        const bytes = Buffer.from(good);
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        return asRecord(bytes);
      });
      const lines = [
        ...Array.from(
          { length: 17 },
          (_, blocks) => `mix ${blocks} fedcba9876543210 ${"a5".repeat(16 * blocks) || "-"}`,
        ),
        asRecord(good),
        ...Array.from(good, (_, length) => asRecord(good.subarray(0, length))),
        ...flipped,
        ...[1, 2].map((seed) => `hammer 20000 ${seed} www.example ${layout.TYPE_A} ${good.toString("hex")}`),
      ];
      const decode = (command: string[]) => {
        const { stdout, stderr, status } = run(command, `${lines.join("\n")}\n`);
        expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
        return stdout.trim().split("\n");
      };
      const here = decode([buildProgram("test/shim/decoder.c", "glibc", PLAIN_FLAGS)]);
      expect(here[17]).toMatch(`${good.length} outcome 1 chain 2 count 2 `);
      expect(here.at(-1)).toMatch(/^accepted [1-9]/);
      expect(decode(emulated(program("test/shim/decoder.c", PLAIN_FLAGS), ""))).toEqual(here);
    });
  });

  it.each(["crowd", "identity", "time", "damage", "threads"])("keeps what it learns of routes: %s", (task) => {
    const command = emulated(program("test/shim/sets.c", PLAIN_FLAGS), "");
    expect(run([...command, task])).toEqual({ stdout: "", stderr: "", status: 0 });
  });

  it.each([
    ["php", "the opener's\n"],
    ["ruby", "its own\n"],
  ])("takes RTLD_DEEPBIND away in PHP, and from nobody else: %s", (name, whose) => {
    const directory = mkdtempSync(join(tmpdir(), "namewell-dlopen-"));
    const [named, library] = [join(directory, name), join(directory, "opened.so")];
    copyFileSync(program("test/shim/opener.c", ["-rdynamic", "-D_GNU_SOURCE"]), named);
    copyFileSync(program("test/shim/opened.c", ["-shared", "-fPIC", "-D_GNU_SOURCE"]), library);
    const command = emulated(named, CLIENT_ARM64);
    expect(run([...command, "bind", library])).toEqual({ stdout: whose, stderr: "", status: 0 });
    const alone = run([...emulated(named, ""), "errors", library]);
    expect(alone).toMatchObject({ stderr: "", status: 0 });
    expect(run([...command, "errors", library])).toEqual(alone);
    rmSync(directory, { recursive: true });
  });

  describe("with the built server", () => {
    const ZONE: Zone = { "www.example": { ttl: 600, A: ["203.0.113.1"], AAAA: ["2001:db8::1"] } };
    const CALLS = "getaddrinfo www.example 80 0 1 0 0\ngethostbyname_r www.example 1024 0\n";
    let directory: string;
    let box: Sandbox;
    let upstream: Upstream;
    let server: ServerProcess;

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), "namewell-test-"));
      box = await sandbox(ROUTED);
      upstream = await startUpstream({ zone: ZONE });
      server = startServer({
        DNS_CACHE_DIR: directory,
        DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`,
        DNS_CACHE_LOG_LEVEL: "debug",
      });
      await server.seen("Listening");
    });
    afterAll(async () => {
      process.kill(server.pid, "SIGCONT");
      await server.stopped("SIGTERM");
      await upstream.close();
      await box.close();
      rmSync(directory, { recursive: true, force: true });
    });

    it("asks it over the socket, then answers from the table while the server stands still", async () => {
      // As it would be found on a node of its own kind: beside the socket, which no variable names.
      const client = join(directory, "arm64.so");
      copyFileSync(CLIENT_ARM64, client);
      const lookUp = async () => {
        const command = emulated(program("test/shim/lookup.c"), client);
        const { code, stdout, stderr } = await box.run(command, { input: CALLS });
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        return stdout;
      };
      const asked = await lookUp();
      expect(asked.match(/203\.0\.113\.1|2001:db8::1/g)).toHaveLength(3);
      expect(upstream.count("www.example", "A")).toBe(1);
      await server.seen("Got message: 'www.example'");
      process.kill(server.pid, "SIGSTOP");
      expect(await lookUp()).toBe(asked);
      process.kill(server.pid, "SIGCONT");
      expect(upstream.asked).toHaveLength(2);
    });
  });

  describe("beside this machine's", () => {
    let box: Sandbox;
    let server: ScriptedServer;
    let header: ReturnType<typeof beatingHeader>;

    const chain = ["web.example", "a.rather.long.name.for.a.host.example"];
    const V4_NAMES = Array.from({ length: 30 }, (_, i) => `n${i}.example`);
    const many = (i: number) => ({
      a: ["192.0.2", "198.51.100", "127.0.1", "169.254.7"].map((net) => `${net}.${i + 1}`),
      aaaa: ["2001:db8::", "fd00:1::", "fe80::", "2002:c000:2::"].map((net) => `${net}${100 + i}`),
    });
    const zone = Object.fromEntries(V4_NAMES.map((name, i) => [name, many(i)]));

    beforeAll(async () => {
      box = await sandbox(ROUTED);
      const sorted = Object.entries(zone).map(([name, { a, aaaa }]) => [name, { A: a, AAAA: aaaa }]);
      const records = { ...Object.fromEntries(sorted), "libc.example": { A: [LIBC] } };
      await box.startModule(`${root}/test/support/zoneUpstream.ts`, [HOST, JSON.stringify(records)], {
        ready: /ready/,
      });
      server = await scriptedServer(
        answersFrom({
          ...zone,
          "asked.example": { chain, a: ["192.0.2.7"], aaaa: ["2001:db8::7"] },
          "short.two.example": { a: ["192.0.2.31"], aaaa: layout.OUTCOME_NO_DATA },
          "40.2.0.192.in-addr.arpa": { ptr: ["four.example", "more.example"] },
          [`0.4.${"0.".repeat(22)}8.b.d.0.1.0.0.2.ip6.arpa`]: { ptr: ["six.example"] },
          "no-data.example": { a: layout.OUTCOME_NO_DATA, aaaa: layout.OUTCOME_NO_DATA },
        }),
      );
      header = beatingHeader(server.directory);
    });
    afterAll(async () => {
      header?.close();
      await server?.close();
      await box?.close();
    });

    async function compare(names: readonly string[], env: Record<string, string> = {}) {
      return compareCalls("test/shim/lookup.c", callsOf(names), env);
    }

    /** What a program that makes these calls prints, and how often it asked the server. */
    async function compareCalls(source: string, input: string, env: Record<string, string> = {}) {
      const options = { env: { DNS_CACHE_DIR: server.directory, ...env }, input };
      const here = await box.run(["env", `LD_PRELOAD=${CLIENT}`, buildProgram(source, "glibc")], options);
      const before = server.connections();
      const there = await box.run(emulated(program(source), CLIENT_ARM64), options);
      expect(there).toEqual(here);
      expect(there).toMatchObject({ code: 0, stderr: "" });
      return { stdout: there.stdout, asked: server.connections() - before };
    }

    it("gives the same from the table, without a question", async () => {
      const entries: TableEntry[] = [
        { name: "both.example", chain, addresses: ["192.0.2.1"] },
        { name: "both.example", chain, type: "AAAA", addresses: ["2001:db8::1"] },
        { name: "gone.example", outcome: layout.OUTCOME_NO_NAME },
        { name: "gone.example", type: "AAAA", outcome: layout.OUTCOME_NO_NAME },
      ];
      header.close();
      const table = new TableFile(join(server.directory, "cache.table"), tableBytes(entries));
      const beating = setInterval(() => table.beat(), 100);
      const { stdout, asked } = await compare(["both.example", "BOTH.Example.", "gone.example"]);
      expect(stdout).toContain("address 192.0.2.1");
      expect(stdout).toContain("alias web.example");
      expect(asked).toBe(0);
      clearInterval(beating);
      table.close();
      header = beatingHeader(server.directory);
    });

    it("gives the same from the server", async () => {
      const names = ["asked.example", "no-data.example", "none.example"];
      const { stdout, asked } = await compare(names);
      expect(stdout).toContain("entry 2001:db8::7");
      expect(asked).toBeGreaterThanOrEqual(names.length);
    });

    it("goes through the search list alike", async () => {
      const { stdout } = await compare(["short", "asked"], { LOCALDOMAIN: "one.example two.example example" });
      expect(stdout).toContain("address 192.0.2.31");
      expect(stdout).toContain("entry 2001:db8::7");
      const asked = server.questions.map(({ names }) => names.join(" "));
      expect(asked).toContain("short.one.example short.two.example short.example short");
    });

    it("gives the same names of addresses", async () => {
      const lines = ["192.0.2.40", "2001:db8::40", "192.0.2.41", "127.0.0.1", "fe80::1"].flatMap((address) => [
        `gethostbyaddr ${address}`,
        ...[0, 8, 40, 90, 150, 1024].map((size) => `gethostbyaddr_r ${address} ${size} ${size % 7}`),
        ...[0, 1, 2, 4, 8, 16, 24].map((flags) => `getnameinfo ${address} 53 256 64 ${flags}`),
        ...[-1, 0, 5, 20].map((size) => `getnameinfo ${address} 80 ${size} ${size} 0`),
      ]);
      const { stdout, asked } = await compareCalls("test/shim/reverse.c", `${lines.join("\n")}\n`);
      expect(stdout).toContain("name four.example");
      expect(stdout).toContain("name six.example");
      expect(asked).toBeGreaterThanOrEqual(9);
    });

    it("leaves the same to libc", async () => {
      const names = ["127.1", "::1", "localhost", "caf\u00e9.example", "a..b", "printer.local", "''", "*"];
      expect((await compare(names)).asked).toBe(0);
    });

    it("goes to libc without a server", async () => {
      const command = emulated(program("test/shim/lookup.c"), CLIENT_ARM64);
      const options = { env: { DNS_CACHE_DIR: "/nowhere" }, input: "gethostbyname_r libc.example 1024 0\n" };
      const { stdout, stderr } = await box.run(command, options);
      expect(stdout).toContain(`address ${LIBC}`);
      expect(stderr).toBe("");
    });

    it("sorts as libc does, with the kernel's routes and interfaces, in threads too, and without dlsym", async () => {
      const input = `${V4_NAMES.join("\n")}\n`;
      const alone = await box.run([buildProgram("test/shim/orders.c", "glibc"), "list"], { input });
      expect(alone).toMatchObject({ code: 0, stderr: "" });
      const client = buildClient("steady", "-DNAMEWELL_STEADY -DNAMEWELL_WITHOUT_DLSYM", "arm64");
      const command = emulated(program("test/shim/orders.c"), client);
      for (const task of ["again", "threads"]) {
        const before = server.questions.length;
        const options = { env: { DNS_CACHE_DIR: server.directory }, input: alone.stdout };
        expect(await box.run([...command, task, "2"], options)).toMatchObject({ code: 0, stdout: "", stderr: "" });
        expect(server.questions.length - before).toBeGreaterThanOrEqual(2 * V4_NAMES.length);
      }
    });

    it.each([
      ["cancellation", 20],
      ["interrupted", 200],
      ["no-descriptors-left", 20],
    ])("in a hard place: %s", async (task, count) => {
      const command = emulated(program("test/shim/hardship.c"), CLIENT_ARM64);
      const options = { env: { DNS_CACHE_DIR: server.directory } };
      const result = await box.run([...command, task, "asked.example", String(count)], options);
      expect(result).toMatchObject({ code: 0, stderr: "" });
    });
  });
});
