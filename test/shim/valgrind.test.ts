// shim/valgrind.supp, for people who look for races in their own programs.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram, CLIENT, toolMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { TableFile, tableBytes } from "../support/tableFile.ts";

const SUPPRESSIONS = fileURLToPath(new URL("../../shim/valgrind.supp", import.meta.url));
const NAME = "www.example";

const missing = sandboxMissing() ?? toolMissing("valgrind", "valgrind libc6-dbg");
let box: Sandbox;
let server: ScriptedServer;
let table: TableFile;
let beating: NodeJS.Timeout | undefined;

beforeAll(async () => {
  if (missing) return;
  box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
  server = await scriptedServer(answersFrom({ [NAME]: { a: ["203.0.113.7"] } }));
  const entry = { name: NAME, addresses: ["192.0.2.1", "192.0.2.2"], expiresInMs: 3_600_000, refreshInMs: 3_000_000 };
  table = new TableFile(join(server.directory, "cache.table"), tableBytes([entry]));
  beating = setInterval(() => table.beat(), 500);
});
afterAll(async () => {
  clearInterval(beating);
  table?.close();
  await server?.close();
  await box?.close();
});

describe.skipIf(missing)(`threads that look up${missing ? ` (skipped: ${missing})` : ""}`, () => {
  it.each(["helgrind", "drd"])("are no races to %s with the suppressions, and some without", async (tool) => {
    const program = buildProgram("test/shim/crowd.c", "glibc");
    const env = { DNS_CACHE_DIR: server.directory, LD_PRELOAD: CLIENT };
    const run = (...flags: string[]) => box.run(["valgrind", "-q", `--tool=${tool}`, ...flags, program, NAME], { env });
    expect(await run(`--suppressions=${SUPPRESSIONS}`)).toMatchObject({ code: 0, stdout: "4 done\n", stderr: "" });
    expect((await run()).stderr).toMatch(/(Possible data race|Conflicting (load|store))/);
  });
});
