// DNS_CACHE_EXPLAIN=1: the reasons that need a table, a server that fails or a process of some kind.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { buildProgram, CLIENT, libraryMissing, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import {
  answersFrom,
  damages,
  hangsUpAfter,
  type ScriptedServer,
  scriptedServer,
  staysSilent,
  type Zone,
} from "../support/scriptedServer.ts";
import { type TableEntry, TableFile, type TableOptions, tableBytes } from "../support/tableFile.ts";

const LOOK = "getaddrinfo www.example 80 2 1 0 0";
const ZONE: Zone = { "www.example": { a: ["192.0.2.2"] }, single: { a: ["192.0.2.2"] } };
const ENTRIES: TableEntry[] = [
  { name: "www.example", addresses: ["192.0.2.1"] },
  { name: "none.example", outcome: layout.OUTCOME_NO_NAME },
  { name: "1.2.0.192.in-addr.arpa", type: "PTR", addresses: ["www.example"] },
  { name: "2.2.0.192.in-addr.arpa", type: "PTR", addresses: ["-option.example"] },
];
const STALE_MS = 60_000;
const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;
let table: TableFile | undefined;

beforeAll(async () => {
  if (missing) return;
  box = await sandbox();
  server = await scriptedServer(answersFrom(ZONE));
});
beforeEach(async () => {
  if (missing) return;
  await box.write("/etc/resolv.conf", "nameserver 192.0.2.200\noptions timeout:1 attempts:1\n");
  server.behave(answersFrom(ZONE));
});
afterEach(() => {
  table?.close();
  table = undefined;
  if (server) rmSync(join(server.directory, "cache.table"), { force: true });
});
afterAll(async () => {
  await server?.close();
  await box?.close();
});

function publish(options?: TableOptions): TableFile {
  table = new TableFile(join(server.directory, "cache.table"), tableBytes(ENTRIES, options));
  return table;
}

describe.each(["glibc", "musl"] as const)("on %s", (libc) => {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  const onGlibc = without ?? (libc === "musl" ? "glibc alone" : undefined);

  /** What is said of each call, without the times. */
  async function said(calls: string, env: Record<string, string> = {}, preloads = CLIENT): Promise<string[]> {
    const program = buildProgram("test/shim/lookup.c", libc);
    const { code, signal, stderr } = await box.run(["env", `LD_PRELOAD=${preloads}`, program], {
      input: `${calls}\n`,
      env: { DNS_CACHE_DIR: server.directory, DNS_CACHE_EXPLAIN: "1", ...env },
    });
    expect([code, signal]).toEqual([0, null]);
    expect(stderr).toMatch(/^(namewell: .*, \d+\.\d us\n)*$/);
    const lines = stderr.split("\n").slice(0, -1);
    return lines.map((line) => line.replace(/^namewell: (.*), \d+\.\d us$/, "$1"));
  }
  const www = (what: string) => [`getaddrinfo "www.example": ${what}`];

  it.skipIf(without)("tells what the table knows", async () => {
    publish();
    const calls = [LOOK, LOOK.replace("www", "none"), "gethostbyname www.example", "gethostbyaddr 192.0.2.1 4 2"];
    expect(await said(calls.join("\n"))).toEqual([
      ...www("table, found"),
      'getaddrinfo "none.example": table, no such name',
      'gethostbyname "www.example": table, found',
      'name of "1.2.0.192.in-addr.arpa": table, found',
    ]);
  });

  it.skipIf(without)("tells the socket where the table is of another layout", async () => {
    publish({ header: (bytes) => bytes.writeUInt32LE(layout.LAYOUT_VERSION + 1, layout.HEADER_LAYOUT_VERSION) });
    expect(await said(LOOK)).toEqual(www("socket, found"));
  });

  it.skipIf(without)("tells a server whose heart has stopped", async () => {
    publish().beat(STALE_MS);
    expect(await said(`${LOOK}\n${LOOK.replace("www", "other")}`)).toEqual([
      ...www("table, found"),
      'getaddrinfo "other.example": libc, since the server is gone',
    ]);
  });

  it.skipIf(without)("tells an answer that is none, whatever is wrong with it", async () => {
    const noAnswer = www("libc, since the server gave no answer in time, or one that cannot be read");
    const change = (at: number) => (answer: Buffer) => {
      answer[at] = 0xff;
      return answer;
    };
    for (const behaviour of [
      hangsUpAfter(ZONE, 4),
      damages(ZONE, change(layout.FRAME_VERSION_AT)),
      damages(ZONE, change(layout.ANSWER_FAMILIES)),
      damages(ZONE, change(layout.ANSWER_CANDIDATE)),
      damages(ZONE, change(layout.ANSWER_RECORDS)),
    ]) {
      server.behave(behaviour);
      expect(await said(LOOK)).toEqual(noAnswer);
    }
  });

  it.skipIf(without)("tells a server that stays silent, and that it is left alone for a while then", async () => {
    server.behave(staysSilent);
    expect(await said(`${LOOK}\n${LOOK}`)).toEqual([
      ...www("libc, since the server gave no answer in time, or one that cannot be read"),
      ...www("libc, since the server did not answer lately"),
    ]);
  });

  it.skipIf(without)("tells an option of resolv.conf", async () => {
    await box.write("/etc/resolv.conf", "nameserver 192.0.2.200\noptions timeout:1 attempts:1 inet6\n");
    expect(await said(LOOK)).toEqual(www("libc, since resolv.conf has an option or a search list that only it obeys"));
  });

  it.skipIf(without)("tells settings that do not fit", async () => {
    const tooLong = "libc, since DNS_CACHE_BYPASS or the directory's path is too long, or libc is not known";
    expect(await said(LOOK, { DNS_CACHE_BYPASS: "a".repeat(4096) })).toEqual(www(tooLong));
    expect(await said(LOOK, { DNS_CACHE_DIR: `/${"a".repeat(200)}` })).toEqual(www(tooLong));
  });

  it.skipIf(onGlibc)("tells what the process has changed, and what glibc alone does", async () => {
    publish();
    const [line] = await said(LOOK.replace("www.example", "single"), { HOSTALIASES: "/dev/null" });
    expect(line).toBe('getaddrinfo "single": libc, since HOSTALIASES is set');
    expect(await said(`resolver 192.0.2.99\n${LOOK}`)).toEqual(
      www("libc, since the program has changed its resolver's settings"),
    );
    expect(await said("gethostbyaddr 192.0.2.2 4 2")).toEqual([
      'name of "2.2.0.192.in-addr.arpa": libc, since only it gives such a result its form',
    ]);
  });

  it.skipIf(onGlibc ?? libraryMissing("libnss_wrapper.so", "libnss-wrapper"))("tells another preload", async () => {
    expect(await said(LOOK, {}, `${CLIENT}:libnss_wrapper.so`)).toEqual(
      www("libc, since another preloaded library has lookups of its own"),
    );
  });

  it.skipIf(without).each([
    ["getaddrinfo", 'getaddrinfo "www.example": table, found'],
    ["gethostbyname", 'gethostbyname "www.example": table, found'],
    ["gethostbyaddr", 'name of "1.2.0.192.in-addr.arpa": table, found'],
  ])("tells a lookup from before its own constructor as any other: %s", async (EARLY_CALL, line) => {
    publish();
    const early = buildProgram("test/shim/early.c", libc, ["-shared", "-fPIC"]);
    expect(await said("", { EARLY_CALL }, `${CLIENT}:${early}`)).toEqual([line]);
  });
});
