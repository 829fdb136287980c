// Which address comes first: each equally often, as by chance, or that which the server put first.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { emulated, emulationMissing } from "../support/emulated.ts";
import { buildProgram, CLIENT, CLIENT_ARM64, muslMissing, type Target } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { answerFrame, sealedRecord } from "../support/serverFrames.ts";
import { TableFile, tableBytes } from "../support/tableFile.ts";

const addresses = (count: number) => Array.from({ length: count }, (_, i) => `192.0.2.${i + 1}`);
const [TWO, EIGHT] = [addresses(2), addresses(8)];
const expiresInMs = 3_600_000;
const ENTRIES = [
  { name: "other.example", addresses: TWO, expiresInMs },
  { name: "two.example", addresses: TWO, expiresInMs },
  { name: "eight.example", addresses: EIGHT, expiresInMs },
  { name: "fixed.example", addresses: EIGHT, expiresInMs, flags: layout.RECORD_FLAG_FIXED_ORDER },
];
// Over the socket.
const RECORDS: Readonly<Record<string, Buffer>> = {
  "asked.example": sealedRecord({ name: "asked.example", addresses: EIGHT }),
  "unkept.example": sealedRecord({ name: "unkept.example", addresses: EIGHT, ttlSeconds: 0 }),
  "askedfixed.example": sealedRecord({
    name: "askedfixed.example",
    addresses: EIGHT,
    flags: layout.RECORD_FLAG_FIXED_ORDER,
  }),
};

const MISSING: Readonly<Record<Target, string | undefined>> = {
  glibc: undefined,
  musl: muslMissing(),
  arm64: emulationMissing(),
};
const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;
let table: TableFile;
let beating: NodeJS.Timeout | undefined;

beforeAll(async () => {
  if (missing) return;
  box = await sandbox({ addresses: ["192.0.2.200/24"], resolvConf: "nameserver 192.0.2.200\n" });
  server = await scriptedServer(({ families, names: [name = ""] }, socket) =>
    socket.end(answerFrame(families, [RECORDS[name] ?? sealedRecord({ name, outcome: layout.OUTCOME_NO_NAME })])),
  );
  table = new TableFile(join(server.directory, "cache.table"), tableBytes(ENTRIES));
  beating = setInterval(() => table.beat(), 500);
});
afterAll(async () => {
  clearInterval(beating);
  table?.close();
  await server?.close();
  await box?.close();
});

for (const target of ["glibc", "musl", "arm64"] as const) {
  const without = missing ?? MISSING[target];
  describe.skipIf(without)(`the first address, ${target}${without ? ` (skipped: ${without})` : ""}`, () => {
    /** How often each of them came first. */
    async function counts(of: readonly string[], ...args: (string | number)[]): Promise<number[]> {
      const program = buildProgram("test/shim/starts.c", target);
      const command = target === "arm64" ? emulated(program, CLIENT_ARM64) : ["env", `LD_PRELOAD=${CLIENT}`, program];
      const { code, stdout, stderr } = await box.run([...command, ...args.map(String)], {
        env: { DNS_CACHE_DIR: server.directory },
      });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const firsts = stdout.trim().split("\n");
      expect(firsts.length).toBe(Number(args[2]));
      return of.map((address) => firsts.filter((first) => first === address).length);
    }

    /** Chance would pass these bounds once in more than a hundred million runs. */
    function expectChance(found: number[]): void {
      const total = found.reduce((sum, count) => sum + count, 0);
      const each = total / found.length;
      const deviation = Math.sqrt(each * (1 - 1 / found.length));
      for (const count of found) expect(Math.abs(count - each), String(found)).toBeLessThan(6 * deviation);
    }

    it("is another in each child of one that has looked up", async () => {
      const found = await counts(EIGHT, "children", "eight.example", 400, "other.example");
      expect(found.reduce((sum, count) => sum + count)).toBe(400);
      expectChance(found);
    });

    it.each(["other", "same"])("does not fall into step with two lookups in turn: the %s call", async (how) => {
      const found = await counts(TWO, how, "two.example", 1000);
      expect(found.reduce((sum, count) => sum + count)).toBe(1000);
      expectChance(found);
    });

    it("is any of those that the server keeps, over the socket too", async () => {
      expectChance(await counts(EIGHT, "same", "asked.example", 200));
    });

    it.each([
      ["that nobody keeps", "unkept.example"],
      ["of a name whose order is fixed", "askedfixed.example"],
      ["in the table, whose order is fixed", "fixed.example"],
    ])("is the server's first of an answer %s", async (_, name) => {
      expect(await counts(EIGHT, "same", name, 40)).toEqual([40, 0, 0, 0, 0, 0, 0, 0]);
      expect(await counts(EIGHT, "children", name, 40)).toEqual([40, 0, 0, 0, 0, 0, 0, 0]);
    });
  });
}
