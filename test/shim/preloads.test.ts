// client.so beside other libraries that are preloaded, before it and after it in the list.
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildClient, buildProgram, CLIENT, libraryMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { TableFile, tableBytes } from "../support/tableFile.ts";
import { ANY_CLOCK } from "./flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const TABLE = "192.0.2.1";
const SERVER = "203.0.113.7";
const LIBC = "198.51.100.9";
const OTHER = "10.11.12.13"; // an answer of the other library's own
const NAMES = ["table.example", "server.example", "none.example"] as const;
const CALLS = NAMES.flatMap((name) => [
  `getaddrinfo ${name} 80 2 1 0 0`,
  `getaddrinfo ${name} 80 0 1 0 2`,
  `gethostbyname_r ${name} 1024 0`,
  `gethostbyname ${name}`,
]);

const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;
let table: TableFile;
let directory: string;
let program: string;

beforeAll(async () => {
  if (missing) return;
  box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
  const zone = Object.fromEntries(NAMES.slice(0, 2).map((name) => [name, { A: [LIBC] }]));
  await box.startModule(`${root}/test/support/zoneUpstream.ts`, ["192.0.2.200", JSON.stringify(zone)], {
    ready: /ready/,
  });
  server = await scriptedServer(answersFrom({ "server.example": { a: [SERVER] }, "table.example": { a: [SERVER] } }));
  chmodSync(server.directory, 0o755);
  const families = ["A", "AAAA"] as const;
  table = new TableFile(
    join(server.directory, "cache.table"),
    tableBytes(
      families.map((type) => ({
        name: "table.example",
        type,
        addresses: type === "A" ? [TABLE] : ["2001:db8::1"],
        expiresInMs: 3_600_000,
        refreshInMs: 3_000_000,
      })),
    ),
  );
  directory = mkdtempSync(join(tmpdir(), "namewell-preloads-"));
  program = buildProgram("test/shim/lookup.c", "glibc");
});
afterAll(async () => {
  table?.close();
  await server?.close();
  await box?.close();
  if (directory) rmSync(directory, { recursive: true, force: true });
});

/** The addresses found by each call in turn, or what it returns. */
async function answers(preload: string[], env: Record<string, string> = {}, input = `${CALLS.join("\n")}\n`) {
  table.beat();
  const list = { LD_PRELOAD: preload.join(":"), DNS_CACHE_DIR: server.directory };
  const { code, stdout } = await box.run([program], { env: { ...list, ...env }, input });
  expect(code).toBe(0);
  return [...stdout.matchAll(/(?:entry|address|returns) (?!0 |a host)(\S+)/g)].map(([, answer]) => answer);
}
const orders = (library: string): [string, string[]][] => [
  ["before", [library, CLIENT]],
  ["after", [CLIENT, library]],
];

const LIBRARIES: [string, string, Record<string, string>][] = [
  ["libjemalloc.so.2", "libjemalloc2", {}],
  ["libtcmalloc_minimal.so.4", "libtcmalloc-minimal4", {}],
  ["libefence.so.0.0", "electric-fence", { EF_DISABLE_BANNER: "1" }],
  ["libresolv_wrapper.so", "libresolv-wrapper", {}],
  ["libsocket_wrapper.so", "libsocket-wrapper", { SOCKET_WRAPPER_DIR: "sockets", SOCKET_WRAPPER_DEFAULT_IFACE: "10" }],
];
for (const [library, debianPackage, env] of LIBRARIES) {
  const without = missing ?? libraryMissing(library, debianPackage);
  describe.skipIf(without)(`beside ${library}${without ? ` (skipped: ${without})` : ""}`, () => {
    it.for(["before", "after"])("answers as ever, whether it stands %s client.so or not", async (where) => {
      if (env.SOCKET_WRAPPER_DIR) env.SOCKET_WRAPPER_DIR = directory;
      const order = orders(library).find(([place]) => place === where)?.[1] ?? [];
      const found = await answers(order, env);
      expect(found).toEqual(await answers([CLIENT]));
      expect(found).toContain(TABLE);
      expect(found).toContain(SERVER);
      expect(readdirSync(directory)).toEqual([]); // of sockets, that of a wrapper's would be one
    });

    it("lets libc answer as that library has it where there is no cache", async () => {
      for (const [, order] of orders(library))
        expect(await answers(order, { ...env, DNS_CACHE_DIR: "/nowhere" })).toEqual(await answers([library], env));
    });
  });
}

const noWrapper = missing ?? libraryMissing("libnss_wrapper.so", "libnss-wrapper");
describe.skipIf(noWrapper)(`beside nss_wrapper${noWrapper ? ` (skipped: ${noWrapper})` : ""}`, () => {
  it("leaves everything to a library with answers of its own", async () => {
    const hosts = join(directory, "hosts");
    writeFileSync(hosts, `${OTHER} table.example\n`);
    const env = { NSS_WRAPPER_HOSTS: hosts };
    const alone = await answers(["libnss_wrapper.so"], env);
    expect(alone).toContain(OTHER);
    for (const [, order] of orders("libnss_wrapper.so")) expect(await answers(order, env)).toEqual(alone);
    rmSync(hosts);
  });
});

const noFaketime = missing ?? libraryMissing("/usr/$LIB/faketime/libfaketimeMT.so.1", "faketime");
describe.skipIf(noFaketime)(`beside faketime${noFaketime ? ` (skipped: ${noFaketime})` : ""}`, () => {
  const LIBRARY = "/usr/$LIB/faketime/libfaketimeMT.so.1";

  it.for(["+2y", "-2y", "+0 x10", "+0 x0.1", "2020-01-01 00:00:00"])(
    "comes to an end with each call: %s",
    async (FAKETIME) => {
      for (const [, order] of orders(LIBRARY)) {
        const found = await answers(order, { FAKETIME }, `${CALLS.join("\n")}\n`.repeat(3));
        expect(found.length).toBeGreaterThan(3 * NAMES.length);
        for (const address of found)
          expect(["2001:db8::1", TABLE, SERVER, LIBC, "-2", "-5", "NULL"]).toContain(address);
      }
    },
  );

  it("goes by libc's clock all the same, as libc's resolver does", async () => {
    for (const [, order] of orders(LIBRARY))
      for (const FAKETIME of ["+2y", "-2y"])
        expect(await answers(order, { FAKETIME }, `${CALLS[0]}\n`)).toEqual([TABLE]);
  });
});

describe.skipIf(missing)("a clock of a tenth of the speed", () => {
  it("falls behind, and then the table is not believed any more, though its entry has not ended by it", async () => {
    const slow = buildProgram("test/shim/slow.c", "glibc", ["-shared", "-fPIC"]);
    const beating = setInterval(() => table.beat(), 100);
    try {
      const script = `(echo ${CALLS[0]}; sleep 3; echo ${CALLS[0]}) | env LD_PRELOAD=${buildClient("any-clock", ANY_CLOCK)}:${slow} "$0"`;
      const env = { DNS_CACHE_DIR: server.directory };
      const { stdout } = await box.run(["sh", "-c", script, program], { env });
      expect([...stdout.matchAll(/entry (\S+)/g)].map(([, address]) => address)).toEqual([TABLE, SERVER]);
    } finally {
      clearInterval(beating);
    }
  });
});
