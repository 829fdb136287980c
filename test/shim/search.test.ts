// The search list in client.so: what it makes of candidates that the table holds is what the server makes of them, and
// that is libc's rule (test/differential), but for a candidate that failed for a moment.
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { type Found, search } from "../../src/search.ts";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { answerFrame, type RecordOptions, sealedRecord } from "../support/serverFrames.ts";
import { TableFile, tableBytes } from "../support/tableFile.ts";

const DOMAINS = ["one.example", "Two.example"];
const NAMESERVER = "nameserver 192.0.2.200\n"; // nobody is there: an answer of libc's would be a temporary failure

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

const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;
let table: TableFile | undefined;
let broken = "";

/** What a candidate comes to, by the place it has in the search for its name. */
function recordOf(candidate: string, type: "A" | "AAAA", asIsFirst: boolean): Buffer {
  const [name = "", domain] = candidate.split(/\.(.*)/);
  const places = [...DOMAINS.map((text) => text.toLowerCase()), undefined];
  const at = asIsFirst ? [undefined, ...places.slice(0, -1)].indexOf(domain) : places.indexOf(domain);
  const kind = name.split("-")[at] as string;
  if (candidate === broken) return sealedRecord({ name: candidate, type, outcome: layout.OUTCOME_TEMPORARY });
  return sealedRecord({ name: candidate, type, ...OUTCOMES[kind]?.(type) });
}

beforeAll(async () => {
  if (missing) return;
  box = await sandbox({ addresses: ["192.0.2.200/32", "2001:db8::200/64"] });
  server = await scriptedServer(({ families, search: bits, names }, socket) => {
    const rule = {
      asIsFirst: (bits & layout.SEARCH_AS_IS_FIRST) !== 0,
      endsAtNoData: (bits & layout.SEARCH_ENDS_AT_NO_DATA) !== 0,
    };
    const types = [layout.TYPE_A, layout.TYPE_AAAA].filter((_, i) => families & (1 << i));
    const resolve = ({ name, type }: { name: string; type: number }) =>
      recordOf(name, type === layout.TYPE_A ? "A" : "AAAA", rule.asIsFirst);
    const { candidate, records } = search(resolve, names, types, rule) as Found;
    socket.end(answerFrame(families, records.map(Buffer.from), candidate));
  });
});
beforeEach(() => {
  broken = "";
});
afterEach(() => {
  table?.close();
  table = undefined;
});
afterAll(async () => {
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
      const directory = table === "table" ? server.directory : `${server.directory}/elsewhere`;
      const setup = `mkdir -p $1/elsewhere && ln -sf $1/dns.sock $1/elsewhere/dns.sock && exec env LD_PRELOAD=${CLIENT} DNS_CACHE_DIR=$2 "$0"`;
      const { stdout } = await box.run(
        ["sh", "-c", setup, buildProgram("test/shim/lookup.c", libc), server.directory, directory],
        { input: `${lines.join("\n")}\n` },
      );
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

    it("never passes over a candidate that failed for a moment", async () => {
      await box.write("/etc/resolv.conf", `${NAMESERVER}search ${DOMAINS.join(" ")}\noptions ndots:5\n`);
      const name = "missing-data-data";
      broken = `${name}.one.example`;
      const { text, questions } = await calls(
        [`getaddrinfo ${name} 80 0 1 0 0`, `gethostbyname_r ${name} 1024 0`],
        "no table",
      );
      expect(questions).toHaveLength(2);
      expect(text[0]).toContain("returns -3 ");
      expect(text[1]).toMatch(/returns 11 result NULL h_errno 2/);
    });

    it("follows a change of resolv.conf within about a second", async () => {
      await box.write("/etc/resolv.conf", `${NAMESERVER}search one.example\n`);
      const program = buildProgram("test/shim/lookup.c", libc);
      const script = `echo getaddrinfo data-data-data 80 2 1 0 2; sleep 0.1; printf '${NAMESERVER}search two.example\n' > /etc/resolv.conf; sleep 1.1; echo getaddrinfo data-data-data 80 2 1 0 2`;
      const { stdout } = await box.run(
        [
          "sh",
          "-c",
          `(${script}) | env LD_PRELOAD=${CLIENT} DNS_CACHE_DIR=${server.directory}/elsewhere "$0"`,
          program,
        ],
        {},
      );
      expect([...stdout.matchAll(/canonical (\S+)/g)].map(([, name]) => name)).toEqual([
        "data-data-data.one.example",
        "data-data-data.two.example",
      ]);
    });
  });
}
