// The search list in client.so: what it makes of candidates that the table holds is what the server makes of them, and
// that is libc's rule (test/differential), but for a candidate that failed for a moment.
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { type Found, search } from "../../src/door/search.ts";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { answerFrame, type RecordOptions, sealedRecord } from "../support/serverFrames.ts";
import { beatingHeader, TableFile, tableBytes } from "../support/tableFile.ts";

const DOMAINS = ["one.example", "Two.example"];
const NAMESERVER = "nameserver 192.0.2.200\n"; // nobody is there: an answer of libc's would be a temporary failure
const OWN_NAMESERVER = "192.0.2.201";

const OUTCOMES: Record<string, (type: "A" | "AAAA") => Partial<RecordOptions>> = {
  data: (type) => ({ addresses: [type === "A" ? "192.0.2.1" : "2001:db8::1"] }),
  v4: (type) => (type === "A" ? { addresses: ["192.0.2.4"] } : { outcome: layout.OUTCOME_NO_DATA }),
  v6: (type) => (type === "AAAA" ? { addresses: ["2001:db8::6"] } : { outcome: layout.OUTCOME_NO_DATA }),
  empty: () => ({ outcome: layout.OUTCOME_NO_DATA }),
  alias: () => ({ outcome: layout.OUTCOME_NO_DATA, chain: ["target.example"] }),
  missing: () => ({ outcome: layout.OUTCOME_NO_NAME }),
};
const KINDS = Object.keys(OUTCOMES);
/** Three candidates each: `a-b-c` stands for what they come to in the order of the search. */
const NAMES = KINDS.flatMap((a) => KINDS.flatMap((b) => KINDS.map((c) => `${a}-${b}-${c}`)));

const root = fileURLToPath(new URL("../..", import.meta.url));
const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;
let table: TableFile | undefined;
let elsewhere: string; // a directory of the same server without a table
let header: ReturnType<typeof beatingHeader>;
let beating: NodeJS.Timeout;
let broken: { candidate: string; flags: number } | undefined;

/** What a candidate comes to, by the place it has in the search for its name. */
function recordOf(candidate: string, type: "A" | "AAAA", asIsFirst: boolean): Buffer {
  const [name = "", domain] = candidate.split(/\.(.*)/);
  const places = [...DOMAINS.map((text) => text.toLowerCase()), undefined];
  const at = asIsFirst ? [undefined, ...places.slice(0, -1)].indexOf(domain) : places.indexOf(domain);
  const kind = name.split("-")[at] as string;
  if (candidate === broken?.candidate)
    return sealedRecord({ name: candidate, type, outcome: layout.OUTCOME_TEMPORARY, flags: broken.flags });
  return sealedRecord({ name: candidate, type, ...OUTCOMES[kind]?.(type) });
}

beforeAll(async () => {
  if (missing) return;
  box = await sandbox({ addresses: ["192.0.2.200/32", `${OWN_NAMESERVER}/32`, "2001:db8::200/64"] });
  server = await scriptedServer(({ families, search: bits, names }, socket) => {
    const rule = {
      asIsFirst: (bits & layout.SEARCH_AS_IS_FIRST) !== 0,
      endsAtNoData: (bits & layout.SEARCH_ENDS_AT_NO_DATA) !== 0,
    };
    const types = [layout.TYPE_A, layout.TYPE_AAAA].filter((_, i) => families & (1 << i));
    const resolve = ({ name, type }: { name: string; type: number }) =>
      recordOf(name, type === layout.TYPE_A ? "A" : "AAAA", rule.asIsFirst);
    const { candidate, records } = search(
      { resolve, together: (_name, _types, all) => all },
      names,
      types,
      rule,
    ) as Found;
    socket.end(answerFrame(families, records.map(Buffer.from), candidate));
  });
  elsewhere = join(server.directory, "elsewhere");
  mkdirSync(elsewhere);
  symlinkSync(server.socketPath, join(elsewhere, "dns.sock"));
  header = beatingHeader(elsewhere);
  beating = setInterval(() => table?.beat(), layout.HEARTBEAT_EVERY_MS);
});
beforeEach(() => {
  broken = undefined;
});
afterEach(() => {
  table?.close();
  table = undefined;
});
afterAll(async () => {
  clearInterval(beating);
  header?.close();
  await server?.close();
  await box?.close();
});

