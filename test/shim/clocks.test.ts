// client.so in processes whose clock fails, stands, or goes back by hours.
import { spawnSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { HEADER_BYTES } from "../../assembly/layout.ts";
import { buildClient, buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import {
  answersFrom,
  type Behaviour,
  type ScriptedServer,
  scriptedServer,
  staysSilent,
} from "../support/scriptedServer.ts";
import { pendingFrame } from "../support/serverFrames.ts";
import { TableFile, tableBytes } from "../support/tableFile.ts";
import { ANY_CLOCK } from "./flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const HOURS = 3 * 3_600_000;
const TABLE = "192.0.2.1";
const SERVER = "203.0.113.7";
const LIBC = "198.51.100.9";
const HOSTS = "10.11.12.13";
const LOOK = "look www.example";
const NAMES = ["www.example", "other.example", "single.one.example", "single.two.example"];
const zone = answersFrom(Object.fromEntries(NAMES.map((name) => [name, { a: [SERVER], aaaa: ["2001:db8::7"] }])));

const missing = sandboxMissing();
let anyClock: string;
let box: Sandbox;
let server: ScriptedServer;
let aside: string;
let table: TableFile | undefined;
let beating: NodeJS.Timeout | undefined;

beforeAll(async () => {
  if (missing) return;
  anyClock = buildClient("any-clock", ANY_CLOCK);
  box = await sandbox();
  const libcs = Object.fromEntries(NAMES.map((name) => [name, { A: [LIBC] }]));
  await box.startModule(`${root}/test/support/zoneUpstream.ts`, ["192.0.2.200", JSON.stringify(libcs)], {
    ready: /ready/,
  });
  server = await scriptedServer(zone);
  aside = mkdtempSync(join(tmpdir(), "namewell-clocks-"));
});
afterAll(async () => {
  await server?.close();
  await box?.close();
  if (aside) rmSync(aside, { recursive: true });
});
beforeEach(async () => {
  if (missing) return;
  await box.write("/etc/resolv.conf", "nameserver 192.0.2.200\n");
  await box.write("/etc/hosts", "127.0.0.1 localhost\n");
  server.behave(zone);
});
afterEach(() => {
  clearInterval(beating);
  table?.close();
  table = undefined;
  if (server) rmSync(join(server.directory, "cache.table"), { force: true });
});

/** A table with www.example, whose server was alive so long ago. */
function publish({ expiresInMs = 60_000, beatAgoMs = 0 } = {}): void {
  table = new TableFile(join(server.directory, "cache.table"), bytesOf(expiresInMs));
  beating = setInterval(() => table?.beat(beatAgoMs), 100);
  table.beat(beatAgoMs);
}
const bytesOf = (expiresInMs: number) => tableBytes([{ name: "www.example", addresses: [TABLE], expiresInMs }]);

function timeNamespaceMissing(): string | undefined {
  if (process.env.CI === "true") return undefined;
  const tried = spawnSync("unshare", ["--time", "--fork", "--monotonic", "-1", "true"], { encoding: "utf8" });
  return tried.status === 0 ? undefined : `no time namespaces here: ${(tried.error?.message ?? tried.stderr).trim()}`;
}

for (const libc of ["glibc", "musl"] as const) {
  /** What the steps print. */
  async function steps(lines: string[], client = anyClock): Promise<string[]> {
    const program = buildProgram("test/shim/clocks.c", libc, ["-rdynamic", "-ldl"]);
    const env = { LD_PRELOAD: client, DNS_CACHE_DIR: server.directory };
    const { code, stdout, stderr } = await box.run([program], { env, input: `${lines.join("\n")}\n` });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout.trimEnd().split("\n");
  }

  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`a clock of the process's own, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    it("is not the library's, which goes by libc's", async () => {
      publish();
      for (const clock of ["fails", "coarse-fails", "stand", `shift ${HOURS}`, `shift -${HOURS}`])
        expect(await steps([clock, LOOK, LOOK], CLIENT), clock).toEqual([TABLE, TABLE]);
    });

    it("may have no coarse clock, or none at all where the kernel has one", async () => {
      publish();
      for (const clock of ["coarse-fails", "fails"])
        expect(await steps([clock, LOOK, "works", LOOK, clock, LOOK]), clock).toEqual([TABLE, TABLE, TABLE]);
    });

    it("may be none at all: then nothing is given out that has an end", async () => {
      const failing = ["kernel-fails", "fails", LOOK, "families www.example", LOOK];
      expect(await steps([...failing, "works", LOOK])).toEqual([LIBC, "v4", LIBC, SERVER]);
      expect(await steps([LOOK, ...failing, "works", LOOK])).toEqual([SERVER, LIBC, "v4", LIBC, SERVER]);
      publish();
      expect(await steps([LOOK, ...failing, "works", LOOK])).toEqual([TABLE, LIBC, "v4", LIBC, TABLE]);
    });

    it("may jump ahead: then nothing is given out past its end", async () => {
      publish();
      server.behave(staysSilent);
      expect(await steps([LOOK, `shift ${HOURS}`, LOOK])).toEqual([TABLE, LIBC]);
    });

    describe("may go back by hours: then", () => {
      const back = (before: string[], after: string[]) => steps([`shift ${HOURS}`, ...before, "shift 0", ...after]);

      it("another /etc/hosts is seen", async () => {
        const change = `run echo "${HOSTS} www.example" >> /etc/hosts`;
        expect(await back([LOOK, change], [LOOK])).toEqual([SERVER, HOSTS]);
      });

      it("another /etc/resolv.conf is seen", async () => {
        const lines = (domain: string) => ["nameserver 192.0.2.200", `search ${domain}.example`, "options ndots:2", ""];
        const search = (domain: string) => `run printf "${lines(domain).join("\\n")}" > /etc/resolv.conf`;
        const before = server.questions.length;
        server.behave(answersFrom({ "a.box.one.example": { a: [SERVER] }, "a.box.two.example": { a: [SERVER] } }));
        await back([search("one"), "look a.box", search("two")], ["look a.box"]);
        const names = server.questions.slice(before).map((question) => question.names[0]);
        expect(names).toEqual(["a.box.one.example", "a.box.two.example"]);
      });

      it("a new table is seen", async () => {
        publish();
        const [path, later] = [server.directory, aside].map((directory) => join(directory, "cache.table"));
        renameSync(path as string, later as string);
        expect(await back([LOOK, `run cp ${later} ${path}`], [LOOK])).toEqual([SERVER, TABLE]);
      });

      it.runIf(libc === "glibc")("a new address of the machine is seen", async () => {
        const families = "families www.example";
        const address = (action: string) => `ip address ${action} 2001:db8::55/128 dev lo`;
        const seen = await back([families, `run ${address("add")} nodad`], [families]);
        await box.run(address("del").split(" "));
        expect(seen).toEqual(["v4", "v4v6"]);
      });

      it("a server that hung is asked again", async () => {
        let questions = 0;
        server.behave((question, socket) => {
          if (++questions > 1) zone(question, socket);
        });
        expect(await back([LOOK, LOOK], [LOOK])).toEqual([LIBC, LIBC, SERVER]);
      });

      it("the server hears of hits again", async () => {
        publish({ expiresInMs: 2 * HOURS });
        server.told.length = 0;
        expect(await back([LOOK], [LOOK])).toEqual([TABLE, TABLE]);
        await vi.waitFor(() => expect(server.told.map(({ kind }) => kind)).toEqual(["hits"]), 10_000);
      });

      it("nobody waits for hours who was waiting", async () => {
        server.behave(staysSilent);
        expect(await steps([`shift ${HOURS}`, "shift-in 300 0", LOOK])).toEqual([LIBC]);
      });
    });

    describe("may stand: then", () => {
      it("a flood of promises ends", async () => {
        const promises = Buffer.concat(Array(5000).fill(pendingFrame(0xffffffff)));
        const floods: Behaviour = (_, socket) => {
          const more = () => socket.writable && socket.write(promises, more);
          more();
        };
        server.behave(floods);
        expect(await steps(["stand", LOOK])).toEqual([LIBC]);
      });

      it("a wait ends in a storm of signals", async () => {
        server.behave(staysSilent);
        expect(await steps(["stand", "storm", LOOK])).toEqual([LIBC]);
      });
    });
  });

  const noNamespace = without ?? timeNamespaceMissing();
  describe.skipIf(noNamespace)(
    `a child in a time namespace, ${libc}${noNamespace ? ` (skipped: ${noNamespace})` : ""}`,
    () => {
      it("sees another /etc/hosts", async () => {
        const change = `run echo "${HOSTS} www.example" >> /etc/hosts`;
        expect(await steps([LOOK, "namespace -30000", change, LOOK], CLIENT)).toEqual([SERVER, HOSTS]);
      });

      it("is given nothing past its end of a table whose server is gone", async () => {
        publish({ beatAgoMs: 60_000 });
        const ended = join(aside, "ended");
        writeFileSync(ended, bytesOf(-5000).subarray(HEADER_BYTES));
        const table = join(server.directory, "cache.table");
        const overwrite = `run dd if=${ended} of=${table} bs=${HEADER_BYTES} seek=1 conv=notrunc status=none`;
        expect(await steps([LOOK, overwrite, "namespace -30000", LOOK], CLIENT)).toEqual([TABLE, SERVER]);
      });
    },
  );
}
