// What a denial of the cache's is worth. It is final where the container's nameservers are among those that the server asks,
// as the table's header names them, or where the header says that it is; else libc is asked as well, for the container's
// nameserver may know its neighbours. A failure, a single label and a private address go the same way.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { addressBytes } from "../../src/upstream/address.ts";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { TableFile, tableBytes } from "../support/tableFile.ts";

const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const [ONE, TWO, SIX, OTHER_SIX] = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"];
const SIBLING = { A: ["10.89.0.5"], AAAA: ["fd00::5"] };
// What only the container's nameservers know.
const SIBLINGS = {
  db: SIBLING,
  "db.app.example": SIBLING,
  "fails.example": SIBLING,
  "5.0.89.10.in-addr.arpa": { PTR: ["db.app.example"] },
  "5.113.0.203.in-addr.arpa": { PTR: ["db.app.example"] },
};
const CALLS: Record<string, string> = {
  "a single label": "getaddrinfo db 80 0 1 0 0",
  "a name": "gethostbyname_r db.app.example 1024 0",
  "a name's IPv6 address": "getaddrinfo db.app.example 80 10 1 0 0",
  "a private address": "gethostbyaddr 10.89.0.5 4 2",
  "another address": "getnameinfo 2 203.0.113.5 0 80 16 256 - 8",
  "a name that fails": "getaddrinfo fails.example 80 2 1 0 0",
};
const CALL = CALLS["a name"] as string;

interface Header {
  readonly servers?: readonly string[];
  readonly isFinal?: boolean;
  readonly epoch?: bigint;
  readonly setCount?: number;
  readonly damage?: (header: Buffer) => void;
}

const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;
let table: TableFile | undefined;
let beating: NodeJS.Timeout;

/** A header that beats; the last one is retired. */
function publish({ servers = [], isFinal = false, epoch = 1n, setCount = 0, damage = () => {} }: Header): TableFile {
  const header = (bytes: Buffer) => {
    bytes.writeBigUInt64LE(epoch << 40n, layout.HEADER_EPOCH);
    bytes.writeUInt32LE(isFinal ? layout.HEADER_FLAG_DENIALS_FINAL : 0, layout.HEADER_FLAGS);
    bytes.writeUInt32LE(servers.length, layout.HEADER_SERVER_COUNT);
    bytes.set(Buffer.concat(servers.map(addressBytes)), layout.HEADER_SERVERS);
    damage(bytes);
  };
  table?.retire();
  table?.close();
  table = new TableFile(join(server.directory, "cache.table"), tableBytes([], { setCount, header }));
  return table;
}

