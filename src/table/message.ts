// DNS replies, read in Wasm. The facade copies in and out and gives the verdict a name.

import {
  CLIENT_COOKIE_BYTES,
  MESSAGE_BYTES_MAX,
  QUERY_BYTES_MAX,
  VERDICT_ANSWER,
  VERDICT_BAD_COOKIE,
  VERDICT_FAILURE,
  VERDICT_FOREIGN,
  VERDICT_LAME,
  VERDICT_LOOP,
  VERDICT_MALFORMED,
  VERDICT_NO_EDNS,
  VERDICT_OTHER_COOKIE,
  VERDICT_TRUNCATED,
  VERDICT_UNREAD,
  VERDICT_WRONG_CASE,
} from "../../assembly/layout.ts";
import { copyRecord } from "./record.ts";
import type { Wasm } from "./wasm.ts";

export interface Query {
  readonly id: number;
  /** The question section as sent: wire name with its case, type, class. */
  readonly question: Uint8Array;
  /** The client's cookie that it was sent with, 8 bytes (RFC 7873). */
  readonly cookie?: Uint8Array | undefined;
}

export type Reply =
  | { verdict: "foreign" }
  | ({ verdict: "wrong-case" | "other-cookie" | "unread" | "malformed" | "truncated" | "no-edns" } & Told)
  /** Its server part is never empty. */
  | { verdict: "bad-cookie"; serverCookie: Uint8Array }
  /** `isOfTheName`: however it is asked for. `why` is for the log; the rcode is that of a good answer where the answer itself is at fault. */
  | ({ verdict: "failure"; rcode: number; why: string; hasOpt: boolean; isOfTheName: boolean } & Told)
  /** The record is a copy, not yet settled; `zoneBytes` is the length on the wire of the zone's name whose SOA came with a denial. */
  | ({ verdict: "answer"; record: Uint8Array; zoneBytes: number } & Told);

/** What the reply told beside, where the query was sent with a cookie. */
export interface Told {
  /** A copy of the server's part; empty where only the client's came back, undefined where no cookie did. */
  serverCookie?: Uint8Array | undefined;
}

export interface MessageReader {
  read(message: Uint8Array, query: Query): Reply;
}

export const SERVFAIL = 2;
export const REFUSED = 5;

const SIMPLE = {
  [VERDICT_WRONG_CASE]: "wrong-case",
  [VERDICT_MALFORMED]: "malformed",
  [VERDICT_TRUNCATED]: "truncated",
  [VERDICT_NO_EDNS]: "no-edns",
  [VERDICT_UNREAD]: "unread",
  [VERDICT_OTHER_COOKIE]: "other-cookie",
} as const;

export function messageReader(wasm: Wasm): MessageReader {
  return {
    read(message, { id, question, cookie }) {
      if (question.length > QUERY_BYTES_MAX) throw new RangeError("a question section is longer than any name allows");
      if (cookie !== undefined && cookie.length !== CLIENT_COOKIE_BYTES) throw new RangeError("not a client's cookie");
      if (message.length > MESSAGE_BYTES_MAX) return { verdict: "malformed" };
      wasm.message.set(message);
      wasm.query.set(question);
      if (cookie !== undefined) wasm.cookie.set(cookie);
      return reply(wasm.read(message.length, id, question.length, cookie !== undefined));
    },
  };

  function reply(verdict: number): Reply {
    if (verdict === VERDICT_FOREIGN) return { verdict: "foreign" };
    const serverCookie = copyServerCookie();
    switch (verdict) {
      case VERDICT_BAD_COOKIE:
        return { verdict: "bad-cookie", serverCookie: serverCookie as Uint8Array };
      case VERDICT_FAILURE:
      case VERDICT_LOOP:
      case VERDICT_LAME:
        return {
          verdict: "failure",
          rcode: wasm.rcode(),
          why: reasonOf(verdict, wasm.rcode()),
          hasOpt: wasm.hasOpt(),
          isOfTheName: verdict === VERDICT_LOOP,
          serverCookie,
        };
      case VERDICT_ANSWER:
        return { verdict: "answer", record: copyRecord(wasm.record), zoneBytes: wasm.zoneBytes(), serverCookie };
      default:
        return { verdict: SIMPLE[verdict as keyof typeof SIMPLE], serverCookie };
    }
  }

  function copyServerCookie(): Uint8Array | undefined {
    const bytes = wasm.serverCookieBytes();
    if (bytes < 0) return undefined;
    return new Uint8Array(wasm.cookie.subarray(CLIENT_COOKIE_BYTES, CLIENT_COOKIE_BYTES + bytes));
  }
}

function reasonOf(verdict: number, rcode: number): string {
  if (verdict === VERDICT_LOOP) return "a chain of CNAMEs that is too long or a loop";
  if (verdict === VERDICT_LAME) return "a referral (lame)";
  if (rcode === SERVFAIL) return "SERVFAIL";
  return rcode === REFUSED ? "REFUSED" : `rcode ${rcode}`;
}
