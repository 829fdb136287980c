// client.so and the published table: what is answered from it, what is not, and what the server hears of it.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { buildProgram, CLIENT, muslMissing, toolMissing } from "../support/programs.ts";
import { otherUsersMissing, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { beatingHeader, EPOCH, slotOf, type TableEntry, TableFile, tableBytes } from "../support/tableFile.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const TABLE = "192.0.2.1";
const SERVER = "203.0.113.7";
const LIBC = "198.51.100.9";
const CALL = "getaddrinfo www.example 80 2 1 0 0";
const WWW: TableEntry = { name: "www.example", addresses: [TABLE] };
const SET_COUNT = 16;
const WARM_NAMES = 100;
const { HEADER_BOOT_ID, HEADER_HEARTBEAT_MS, HEADER_LAYOUT_VERSION, HEADER_SET_COUNT, HEADER_STATE } = layout;

const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;
let path: string;
let table: TableFile | undefined;

beforeAll(async () => {
  if (missing) return;
  box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
  const names = ["www.example", "other.example", "both.example"];
  const zone = JSON.stringify(Object.fromEntries(names.map((name) => [name, { A: [LIBC] }])));
  await box.startModule(`${root}/test/support/zoneUpstream.ts`, ["192.0.2.200", zone], { ready: /ready/ });
  server = await scriptedServer(answersFrom({ "www.example": { a: [SERVER] }, "other.example": { a: [SERVER] } }));
  path = join(server.directory, "cache.table");
});
afterEach(() => {
  table?.close();
  table = undefined;
  if (path) rmSync(path, { force: true, recursive: true });
});
afterAll(async () => {
  await server?.close();
  await box?.close();
});

function publish(...entries: TableEntry[]): TableFile {
  table = new TableFile(path, tableBytes(entries, { setCount: SET_COUNT }));
  return table;
}

/** Until a process has the table mapped, which its first lookup does. */
async function untilMapped(): Promise<void> {
  const isMapping = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/maps`, "utf8").includes(path);
    } catch {
      return false; // it has ended
    }
  };
  while (!readdirSync("/proc").some((pid) => /^\d+$/.test(pid) && isMapping(pid))) await sleep(10);
}

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`the published table, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    /** What the calls of a script print, and how often the server was connected to. */
    async function calls(script: string) {
      const before = server.connections();
      const program = buildProgram("test/shim/lookup.c", libc);
      const command = ["sh", "-c", `(${script}) | env LD_PRELOAD=${CLIENT} "$0"`, program];
      const { stdout, stderr } = await box.run(command, { env: { DNS_CACHE_DIR: server.directory } });
      expect(stderr).toBe("");
      return { stdout, asked: server.connections() - before };
    }
    /** First addresses, or what a failing call returns. */
    async function answers(script: string) {
      const { stdout, asked } = await calls(script);
      const found = [...stdout.matchAll(/(?:entry|address|returns) (?!0 )(\S+)/g)].map(([, answer]) => answer);
      return { answers: found, asked };
    }
    const call = (line: string, times = 1) => `for i in $(seq ${times}); do echo ${line}; done`;
    const again = (times: number) => `for i in $(seq ${times}); do echo ${CALL}; sleep 0.1; done`;

    it("answers without the server", async () => {
      publish(WWW);
      expect(await answers(call(CALL, 3))).toEqual({ answers: [TABLE, TABLE, TABLE], asked: 0 });
    });

    it("answers every function with the chain, both families, and what is missing", async () => {
      const chain = ["web.example", "host.example"];
      publish(
        { name: "both.example", chain, addresses: [TABLE, "192.0.2.2"] },
        { name: "both.example", chain, type: "AAAA", addresses: ["2001:db8::1"] },
        { name: "no-name.example", outcome: layout.OUTCOME_NO_NAME },
        { name: "no-name.example", type: "AAAA", outcome: layout.OUTCOME_NO_NAME },
        { name: "no-data.example", outcome: layout.OUTCOME_NO_DATA },
        { name: "no-data.example", type: "AAAA", outcome: layout.OUTCOME_NO_DATA },
      );
      const names = ["both.example", "no-name.example", "no-data.example"];
      const lines = names.flatMap((name) => [
        `getaddrinfo ${name} 80 0 1 0 2`,
        `gethostbyname_r ${name} 1024 0`,
        `gethostbyname2_r ${name} 10 1024 0`,
        `gethostbyname ${name}`,
      ]);
      const fromTable = await calls(lines.map((line) => `echo ${line}`).join(";"));
      expect(fromTable.asked).toBe(0);
      const header = beatingHeader(server.directory);
      server.behave(
        answersFrom({
          "both.example": { chain, a: [TABLE, "192.0.2.2"], aaaa: ["2001:db8::1"] },
          "no-data.example": { a: layout.OUTCOME_NO_DATA, aaaa: layout.OUTCOME_NO_DATA },
        }),
      );
      const fromServer = await calls(lines.map((line) => `echo ${line}`).join(";"));
      server.behave(answersFrom({ "www.example": { a: [SERVER] }, "other.example": { a: [SERVER] } }));
      header.close();
      expect(fromServer.asked).toBe(lines.length);
      const sorted = (text: string) => text.replaceAll(/(192\.0\.2|c0000)\S+/g, "…").split("\n");
      expect(sorted(fromTable.stdout)).toEqual(sorted(fromServer.stdout));
    });

    it("asks the server for what is not there, has ended, has failed for a moment, or lacks a family", async () => {
      publish({ name: "www.example", outcome: layout.OUTCOME_TEMPORARY });
      expect(await answers(call(CALL))).toEqual({ answers: [SERVER], asked: 1 });
      publish({ ...WWW, expiresInMs: -1 }, { name: "both.example", addresses: [TABLE] });
      expect(await answers(`echo ${CALL}; ${call(CALL.replace("www", "other"))}`)).toEqual({
        answers: [SERVER, SERVER],
        asked: 2,
      });
      expect((await calls(call("getaddrinfo both.example 80 0 1 0 0"))).asked).toBe(1);
      expect(await answers(call("getaddrinfo both.example 80 2 1 0 0"))).toEqual({ answers: [TABLE], asked: 0 });
    });

    it("finds a name in whichever place of its set it is", async () => {
      const names = Array.from({ length: layout.WAYS }, (_, i) => `n${i}.example`);
      const bytes = tableBytes(
        names.map((name, i) => ({ name, addresses: [`192.0.2.${10 + i}`] })),
        { setCount: 1 },
      );
      table = new TableFile(path, bytes);
      const found = await answers(names.map((name) => `echo ${CALL.replace("www.example", name)}`).join(";"));
      expect(found).toEqual({ answers: names.map((_, i) => `192.0.2.${10 + i}`), asked: 0 });
    });

    const number = (at: number, value: number) => (bytes: Buffer) => void bytes.writeUInt32LE(value, at);
    const HEADERS: [string, (bytes: Buffer) => void][] = [
      ["another magic", number(layout.HEADER_MAGIC, 7)],
      ["a future layout", number(HEADER_LAYOUT_VERSION, layout.LAYOUT_VERSION + 1)],
      ["a former layout", number(HEADER_LAYOUT_VERSION, layout.LAYOUT_VERSION - 1)],
      ["another header size", number(layout.HEADER_HEADER_BYTES, 8192)],
      ["another set size", number(layout.HEADER_SET_BYTES, 8192)],
      ["another slot size", number(layout.HEADER_SLOT_BYTES, 500)],
      ["another number of ways", number(layout.HEADER_WAYS, 4)],
      ["no sets", number(HEADER_SET_COUNT, 0)],
      ["more sets than it holds", number(HEADER_SET_COUNT, SET_COUNT + 1)],
      ["absurdly many sets", number(HEADER_SET_COUNT, 0xffffffff)],
      ["no more life", number(HEADER_STATE, layout.STATE_RETIRED)],
      ["an unknown state", number(HEADER_STATE, 3)],
      ["another boot", (bytes) => void bytes.writeUInt8(bytes.readUInt8(HEADER_BOOT_ID + 15) ^ 1, HEADER_BOOT_ID + 15)],
      ["another clock", (bytes) => void bytes.writeUInt8(1, HEADER_HEARTBEAT_MS + 7)],
      ["other seeds", number(layout.HEADER_SEED_A, 1)],
    ];
    for (const [what, header] of HEADERS)
      it(`asks the server where the table has ${what}`, async () => {
        table = new TableFile(path, tableBytes([WWW], { setCount: SET_COUNT, header }));
        expect(await answers(call(CALL, 2))).toEqual({ answers: [SERVER, SERVER], asked: 2 });
      });

    it("asks the server where the table is cut short, or no file", async () => {
      const whole = tableBytes([WWW], { setCount: SET_COUNT });
      const asks = async () => expect(await answers(call(CALL))).toEqual({ answers: [SERVER], asked: 1 });
      for (const length of [0, 100, layout.HEADER_BYTES, whole.length - 1]) {
        writeFileSync(path, whole.subarray(0, length));
        await asks();
      }
      rmSync(path);
      mkdirSync(path);
      await asks();
      rmSync(path, { recursive: true });
      writeFileSync(`${path}.elsewhere`, whole);
      symlinkSync(`${path}.elsewhere`, path);
      await asks();
      rmSync(path);
      await box.run(["mkfifo", path]);
      await asks();
      rmSync(path);
      renameSync(`${path}.elsewhere`, path);
      expect(await answers(call(CALL))).toEqual({ answers: [TABLE], asked: 0 });
    });

    it("goes on while the server is gone, and to libc at once for other names, until it is back", async () => {
      publish(WWW).beat(60_000);
      const other = CALL.replace("www", "other");
      expect(await answers(`echo ${CALL}; ${call(other, 3)}; echo ${CALL}`)).toEqual({
        answers: [TABLE, LIBC, LIBC, LIBC, TABLE],
        asked: 0,
      });
      const running = answers(`echo ${other}; for i in $(seq 30); do echo ${other}; sleep 0.1; done`);
      await untilMapped();
      table?.beat();
      expect((await running).answers).toContain(SERVER);
    });

    it("asks the server in spite of an old heartbeat where the table is not the directory's own any more", async () => {
      const old = publish(WWW);
      old.beat(60_000);
      const removed = join(server.directory, "removed");
      const wait = `while [ ! -e ${removed} ]; do sleep 0.1; done; sleep 1.1`; // the path is looked at once a second
      const running = answers(`echo ${CALL}; ${wait}; ${call(CALL.replace("www", "other"), 2)}; echo ${CALL}`);
      await untilMapped();
      rmSync(path);
      writeFileSync(removed, "");
      const found = await running;
      rmSync(removed);
      expect(found).toEqual({ answers: [TABLE, SERVER, SERVER, TABLE], asked: 2 });
    });

    it("follows a table that takes the place of a retired one, of the same size and of another", async () => {
      for (const setCount of [SET_COUNT, 2 * SET_COUNT]) {
        const old = publish(WWW);
        const running = answers(again(30));
        await untilMapped();
        table = new TableFile(path, tableBytes([{ ...WWW, addresses: ["192.0.2.99"] }], { setCount }));
        old.retire();
        old.close();
        const { answers: found } = await running;
        expect(found.at(-1)).toBe("192.0.2.99");
        expect(new Set(found)).toEqual(new Set([TABLE, SERVER, "192.0.2.99"].filter((each) => found.includes(each))));
      }
    });

    it("gives up a retired table that nothing takes the place of", async () => {
      publish(WWW);
      const running = answers(again(25));
      await untilMapped();
      table?.retire();
      rmSync(path);
      const { answers: found } = await running;
      expect(found.at(-1)).toBe(SERVER);
    });

    it("goes on after fork, chroot, setuid and close_range, and keeps no descriptor", async ({ skip }) => {
      const reason = otherUsersMissing();
      if (reason) skip(reason);
      publish(WWW);
      const program = buildProgram("test/shim/keeps.c", libc);
      const env = { DNS_CACHE_DIR: server.directory, LD_PRELOAD: CLIENT };
      const emptyRoot = join(server.directory, "root");
      mkdirSync(emptyRoot, { recursive: true });
      const { stdout } = await box.run([program, "www.example", emptyRoot], { env });
      expect(stdout.trim().split("\n")).toEqual(
        ["first", "descriptors", "fork", "close_range", "chroot", "setuid", "threads"].map(
          (what) => `${what} ${TABLE}`,
        ),
      );
    });

    it("is mapped as soon as there is room for it", async () => {
      table = new TableFile(path, tableBytes([WWW], { setCount: 1024 }));
      const beating = setInterval(() => table?.beat(), 500);
      const program = buildProgram("test/shim/foreign.c", libc, ["-rdynamic"]);
      const env = { DNS_CACHE_DIR: server.directory, LD_PRELOAD: CLIENT };
      const { stdout } = await box.run([program, "room-later", "www.example", "60"], { env });
      clearInterval(beating);
      expect(stdout).toBe(`without ${SERVER}\nwith ${TABLE}\n`);
    });

    it("tells the server of hits once in a while, and at once of an entry past its refresh time", async () => {
      const due: TableEntry = { name: "other.example", addresses: [TABLE], refreshInMs: -1, nonce: 0x100_0000_0005n };
      publish({ ...WWW, nonce: 7n }, due);
      server.told.length = 0;
      const other = CALL.replace("www", "other");
      const pairs = 8;
      await calls(`for i in $(seq ${pairs}); do echo ${CALL}; echo ${other}; sleep 0.3; done`);
      const [dueSlot, otherSlot] = [slotOf(due, SET_COUNT).slot, slotOf(WWW, SET_COUNT).slot];
      const first = server.told.find(({ kind }) => kind === "touch");
      expect(first).toEqual({ kind: "touch", epoch: EPOCH, entries: [{ slot: dueSlot, nonce: 5, hits: 1 }] });
      const hits = new Map([
        [dueSlot, 0],
        [otherSlot, 0],
      ]);
      for (const { epoch, entries } of server.told) {
        expect(epoch).toBe(EPOCH);
        for (const { slot, nonce, hits: more } of entries) {
          expect(nonce).toBe(slot === dueSlot ? 5 : 7);
          hits.set(slot, (hits.get(slot) ?? Number.NaN) + more);
        }
      }
      for (const count of hits.values()) {
        expect(count).toBeGreaterThan(1);
        expect(count).toBeLessThanOrEqual(pairs);
      }
      expect(server.told.length).toBeLessThan(2 * pairs); // fewer than lookups, however slow the machine
    });

    it("makes no system call for a hit", async ({ skip }) => {
      const reason = toolMissing("strace", "strace");
      if (reason) skip(reason);
      const address = (prefix: string, i: number) => `${prefix}${i + 1}`;
      const entries = Array.from({ length: WARM_NAMES }, (_, i): TableEntry[] => [
        { name: `n${i}.example`, addresses: [address("192.0.2.", i), address("198.51.100.", i)] },
        { name: `n${i}.example`, type: "AAAA", addresses: [address("2001:db8::", i)] },
      ]);
      table = new TableFile(path, tableBytes(entries.flat(), { setCount: 2 * WARM_NAMES }));
      const env = { DNS_CACHE_DIR: server.directory };
      const program = buildProgram("test/shim/warm.c", libc);
      const count = async (rounds: number) => {
        const command = ["strace", "-f", "-E", `LD_PRELOAD=${CLIENT}`, program, String(WARM_NAMES), String(rounds)];
        const { code, stderr } = await box.run(command, { env });
        expect(code).toBe(0);
        return stderr.split("\n").length;
      };
      const [few, many] = [await count(1), await count(20)];
      expect(many - few).toBeLessThan((20 - 1) * WARM_NAMES); // of four lookups each; once a second files and routes are looked at
    });
  });
}
