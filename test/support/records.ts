// Makes unsettled records for tests, from layout.ts alone.

import * as layout from "../../assembly/layout.ts";

export interface RecordParts {
  name: string;
  type?: number;
  outcome?: number;
  ttl?: number;
  chain?: string[];
  /** RECORD_FLAG_* bits. */
  flags?: number;
  /** Addresses as bytes; names for PTR. */
  data?: (Uint8Array | string)[];
}

export function makeRecord(parts: RecordParts): Uint8Array {
  const { name, type = layout.TYPE_A, ttl = 60, chain = [], flags = 0, data = [] } = parts;
  const outcome = parts.outcome ?? (data.length > 0 ? layout.OUTCOME_DATA : layout.OUTCOME_NO_DATA);
  const text = (value: string) => Buffer.from(String.fromCharCode(value.length) + value, "latin1");
  const names = Buffer.concat([name, ...chain].map(text));
  const dataAt = (layout.RECORD_NAMES + names.length + 3) & ~3;
  const body = Buffer.concat(data.map((item) => (typeof item === "string" ? text(item) : item)));
  const end = dataAt + body.length;
  const record = Buffer.alloc(8 + (((end - 8 + 15) >> 4) << 4));
  record.writeUInt16LE(record.length, layout.RECORD_LENGTH);
  record[layout.RECORD_OUTCOME] = outcome;
  record[layout.RECORD_CHAIN_COUNT] = chain.length;
  record.writeUInt32LE(ttl, layout.RECORD_TTL_SECONDS);
  record.writeUInt16LE(type, layout.RECORD_TYPE);
  record.writeUInt16LE(data.length, layout.RECORD_DATA_COUNT);
  record.writeUInt16LE(dataAt, layout.RECORD_DATA_OFFSET);
  record.writeUInt16LE(flags, layout.RECORD_FLAGS);
  record.set(names, layout.RECORD_NAMES);
  record.set(body, dataAt);
  return new Uint8Array(record);
}

/** One address that stands for a number. */
export function address(value: number): Uint8Array {
  return Uint8Array.of(10, (value >> 16) & 255, (value >> 8) & 255, value & 255);
}
