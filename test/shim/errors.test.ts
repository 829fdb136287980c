// What lookups that the cache answers leave in errno and h_errno: what this libc leaves there (test/differential compares
// the two, call by call).
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, hangsUpAfter, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { beatingHeader } from "../support/tableFile.ts";

const { OUTCOME_NO_DATA, OUTCOME_NO_NAME, OUTCOME_TEMPORARY } = layout;
const ZONE = {
  "one.example": { a: ["192.0.2.1"], aaaa: OUTCOME_NO_DATA },
  "six.example": { a: OUTCOME_NO_DATA, aaaa: ["2001:db8::1"] },
  "both.example": { a: ["192.0.2.1"], aaaa: ["2001:db8::1"] },
  "nothing.example": { a: OUTCOME_NO_DATA, aaaa: OUTCOME_NO_DATA },
  "missing.example": { a: OUTCOME_NO_NAME, aaaa: OUTCOME_NO_NAME },
  "broken.example": { a: OUTCOME_TEMPORARY, aaaa: OUTCOME_TEMPORARY },
  "fourbroken.example": { a: OUTCOME_TEMPORARY, aaaa: ["2001:db8::1"] },
  "1.2.0.192.in-addr.arpa": { ptr: ["one.example"] },
  "2.2.0.192.in-addr.arpa": { ptr: OUTCOME_NO_NAME },
  "3.2.0.192.in-addr.arpa": { ptr: OUTCOME_NO_DATA },
  "4.2.0.192.in-addr.arpa": { ptr: OUTCOME_TEMPORARY },
};

const [EAGAIN, ERANGE] = [11, 34];
const [HOST_NOT_FOUND, TRY_AGAIN, NO_DATA] = [1, 2, 4];
const KEPT = "kept";
const ONLY = " - 2 1 0 0";
const CANONICAL = " - 2 1 0 2";
const ANY = " - 0 1 0 0";
const MAPPED = " - 10 1 0 8";
const ALL = " - 10 1 0 24";
const nameinfo = (address: string, flags: number, room = 256) => `getnameinfo 2 ${address} 0 80 16 ${room} - ${flags}`;

// [call, errno and h_errno on glibc, on musl]: musl's NO_DATA is HOST_NOT_FOUND before 1.2.4.
type Left = readonly [string | number, string | number];
const UNTOUCHED: Left = [KEPT, KEPT];
const CALLS: readonly (readonly [string, Left, Left])[] = [
  ["gethostbyname one.example", [0, HOST_NOT_FOUND], UNTOUCHED],
  ["gethostbyname missing.example", [0, HOST_NOT_FOUND], [KEPT, HOST_NOT_FOUND]],
  ["gethostbyname nothing.example", [0, NO_DATA], [KEPT, "[14]"]],
  ["gethostbyname broken.example", [EAGAIN, TRY_AGAIN], [KEPT, TRY_AGAIN]],
  ["gethostbyname2 six.example 10", [0, HOST_NOT_FOUND], UNTOUCHED],
  ["gethostbyname2 missing.example 10", [0, HOST_NOT_FOUND], [KEPT, HOST_NOT_FOUND]],
  ["gethostbyname_r one.example 8192 0", [0, HOST_NOT_FOUND], UNTOUCHED],
  ["gethostbyname_r one.example 8 0", [ERANGE, KEPT], UNTOUCHED],
  ["gethostbyname_r missing.example 8192 0", [0, HOST_NOT_FOUND], UNTOUCHED],
  ["gethostbyname_r nothing.example 8192 0", [0, NO_DATA], UNTOUCHED],
  ["gethostbyname_r broken.example 8192 0", [EAGAIN, TRY_AGAIN], UNTOUCHED],
  ["gethostbyname2_r six.example 10 8192 0", [0, HOST_NOT_FOUND], UNTOUCHED],
  ["gethostbyname2_r broken.example 10 8192 0", [EAGAIN, TRY_AGAIN], UNTOUCHED],
  ["gethostbyaddr 192.0.2.1 4 2", [0, KEPT], UNTOUCHED],
  ["gethostbyaddr 192.0.2.2 4 2", [0, HOST_NOT_FOUND], UNTOUCHED],
  ["gethostbyaddr 192.0.2.3 4 2", [0, NO_DATA], UNTOUCHED],
  ["gethostbyaddr 192.0.2.4 4 2", [0, TRY_AGAIN], UNTOUCHED],
  ["gethostbyaddr_r 192.0.2.1 4 2 8192 0", [0, KEPT], UNTOUCHED],
  ["gethostbyaddr_r 192.0.2.1 4 2 8 0", [ERANGE, KEPT], UNTOUCHED],
  ["gethostbyaddr_r 192.0.2.2 4 2 8192 0", [0, HOST_NOT_FOUND], UNTOUCHED],
  ["gethostbyaddr_r 192.0.2.4 4 2 8192 0", [0, TRY_AGAIN], UNTOUCHED],
  [nameinfo("192.0.2.1", 0), [0, KEPT], UNTOUCHED],
  [nameinfo("192.0.2.1", 0, 4), [0, KEPT], UNTOUCHED],
  [nameinfo("192.0.2.2", 8), [0, HOST_NOT_FOUND], UNTOUCHED],
  [nameinfo("192.0.2.2", 0), [0, HOST_NOT_FOUND], UNTOUCHED],
  [nameinfo("192.0.2.3", 8), [0, NO_DATA], UNTOUCHED],
  [nameinfo("192.0.2.4", 8), [0, TRY_AGAIN], UNTOUCHED],
  [`getaddrinfo one.example${ONLY}`, [0, 0], UNTOUCHED],
  [`getaddrinfo missing.example${ONLY}`, [0, HOST_NOT_FOUND], UNTOUCHED],
  [`getaddrinfo nothing.example${ONLY}`, [0, NO_DATA], UNTOUCHED],
  [`getaddrinfo broken.example${ONLY}`, [EAGAIN, TRY_AGAIN], UNTOUCHED],
  [`getaddrinfo missing.example${CANONICAL}`, [KEPT, HOST_NOT_FOUND], UNTOUCHED],
  [`getaddrinfo both.example${ANY}`, [0, 0], UNTOUCHED],
  [`getaddrinfo six.example${ANY}`, [0, 0], UNTOUCHED],
  [`getaddrinfo one.example${ANY}`, [0, HOST_NOT_FOUND], UNTOUCHED],
  [`getaddrinfo missing.example${ANY}`, [KEPT, HOST_NOT_FOUND], UNTOUCHED],
  [`getaddrinfo nothing.example${ANY}`, [KEPT, NO_DATA], UNTOUCHED],
  [`getaddrinfo broken.example${ANY}`, [EAGAIN, TRY_AGAIN], UNTOUCHED],
  [`getaddrinfo six.example${MAPPED}`, [0, 0], UNTOUCHED],
  [`getaddrinfo one.example${MAPPED}`, [0, 0], UNTOUCHED],
  [`getaddrinfo six.example${ALL}`, [0, NO_DATA], UNTOUCHED],
  [`getaddrinfo fourbroken.example${ALL}`, [EAGAIN, TRY_AGAIN], UNTOUCHED],
];