beforeAll(async () => {
  if (missing) return;
  box = await sandbox({ addresses: [...[ONE, TWO].map((host) => `${host}/32`), `${SIX}/64`, `${OTHER_SIX}/64`] });
  await box.startModule(ZONE_MODULE, ["::", JSON.stringify(SIBLINGS)], { ready: /ready/ });
  server = await scriptedServer(answersFrom({ "fails.example": { a: layout.OUTCOME_TEMPORARY } }));
  beating = setInterval(() => table?.beat(), layout.HEARTBEAT_EVERY_MS);
});
afterEach(() => {
  table?.close();
  table = undefined;
  if (server) rmSync(join(server.directory, "cache.table"), { force: true });
});
afterAll(async () => {
  clearInterval(beating);
  await server?.close();
  await box?.close();
});

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`a denial, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    /** What the calls of one process print, which the words of a shell script give it. */
    async function run(script: string, limits = ""): Promise<string[]> {
      const command = ["sh", "-c", `(${script}) | (${limits} exec env LD_PRELOAD=${CLIENT} "$0")`];
      const { code, stdout, stderr } = await box.run([...command, buildProgram("test/shim/lookup.c", libc)], {
        env: { DNS_CACHE_DIR: server.directory },
      });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return stdout.split(/^(?=get)/m);
    }
    /** musl gives a host of an address without a name, too. */
    const isFound = (result: string) =>
      /^get(hostbyaddr|nameinfo)/.test(result)
        ? /(name|host) db\.app/.test(result)
        : /^ {2}(entry|address) (10\.89\.0\.5|fd00::5)/m.test(result);

    /** The kinds of names that libc's nameserver was asked for. */
    async function asked(nameservers: readonly string[], limits?: string): Promise<string[]> {
      await box.write("/etc/resolv.conf", nameservers.map((host) => `nameserver ${host}\n`).join(""));
      const results = await run(
        `printf '%s\\n' ${Object.values(CALLS)
          .map((call) => `'${call}'`)
          .join(" ")}`,
        limits,
      );
      return Object.keys(CALLS).filter((_, at) => isFound(results[at] as string));
    }
    const ALL = Object.keys(CALLS);

    it.each<[string, readonly string[], Header]>([
      ["the only nameserver is asked", [ONE], { servers: [ONE] }],
      ["all are asked, of both families", [SIX, ONE], { servers: [ONE, TWO, SIX] }],
      ["an address is spelled otherwise", ["2001:DB8:0:0::1", "::ffff:192.0.2.1"], { servers: [ONE, SIX] }],
      ["the fourth is not, whom no libc asks", [ONE, ONE, SIX, TWO], { servers: [ONE, SIX] }],
      [
        "as many are asked as the header has room for",
        [ONE],
        { servers: [...Array(layout.SERVERS_MAX - 1).fill(TWO), ONE] },
      ],
      ["another is asked, and the server says so", [TWO], { servers: [ONE], isFinal: true }],
      ["nobody is named, and the server says so", [OTHER_SIX], { isFinal: true }],
      ["there is a table beside the header", [ONE], { servers: [ONE], setCount: 4 }],
    ])("is final where %s", async (_what, nameservers, header) => {
      publish(header);
      expect(await asked(nameservers)).toEqual([]);
    });

    it.each<[string, readonly string[], Header | undefined]>([
      ["another is asked", [TWO], { servers: [ONE] }],
      ["another is asked, of IPv6", [OTHER_SIX], { servers: [ONE, SIX] }],
      ["the last of three is not asked", [ONE, SIX, TWO], { servers: [ONE, SIX] }],
      ["the first is not asked", [TWO, ONE], { servers: [ONE, SIX] }],
      ["nobody is named", [ONE], {}],
      ["it is a loopback one, whatever the header says", ["127.0.0.1"], { servers: ["127.0.0.1"], isFinal: true }],
      ["one of several is a loopback one", [ONE, "::1"], { servers: [ONE, "::1"], isFinal: true }],
      ["there is none, and libc asks 127.0.0.1", [], { servers: ["127.0.0.1"], isFinal: true }],
      ["the header is of another boot", [ONE], { servers: [ONE], damage: (bytes) => bytes.fill(7, 48, 64) }],
      [
        "the header is retired",
        [ONE],
        { servers: [ONE], damage: (bytes) => bytes.writeUInt32LE(2, layout.HEADER_STATE) },
      ],
      [
        "the header counts more than it holds",
        [TWO],
        { servers: [ONE], damage: (bytes) => bytes.writeUInt32LE(0xffffffff, layout.HEADER_SERVER_COUNT) },
      ],
      ["there is no header", [ONE], undefined],
    ])("sends all that the cache does not know to libc where %s", async (_what, nameservers, header) => {
      if (header) publish(header);
      expect(await asked(nameservers)).toEqual(ALL);
    });

    it("is judged by the header alone where there is no room for the table", async () => {
      publish({ servers: [ONE], setCount: 1024 });
      const limits = "ulimit -v 60000;";
      expect(await asked([ONE], limits)).toEqual([]);
      expect(await asked([TWO], limits)).toEqual(ALL);
    });

    it("is judged anew when resolv.conf changes", async () => {
      publish({ servers: [ONE] });
      await box.write("/etc/resolv.conf", `nameserver ${ONE}\n`);
      const next = (host: string) => `sleep 0.1; printf 'nameserver ${host}\\n' > /etc/resolv.conf; sleep 1.1`;
      // What a thread of glibc's has of the file is older than the file until it has asked once more.
      const results = await run(`echo ${CALL}; ${next(TWO)}; echo ${CALL}; ${next(ONE)}; echo ${CALL}; echo ${CALL}`);
      expect(results.map(isFound)).toEqual([false, true, libc === "glibc", false]);
    });

    it("is judged anew when the server asks others, and when it says otherwise", async () => {
      await box.write("/etc/resolv.conf", `nameserver ${ONE}\n`);
      await box.run(["touch", "-d", "1 minute ago", "/etc/resolv.conf"]); // read anew while it is young, it would be judged anew
      publish({ servers: [ONE] });
      const flag = (step: number) => join(server.directory, `step${step}`);
      const step = (number: number) => `echo > ${flag(number)}; while [ -e ${flag(number)} ]; do sleep 0.05; done`;
      const running = run(`echo ${CALL}; ${step(1)}; echo ${CALL}; ${step(2)}; echo ${CALL}; ${step(3)}; echo ${CALL}`);
      const changes = [
        () => publish({ servers: [TWO], epoch: 2n }),
        () => table?.writeNumber(layout.HEADER_FLAGS, layout.HEADER_FLAG_DENIALS_FINAL),
        () => publish({ servers: [TWO], epoch: 3n }),
      ];
      for (const [index, change] of changes.entries()) {
        await vi.waitFor(() => expect(existsSync(flag(index + 1))).toBe(true), 30_000);
        await new Promise((resolve) => setTimeout(resolve, 100)); // the call before it has been made
        change();
        await new Promise((resolve) => setTimeout(resolve, 1100)); // so long a client may not have looked
        rmSync(flag(index + 1));
      }
      expect((await running).map(isFound)).toEqual([false, true, false, true]);
    });
  });
}
