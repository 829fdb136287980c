// A search list with a domain whose servers fail: what libc finds behind it is found. Where nobody answers at all, the lookup
// ends at the cache's time-out, and libc does not wait for the same servers once more.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OUTCOME_TEMPORARY } from "../../assembly/layout.ts";
import { outcomeOf } from "../../src/table/record.ts";
import { askOnce, recordsOf } from "../support/frames.ts";
import { buildProgram, muslMissing } from "../support/programs.ts";
import { type Running, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const SERVER = fileURLToPath(new URL("../../dist/server.js", import.meta.url));
const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const NAMESERVER = "192.0.2.53";
const SILENT = "192.0.2.54";
const DEAD = ["broken.example", "refused.example"]; // SERVFAIL, REFUSED: test/support/failing.ts
const BOTH = { A: ["192.0.2.80"], AAAA: ["2001:db8::80"] };
const ZONE = {
  "www.outside.example": BOTH,
  outside: BOTH,
  "six.outside.example": { AAAA: ["2001:db8::6"] },
  "app.corp.example": BOTH,
};
const CALLS = [
  "getaddrinfo www.outside.example 80 0 1 0 0",
  "getaddrinfo six.outside.example 80 10 1 0 0",
  "getaddrinfo outside 80 2 1 0 0",
  "gethostbyname_r www.outside.example 1024 0",
  "gethostbyname2_r www.outside.example 10 1024 0",
  "gethostbyname www.outside.example",
  "gethostbyname2 outside 10",
  "gethostbyname_r app 1024 0",
  "getaddrinfo none.example 80 0 1 0 0",
];
const UNHEARD = "a.name.that-nobody-answers-for.example";
const MUTE = `
const socket = require("node:dgram").createSocket("udp4");
socket.on("message", () => console.log("asked"));
socket.bind(53, process.argv[1], () => console.log("ready"));
`;

const missing = sandboxMissing();
let directory: string;
let box: Sandbox;

beforeEach(async () => {
  if (missing) return;
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  fs.chmodSync(directory, 0o755);
  box = await sandbox({ addresses: [`${NAMESERVER}/32`, `${SILENT}/32`, "2001:db8::200/64"] });
});
afterEach(async () => {
  await box?.close();
  if (directory) fs.rmSync(directory, { recursive: true, force: true });
});

async function serve(upstream: string, more: Record<string, string> = {}): Promise<Running> {
  const env = { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: upstream, ...more };
  return box.start([process.execPath, SERVER], { env, ready: /Listening/ });
}

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(
    `a dead domain in the search list, ${libc}${without ? ` (skipped: ${without})` : ""}`,
    () => {
      /** Each in a process of its own, all at once: libc waits a second for each name that fails. */
      async function run(calls: readonly string[], preload = true): Promise<string[]> {
        const program = buildProgram("test/shim/lookup.c", libc);
        const env = preload ? { LD_PRELOAD: `${directory}/client.so` } : {};
        const results = await Promise.all(calls.map((call) => box.run([program], { input: `${call}\n`, env })));
        return results.map(({ code, stdout, stderr }) => {
          expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
          return stdout.replaceAll(/ {2}leaves errno .*\n|(?<= host) h_errno \d+$/gm, ""); // test/differential compares these
        });
      }

      it.each(
        DEAD.flatMap((dead) => [
          [`search ${dead} corp.example\noptions ndots:5`],
          [`search corp.example ${dead}\noptions ndots:5`],
          [`search ${dead} corp.example\noptions ndots:1`],
        ]),
      )("takes no name away that is found without the cache: %s", async (lines) => {
        await box.startModule(ZONE_MODULE, [NAMESERVER, JSON.stringify(ZONE)], { ready: /ready/ });
        await serve(NAMESERVER);
        await box.write("/etc/resolv.conf", `nameserver ${NAMESERVER}\n${lines} timeout:1 attempts:1\n`);
        const alone = await run(CALLS, false);
        if (libc === "glibc")
          expect(alone.filter((result) => /^ {2}(entry|address) /m.test(result)).length).toBeGreaterThan(6);
        for (let round = 0; round < 2; round++) expect(await run(CALLS)).toEqual(alone);
      });

      it("is not the same as servers that are all silent: the lookup fails for a moment, and libc does not ask", async () => {
        const [upstream, nameserver] = await Promise.all(
          [SILENT, NAMESERVER].map((address) => box.start([process.execPath, "-e", MUTE, address], { ready: /ready/ })),
        );
        await serve(SILENT, { DNS_CACHE_TIMEOUT_MS: "500", DNS_CACHE_DENIALS: "final" });
        await box.write(
          "/etc/resolv.conf",
          `nameserver ${NAMESERVER}\nsearch one.example two.example\noptions ndots:5\n`,
        );
        const ask = (name: string) => askOnce(path.join(directory, "dns.sock"), [name]);
        for (let i = 0; ; i++) {
          const [record] = recordsOf(await ask(`n${i}.example`));
          if (outcomeOf(record as Buffer) === OUTCOME_TEMPORARY) break; // one that nobody has heard of yet may only be slow
        }
        const calls = [
          `getaddrinfo ${UNHEARD} 80 0 1 0 0`,
          `gethostbyname_r ${UNHEARD} 1024 0`,
          `gethostbyname ${UNHEARD}`,
        ];
        for (let round = 0; round < 2; round++) {
          for (const result of await run(calls))
            expect(result).toMatch(/returns -3 |returns (11|2) .*h_errno 2|NULL h_errno 2/);
        }
        expect(upstream?.stdout()).toContain("asked");
        expect(nameserver?.stdout()).not.toContain("asked");
      });
    },
  );
}
