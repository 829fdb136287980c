// Frames of dns.sock and the records in them, made from assembly/layout.ts alone: the tests of client.so do not lean on
// the code that writes them in the server.
import * as layout from "../../assembly/layout.ts";
import { checksumOf } from "./mix.ts";

export type RecordOptions = {
  name: string;
  type?: "A" | "AAAA" | "PTR";
  outcome?: number;
  chain?: string[];
  /** RECORD_FLAG_* bits. */
  flags?: number;
  /** The default is a minute. */
  ttlSeconds?: number;
  /** Names for PTR. */
  addresses?: string[];
};

export const TYPES = { A: layout.TYPE_A, AAAA: layout.TYPE_AAAA, PTR: layout.TYPE_PTR };

const nameBytes = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text.toLowerCase())]);

function addressBytes(address: string): Buffer {
  if (!address.includes(":")) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const middle = Array(8 - front.length - back.length).fill("0");
  return Buffer.from([...front, ...middle, ...back].map((group) => group.padStart(4, "0")).join(""), "hex");
}

/** Puts the checksum of what follows it at a record's start. */
export function seal(record: Buffer): Buffer {
  record.writeBigUInt64LE(checksumOf(record), layout.RECORD_CHECKSUM);
  return record;
}

export function sealedRecord({
  name,
  type = "A",
  outcome,
  chain = [],
  flags = 0,
  ttlSeconds = 60,
  addresses = [],
}: RecordOptions): Buffer {
  const names = Buffer.concat([name, ...chain].map(nameBytes));
  const data = Buffer.concat(addresses.map(type === "PTR" ? nameBytes : addressBytes));
  const dataOffset = layout.RECORD_NAMES + names.length;
  const length = 8 + Math.ceil((dataOffset + data.length - 8) / 16) * 16;
  const bytes = Buffer.alloc(length);
  bytes.writeUInt16LE(length, layout.RECORD_LENGTH);
  bytes.writeUInt8(outcome ?? layout.OUTCOME_DATA, layout.RECORD_OUTCOME);
  bytes.writeUInt8(chain.length, layout.RECORD_CHAIN_COUNT);
  bytes.writeUInt32LE(ttlSeconds, layout.RECORD_TTL_SECONDS);
  bytes.writeUInt16LE(TYPES[type], layout.RECORD_TYPE);
  bytes.writeUInt16LE(addresses.length, layout.RECORD_DATA_COUNT);
  bytes.writeUInt16LE(dataOffset, layout.RECORD_DATA_OFFSET);
  bytes.writeUInt16LE(flags, layout.RECORD_FLAGS);
  names.copy(bytes, layout.RECORD_NAMES);
  data.copy(bytes, dataOffset);
  return seal(bytes);
}

export function frame(kind: number, body: Buffer): Buffer {
  const header = Buffer.alloc(layout.FRAME_HEADER_BYTES);
  header.writeUInt32BE(header.length + body.length, layout.FRAME_LENGTH);
  header.writeUInt8(layout.FRAME_VERSION, layout.FRAME_VERSION_AT);
  header.writeUInt8(kind, layout.FRAME_KIND);
  return Buffer.concat([header, body]);
}

export function answerFrame(families: number, records: Buffer[], candidate = 0): Buffer {
  const head = Buffer.alloc(layout.ANSWER_RECORDS - layout.FRAME_HEADER_BYTES);
  head.writeUInt8(families, layout.ANSWER_FAMILIES - layout.FRAME_HEADER_BYTES);
  head.writeUInt8(candidate, layout.ANSWER_CANDIDATE - layout.FRAME_HEADER_BYTES);
  return frame(layout.KIND_ANSWER, Buffer.concat([head, ...records]));
}

export function pendingFrame(waitMs: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(waitMs);
  return frame(layout.KIND_PENDING, body);
}

export function refusedFrame(reason: number): Buffer {
  return frame(layout.KIND_REFUSED, Buffer.from([reason, layout.FRAME_VERSION, 0, 0]));
}

/** `search`: SEARCH_* bits. */
export type Question = { families: number; search: number; names: string[] };

/** Undefined while the bytes are not yet a whole question frame. */
export function readQuestion(bytes: Buffer): Question | undefined {
  if (bytes.length < layout.QUESTION_NAMES || bytes.length < bytes.readUInt32BE(layout.FRAME_LENGTH)) return undefined;
  const names: string[] = [];
  let at = layout.QUESTION_NAMES;
  for (let i = 0; i < bytes.readUInt8(layout.QUESTION_COUNT); i++) {
    const length = bytes.readUInt8(at);
    names.push(bytes.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return {
    families: bytes.readUInt8(layout.QUESTION_FAMILIES),
    search: bytes.readUInt8(layout.QUESTION_SEARCH),
    names,
  };
}

export type Uses = {
  kind: "touch" | "hits";
  epoch: bigint;
  entries: { slot: number; nonce: number; hits: number }[];
};

/** Undefined while the bytes are not yet a whole frame that tells of hits. */
export function readUses(bytes: Buffer): Uses | undefined {
  const kinds = { [layout.KIND_TOUCH]: "touch", [layout.KIND_HITS]: "hits" } as const;
  const kind = kinds[bytes[layout.FRAME_KIND] as keyof typeof kinds];
  if (!kind || bytes.length < layout.USE_ENTRIES || bytes.length < bytes.readUInt32BE(layout.FRAME_LENGTH))
    return undefined;
  const entries = [];
  for (let at = layout.USE_ENTRIES; at < bytes.length; at += layout.USE_ENTRY_BYTES) {
    entries.push({
      slot: bytes.readUInt32BE(at + layout.USE_SLOT),
      nonce: bytes.readUInt16BE(at + layout.USE_NONCE),
      hits: bytes.readUInt16BE(at + layout.USE_HITS),
    });
  }
  return { kind, epoch: bytes.readBigUInt64LE(layout.USE_EPOCH), entries };
}
