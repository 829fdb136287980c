// What a server understands, found out while it is asked: EDNS, the question's spelling, cookies.
import { randomBytes } from "node:crypto";
import type { QueryForm } from "./query.ts";

export interface Dialect {
  /** How to put a question to it now. */
  form(nowMs: number): Pick<QueryForm, "edns" | "cookie" | "mixedCase">;
  /** It refused EDNS, and answered the same without (RFC 6891 section 7); true where that is news. */
  refusedEdns(nowMs: number): boolean;
  repliedToEdns(): void;
  /** Whether it may be that queries with EDNS are lost on the way to it: none has had a reply. */
  mayLoseEdns(): boolean;
  /** A question was answered without EDNS after it was not with it; true where that has become the rule. */
  lostEdns(): boolean;
  repeatedCase(): void;
  /** True where it has become plain that it never repeats the question's spelling. */
  changedCase(nowMs: number): boolean;
  dropCase(nowMs: number): void;
  /** Its cookie as it came; empty where it only repeated ours. */
  gaveCookie(cookie: Uint8Array): void;
  /** Whether a datagram without a cookie may be somebody else's (RFC 7873 section 5.3). */
  givesCookies(): boolean;
  forgetCookie(): void;
}

const CLIENT_COOKIE_BYTES = 8;
const FORGET_AFTER_MS = 3_600_000;
const LOST_EDNS = 3; // while none with it had a reply: chance loses datagrams of both kinds
const CHANGED_CASES = 3; // in a row: who guesses one datagram of ours has not guessed three

export function createDialect(): Dialect {
  const clientCookie = new Uint8Array(randomBytes(CLIENT_COOKIE_BYTES));
  let serverCookie: Uint8Array | undefined;
  let cookie: Uint8Array = clientCookie;
  let withoutEdnsUntilMs = 0;
  let withoutCaseUntilMs = 0;
  let changedCases = 0;
  let lostEdns = 0;
  let knowsEdns = false;

  function dropCase(nowMs: number): void {
    withoutCaseUntilMs = nowMs + FORGET_AFTER_MS;
    changedCases = 0;
  }

  function setCookie(fromServer: Uint8Array | undefined): void {
    serverCookie = fromServer;
    cookie = fromServer === undefined ? clientCookie : Uint8Array.of(...clientCookie, ...fromServer);
  }

  return {
    form: (nowMs) => ({
      edns: nowMs >= withoutEdnsUntilMs,
      cookie,
      mixedCase: nowMs >= withoutCaseUntilMs,
    }),
    refusedEdns(nowMs) {
      const isNews = nowMs >= withoutEdnsUntilMs;
      withoutEdnsUntilMs = nowMs + FORGET_AFTER_MS;
      setCookie(undefined);
      return isNews;
    },
    repliedToEdns() {
      knowsEdns = true;
    },
    mayLoseEdns: () => !knowsEdns,
    lostEdns: () => !knowsEdns && ++lostEdns >= LOST_EDNS,
    repeatedCase() {
      changedCases = 0;
    },
    changedCase(nowMs) {
      if (++changedCases < CHANGED_CASES) return false;
      dropCase(nowMs);
      return true;
    },
    dropCase,
    gaveCookie(fromServer) {
      if (fromServer.length > 0) setCookie(fromServer);
    },
    givesCookies: () => serverCookie !== undefined,
    forgetCookie: () => setCookie(undefined),
  };
}
