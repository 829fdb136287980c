// DNS replies, read in Wasm. The facade copies in and out and gives the verdict a name.

import {
  MESSAGE_BYTES_MAX,
  QUERY_BYTES_MAX,
  VERDICT_ANSWER,
  VERDICT_FAILURE,
  VERDICT_FOREIGN,
  VERDICT_MALFORMED,
  VERDICT_NO_EDNS,
  VERDICT_TRUNCATED,
} from "../assembly/layout.ts";
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
  | { verdict: "foreign" | "malformed" | "truncated" | "no-edns" | "failure" }
  /** The record is a copy, not yet settled. */
  | { verdict: "answer"; record: Uint8Array };

export interface MessageReader {
  read(message: Uint8Array, query: Query): Reply;
}

const VERDICTS = {
  [VERDICT_FOREIGN]: "foreign",
  [VERDICT_MALFORMED]: "malformed",
  [VERDICT_TRUNCATED]: "truncated",
  [VERDICT_NO_EDNS]: "no-edns",
  [VERDICT_FAILURE]: "failure",
} as const;

export function messageReader(wasm: Wasm): MessageReader {
  return {
    read(message, { id, question }) {
      if (question.length > QUERY_BYTES_MAX) throw new RangeError("a question section is longer than any name allows");
      if (message.length > MESSAGE_BYTES_MAX) return { verdict: "malformed" };
      wasm.message.set(message);
      wasm.query.set(question);
      const verdict = wasm.read(message.length, id, question.length);
      if (verdict !== VERDICT_ANSWER) return { verdict: VERDICTS[verdict as keyof typeof VERDICTS] };
      return {
        verdict: "answer",
        record: copyRecord(wasm.record),
      };
    },
  };
}