const root = fileURLToPath(new URL("../..", import.meta.url));
const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;
let header: ReturnType<typeof beatingHeader>;
beforeAll(async () => {
  if (missing) return;
  box = await sandbox({
    addresses: ["192.0.2.200/24", "2001:db8::200/64"],
    resolvConf: "nameserver 192.0.2.200\noptions timeout:1 attempts:1\n",
  });
  await box.startModule(`${root}/test/support/zoneUpstream.ts`, ["192.0.2.200", "{}"], { ready: /ready/ });
  server = await scriptedServer(answersFrom(ZONE));
  header = beatingHeader(server.directory); // whose denials are final
});
afterAll(async () => {
  header?.close();
  await server?.close();
  await box?.close();
});

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`errno and h_errno, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    /** What each call leaves there. */
    async function left(calls: readonly string[], env: Record<string, string> = {}): Promise<string[]> {
      const program = buildProgram("test/shim/lookup.c", libc);
      const { stdout } = await box.run([program, "apart"], { input: `${calls.join("\n")}\n`, env });
      return [...stdout.matchAll(/leaves errno (\S+), h_errno (\S+)/g)].map(([, error, own]) => `${error}, ${own}`);
    }
    const preloaded = () => ({ LD_PRELOAD: CLIENT, DNS_CACHE_DIR: server.directory });

    it("are behind an answer of the cache what they are behind libc's", async () => {
      server.behave(answersFrom(ZONE));
      const before = server.questions.length;
      const found = await left(
        CALLS.map(([call]) => call),
        preloaded(),
      );
      expect(server.questions.length - before).toBe(CALLS.length);
      const wrong = CALLS.flatMap(([call, glibc, musl], i) => {
        const expected = (libc === "glibc" ? glibc : musl).join(", ");
        return new RegExp(`^${expected}$`).test(String(found[i])) ? [] : [`${call}: ${found[i]}, not ${expected}`];
      });
      expect(wrong).toEqual([]);
    });

    it("are what they were when libc is asked after all", async () => {
      if (libc === "musl") return; // it leaves nothing as it was
      server.behave(hangsUpAfter(ZONE, 3));
      const calls = ["missing", "nothing"].map((name) => `getaddrinfo ${name}.example${ANY}`);
      const before = server.questions.length;
      expect(await left(calls, preloaded())).toEqual(await left(calls));
      expect(server.questions.length - before).toBe(calls.length);
    });
  });
}