/** All candidates of these names in the table, but for those left out. */
function publish(names: string[], asIsFirst: boolean, isLeftOut = (_candidate: string) => false): void {
  const entries = names.flatMap((name) =>
    ["", ...DOMAINS.map((domain) => `.${domain.toLowerCase()}`)]
      .map((end) => `${name}${end}`)
      .filter((candidate) => !isLeftOut(candidate))
      .flatMap((candidate) =>
        (["A", "AAAA"] as const).map((type) => {
          const place = ["", ...DOMAINS].length;
          const kinds = name.split("-");
          const domain = DOMAINS.findIndex((text) => candidate.endsWith(`.${text.toLowerCase()}`));
          const at = asIsFirst ? domain + 1 : domain < 0 ? place - 1 : domain;
          return { name: candidate, type, ...OUTCOMES[kinds[at] as string]?.(type) };
        }),
      ),
  );
  table?.close();
  table = new TableFile(join(server.directory, "cache.table"), tableBytes(entries, { setCount: 1024 }));
}

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`the search list, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    /** What the calls print, and how many questions the server got. */
    async function calls(lines: string[], table: "table" | "no table") {
      const before = server.questions.length;
      const directory = table === "table" ? server.directory : elsewhere;
      const { stdout } = await box.run([buildProgram("test/shim/lookup.c", libc)], {
        input: `${lines.join("\n")}\n`,
        env: { LD_PRELOAD: CLIENT, DNS_CACHE_DIR: directory },
      });
      return { text: stdout.split(/^(?=get)/m), questions: server.questions.slice(before) };
    }

    for (const asIsFirst of libc === "glibc" ? [false, true] : [false]) {
      it(`ends in the table as at the server${asIsFirst ? ", the name as it is first" : ""}`, async () => {
        await box.write(
          "/etc/resolv.conf",
          `${NAMESERVER}search ${DOMAINS.join(" ")}\noptions ndots:${asIsFirst ? 0 : 5} timeout:1 attempts:1\n`,
        );
        publish(NAMES, asIsFirst);
        const lines = NAMES.flatMap((name) => [
          `getaddrinfo ${name} 80 0 1 0 2`,
          `gethostbyname_r ${name} 1024 0`,
          `gethostbyname2_r ${name} 10 1024 0`,
        ]);
        const fromServer = await calls(lines, "no table");
        expect(fromServer.questions).toHaveLength(lines.length);
        expect(new Set(fromServer.questions.map(({ names }) => names.length))).toEqual(new Set([3]));
        const fromTable = await calls(lines, "table");
        expect(fromTable.questions).toEqual([]);
        expect(fromTable.text).toEqual(fromServer.text);
        expect(fromTable.text.join("")).toMatch(/canonical (data-\w+-\w+|v4-\w+-\w+)\b/);
      });
    }

    it("asks for all candidates at once when the table lacks one that matters, and for none when it does not", async () => {
      await box.write("/etc/resolv.conf", `${NAMESERVER}search ${DOMAINS.join(" ")}\noptions ndots:5\n`);
      const name = "missing-data-data";
      publish([name], false, (candidate) => candidate === name);
      expect(await calls([`getaddrinfo ${name} 80 0 1 0 0`], "table")).toMatchObject({ questions: [] });
      publish([name], false, (candidate) => candidate === `${name}.one.example`);
      const { questions, text } = await calls([`getaddrinfo ${name} 80 0 1 0 2`], "table");
      expect(questions.map(({ names }) => names)).toEqual([[`${name}.one.example`, `${name}.two.example`, name]]);
      expect(text.join("")).toContain(libc === "glibc" ? `${name}.Two.example` : `${name}.Two.example (the first's)`);
    });

    it("leaves to glibc what it would search for twice: IPv6 addresses, or else mapped ones", async () => {
      await box.write(
        "/etc/resolv.conf",
        `${NAMESERVER}search ${DOMAINS.join(" ")}\noptions ndots:5 attempts:1 timeout:1\n`,
      );
      const names = ["v6-v4-missing", "v4-v6-missing", "missing-data-v4"];
      publish(names, false);
      const [mapped, all] = [8, 8 | 16];
      const lines = [mapped, all].flatMap((flags) => names.map((name) => `getaddrinfo ${name} 80 10 1 0 ${flags}`));
      const { text } = await calls(lines, "table");
      const found = text.map((result) => /entry (\S+)/.exec(result)?.[1] ?? "libc");
      const ofGlibc = ["2001:db8::6", "libc", "2001:db8::1", "libc", "libc", "2001:db8::1"];
      const ofMusl = [
        "2001:db8::6",
        "::ffff:192.0.2.4",
        "2001:db8::1",
        "2001:db8::6",
        "::ffff:192.0.2.4",
        "2001:db8::1",
      ];
      expect(found).toEqual(libc === "glibc" ? ofGlibc : ofMusl);
    });

    describe("where a candidate failed for a moment", () => {
      const name = "missing-data-data";
      const lines = [
        ...[0, 2, 10].map((family) => `getaddrinfo ${name} 80 ${family} 1 0 0`),
        ...[`gethostbyname ${name}`, `gethostbyname2 ${name} 10`],
        ...[`gethostbyname_r ${name} 1024 0`, `gethostbyname2_r ${name} 10 1024 0`],
      ];
      const zone = JSON.stringify({ [name]: { A: ["198.51.100.9"], AAAA: ["2001:db8::9"] } });

      /** What is printed, and whether libc's own nameserver was asked, which knows the name as it is. */
      async function fails(flags: number) {
        broken = { candidate: `${name}.one.example`, flags };
        const own = `nameserver ${OWN_NAMESERVER}\nsearch ${DOMAINS.join(" ")}\noptions ndots:5\n`;
        await box.write("/etc/resolv.conf", own);
        const args = [OWN_NAMESERVER, zone];
        const nameserver = await box.startModule(`${root}/test/support/zoneUpstream.ts`, args, { ready: /ready/ });
        const { text, questions } = await calls(lines, "no table");
        expect(questions).toHaveLength(lines.length);
        return { text, isLibcAsked: (await nameserver.stop()).stdout.includes("asked for") };
      }

      it("never passes over it by itself: glibc is asked, whose search goes on, and musl's ends", async () => {
        const { text, isLibcAsked } = await fails(0);
        expect(isLibcAsked).toBe(libc === "glibc");
        for (const result of text) {
          if (libc === "glibc") expect(result).toMatch(/(entry|address) (198\.51\.100\.9|2001:db8::9)/);
          else expect(result).toMatch(/returns -3 |h_errno 2/);
        }
      });

      it("ends there on both libcs if it was by silence", async () => {
        const { text, isLibcAsked } = await fails(layout.RECORD_FLAG_SILENT);
        expect(isLibcAsked).toBe(false);
        for (const result of text) expect(result).toMatch(/returns -3 |h_errno 2/);
      });
    });

    it("follows a change of resolv.conf within about a second", async () => {
      await box.write("/etc/resolv.conf", `${NAMESERVER}search one.example\n`);
      const program = buildProgram("test/shim/lookup.c", libc);
      const script = `echo getaddrinfo data-data-data 80 2 1 0 2; sleep 0.1; printf '${NAMESERVER}search two.example\n' > /etc/resolv.conf; sleep 1.1; echo getaddrinfo data-data-data 80 2 1 0 2`;
      const { stdout } = await box.run(
        ["sh", "-c", `(${script}) | env LD_PRELOAD=${CLIENT} DNS_CACHE_DIR=${elsewhere} "$0"`, program],
        {},
      );
      expect([...stdout.matchAll(/canonical (\S+)/g)].map(([, name]) => name)).toEqual([
        "data-data-data.one.example",
        "data-data-data.two.example",
      ]);
    });
  });
}
