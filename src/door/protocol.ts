// The frames of dns.sock, as drawn in assembly/layout.ts: bytes in, value out; no socket here.
import * as layout from "../../assembly/layout.ts";
import { normalName } from "../name.ts";
import type { SearchRule } from "./search.ts";

export interface QuestionFrame {
  readonly kind: "question";
  /** FAMILY_* bits: A, AAAA or both; or PTR alone. */
  readonly families: number;
  /** In the order of the search list; lower case. */
  readonly candidates: readonly string[];
  readonly rule: SearchRule;
}
export interface UseFrame {
  readonly kind: "touch" | "hits";
  /** As it stands in the table's header. */
  readonly epoch: Uint8Array;
  readonly uses: readonly Use[];
}
/** Of an entry in the published table. */
export interface Use {
  readonly slot: number;
  /** The low 16 bits of its record's. */
  readonly nonce: number;
  readonly hits: number;
}
export type Refusal = "malformed" | "unknown" | "busy";
export type Received =
  | QuestionFrame
  | UseFrame
  | { readonly kind: "hello" }
  | { readonly kind: "refuse"; readonly why: Refusal };

export const FAMILIES: ReadonlyArray<{ readonly bit: number; readonly type: number }> = [
  { bit: layout.FAMILY_A, type: layout.TYPE_A },
  { bit: layout.FAMILY_AAAA, type: layout.TYPE_AAAA },
  { bit: layout.FAMILY_PTR, type: layout.TYPE_PTR },
];
const REASONS: Record<Refusal, number> = {
  malformed: layout.REFUSED_MALFORMED,
  unknown: layout.REFUSED_UNKNOWN,
  busy: layout.REFUSED_BUSY,
};

/** The length of the frame that starts here; undefined until its four bytes are there, or "malformed". */
export function frameLength(bytes: Buffer): number | undefined | "malformed" {
  if (bytes.length < layout.FRAME_LENGTH + 4) return undefined;
  const length = bytes.readUInt32BE(layout.FRAME_LENGTH);
  return length < layout.FRAME_HEADER_BYTES || length > layout.QUESTION_FRAME_BYTES_MAX ? "malformed" : length;
}

/** Reads one whole frame. */
export function decodeFrame(frame: Buffer): Received {
  if (frame[layout.FRAME_VERSION_AT] !== layout.FRAME_VERSION) return { kind: "refuse", why: "unknown" };
  switch (frame[layout.FRAME_KIND]) {
    case layout.KIND_QUESTION:
      return decodeQuestion(frame) ?? { kind: "refuse", why: "malformed" };
    case layout.KIND_HELLO:
      return { kind: "hello" };
    case layout.KIND_TOUCH:
      return decodeUses(frame, "touch") ?? { kind: "refuse", why: "malformed" };
    case layout.KIND_HITS:
      return decodeUses(frame, "hits") ?? { kind: "refuse", why: "malformed" };
    default:
      return { kind: "refuse", why: "unknown" };
  }
}

function decodeQuestion(frame: Buffer): QuestionFrame | undefined {
  if (frame.length < layout.QUESTION_NAMES) return undefined;
  const families = frame.readUInt8(layout.QUESTION_FAMILIES);
  const count = frame.readUInt8(layout.QUESTION_COUNT);
  const isForward = families !== 0 && (families & ~(layout.FAMILY_A | layout.FAMILY_AAAA)) === 0;
  if (!isForward && families !== layout.FAMILY_PTR) return undefined;
  if (count === 0 || count > layout.CANDIDATES_MAX) return undefined;
  const search = frame.readUInt8(layout.QUESTION_SEARCH);
  const rule = {
    asIsFirst: (search & layout.SEARCH_AS_IS_FIRST) !== 0,
    endsAtNoData: (search & layout.SEARCH_ENDS_AT_NO_DATA) !== 0,
  };
  const candidates: string[] = [];
  let at = layout.QUESTION_NAMES;
  for (let i = 0; i < count; i++) {
    const end = at + 1 + (frame[at] ?? frame.length);
    if (end > frame.length) return undefined;
    const name = normalName(frame.toString("latin1", at + 1, end));
    if (name === undefined) return undefined;
    candidates.push(name);
    at = end;
  }
  return at === frame.length ? { kind: "question", families, candidates, rule } : undefined;
}

function decodeUses(frame: Buffer, kind: UseFrame["kind"]): UseFrame | undefined {
  const count = (frame.length - layout.USE_ENTRIES) / layout.USE_ENTRY_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > layout.USE_ENTRIES_MAX) return undefined;
  const uses = Array.from({ length: count }, (_, i) => {
    const at = layout.USE_ENTRIES + i * layout.USE_ENTRY_BYTES;
    return {
      slot: frame.readUInt32BE(at + layout.USE_SLOT),
      nonce: frame.readUInt16BE(at + layout.USE_NONCE),
      hits: frame.readUInt16BE(at + layout.USE_HITS),
    };
  });
  return { kind, epoch: frame.subarray(layout.USE_EPOCH, layout.USE_ENTRIES), uses };
}

/** @param records one for each bit of `families`, in the order of FAMILIES */
export function encodeAnswer(families: number, candidate: number, records: readonly Uint8Array[]): Buffer {
  const length = records.reduce((sum, record) => sum + record.length, layout.ANSWER_RECORDS);
  const frame = newFrame(length, layout.KIND_ANSWER);
  frame.writeUInt8(families, layout.ANSWER_FAMILIES);
  frame.writeUInt8(candidate, layout.ANSWER_CANDIDATE);
  let at = layout.ANSWER_RECORDS;
  for (const record of records) {
    frame.set(record, at);
    at += record.length;
  }
  return frame;
}

export function encodePending(waitMs: number): Buffer {
  const frame = newFrame(layout.PENDING_FRAME_BYTES, layout.KIND_PENDING);
  frame.writeUInt32BE(Math.max(0, Math.ceil(waitMs)), layout.PENDING_WAIT_MS);
  return frame;
}

export function encodeRefused(why: Refusal): Buffer {
  const frame = newFrame(layout.REFUSED_FRAME_BYTES, layout.KIND_REFUSED);
  frame.writeUInt8(REASONS[why], layout.REFUSED_REASON);
  frame.writeUInt8(layout.FRAME_VERSION, layout.REFUSED_VERSION);
  return frame;
}

export function encodeHello(): Buffer {
  return newFrame(layout.FRAME_HEADER_BYTES, layout.KIND_HELLO);
}

function newFrame(length: number, kind: number): Buffer {
  const frame = Buffer.alloc(length);
  frame.writeUInt32BE(length, layout.FRAME_LENGTH);
  frame.writeUInt8(layout.FRAME_VERSION, layout.FRAME_VERSION_AT);
  frame.writeUInt8(kind, layout.FRAME_KIND);
  return frame;
}
