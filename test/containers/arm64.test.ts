// client.so for arm64 on musl, beside this machine's musl of the same version. Here and not with the other tests of arm64,
// since both come out of Debian's archive: no package of this machine's architecture has musl for another.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { callsOf, emulated, emulationMissing } from "../support/emulated.ts";
import { buildProgram, CLIENT, CLIENT_ARM64, muslMissing } from "../support/programs.ts";
import { type Result, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { type TableEntry, TableFile, tableBytes } from "../support/tableFile.ts";
import { command } from "./command.ts";
import { debianRefusal, openArchive } from "./debian.ts";

const CHAIN = ["web.example", "a.rather.long.name.for.a.host.example"];
const SOURCE = "test/shim/lookup.c";
const missing = emulationMissing() ?? muslMissing() ?? sandboxMissing() ?? (await debianRefusal());

/** Compiles a program with the headers and the start of a musl that is unpacked somewhere. */
async function buildForMusl(musl: string, target: string): Promise<void> {
  const compiler = "aarch64-linux-gnu-gcc";
  const [own, libgcc] = ["include", "libgcc.a"].map((name) =>
    spawnSync(compiler, [`-print-file-name=${name}`], { encoding: "utf8" }).stdout.trim(),
  );
  const part = (name: string) => join(musl, "usr/lib/aarch64-linux-musl", name);
  const headers = ["-nostdinc", "-isystem", join(musl, "usr/include/aarch64-linux-musl"), "-isystem", `${own}`];
  const plain = ["-std=gnu11", "-O1", "-fno-stack-protector", "-no-pie", "-nostdlib"];
  const loader = "-Wl,-dynamic-linker,/lib/ld-musl-aarch64.so.1";
  const parts = [part("crt1.o"), part("crti.o"), SOURCE, `-L${part("")}`, "-lc", `${libgcc}`, part("crtn.o")];
  await command([compiler, ...plain, ...headers, loader, "-o", target, ...parts]);
}

describe.skipIf(missing)(`client.so for arm64 on musl${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let directory: string;
  let box: Sandbox;
  let server: ScriptedServer;
  let here: string[];
  let there: string[];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "namewell-musl-"));
    const [own, other, root] = ["own", "arm64", "root"].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    await (await openArchive(join(directory, "own-archive"))).unpack("musl", own);
    const archive = await openArchive(join(directory, "arm64-archive"), "arm64");
    for (const name of ["musl", "musl-dev"]) await archive.unpack(name, other);
    mkdirSync(join(root, "lib"), { recursive: true });
    cpSync(join(other, "usr/lib/aarch64-linux-musl/libc.so"), join(root, "lib/ld-musl-aarch64.so.1"));
    const program = join(directory, "lookup");
    await buildForMusl(other, program);
    there = emulated(program, CLIENT_ARM64, root);
    const loader = join(own, "usr/lib/x86_64-linux-musl/libc.so");
    here = [loader, "--preload", CLIENT, buildProgram(SOURCE, "musl")];

    box = await sandbox({ addresses: ["192.0.2.200/24", "2001:db8::200/64"], resolvConf: "nameserver 192.0.2.200\n" });
    await box.startModule(join(import.meta.dirname, "../support/zoneUpstream.ts"), ["192.0.2.200"], { ready: /ready/ });
    const asked = { chain: CHAIN, a: ["192.0.2.7"], aaaa: ["2001:db8::7"] };
    server = await scriptedServer(answersFrom({ "asked.example": asked }));
  });
  afterAll(async () => {
    await server?.close();
    await box?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** musl's is what its last system call came to, which differs from run to run. */
  const withoutErrno = ({ stdout, ...result }: Result) => ({
    ...result,
    stdout: stdout.replace(/leaves errno \d+/g, "leaves some errno"),
  });

  async function compare(names: string[]) {
    const options = { env: { DNS_CACHE_DIR: server.directory }, input: callsOf(names) };
    const expected = withoutErrno(await box.run(here, options));
    expect(expected).toMatchObject({ code: 0, stderr: "" });
    const before = server.connections();
    expect(withoutErrno(await box.run(there, options))).toEqual(expected);
    return { stdout: expected.stdout, asked: server.connections() - before };
  }

  it("gives the same from the table, without a question", async () => {
    const entries: TableEntry[] = [
      { name: "both.example", chain: CHAIN, addresses: ["192.0.2.1"] },
      { name: "both.example", chain: CHAIN, type: "AAAA", addresses: ["2001:db8::1"] },
      { name: "gone.example", outcome: layout.OUTCOME_NO_NAME },
      { name: "gone.example", type: "AAAA", outcome: layout.OUTCOME_NO_NAME },
    ];
    const path = join(server.directory, "cache.table");
    const table = new TableFile(path, tableBytes(entries));
    const beating = setInterval(() => table.beat(), 100);
    const { stdout, asked } = await compare(["both.example", "BOTH.Example.", "gone.example"]);
    expect(stdout).toContain("address 192.0.2.1");
    expect(asked).toBe(0);
    clearInterval(beating);
    table.close();
    rmSync(path);
  });

  it("gives the same from the server, and leaves the same to libc", async () => {
    const { stdout, asked } = await compare(["asked.example", "none.example"]);
    expect(stdout).toContain("entry 2001:db8::7");
    expect(asked).toBeGreaterThanOrEqual(2);
    expect((await compare(["127.1", "::1", "localhost", "a..b", "printer.local"])).asked).toBe(0);
  });
});
