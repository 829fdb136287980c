// Reads records (assembly/layout.ts shows their form). They are our own, so nothing is checked here.

import {
  RECORD_CHAIN_COUNT,
  RECORD_DATA_COUNT,
  RECORD_DATA_OFFSET,
  RECORD_EXPIRES_AT_MS,
  RECORD_FLAGS,
  RECORD_LENGTH,
  RECORD_NAMES,
  RECORD_OUTCOME,
  RECORD_REFRESH_AT_MS,
  RECORD_STALE_MS,
  RECORD_TTL_SECONDS,
  RECORD_TYPE,
  TYPE_A,
  TYPE_PTR,
} from "../../assembly/layout.ts";

export function outcomeOf(record: Uint8Array): number {
  return record[RECORD_OUTCOME] as number;
}

export function typeOf(record: Uint8Array): number {
  return view(record).getUint16(RECORD_TYPE, true);
}

export function ttlOf(record: Uint8Array): number {
  return view(record).getUint32(RECORD_TTL_SECONDS, true);
}

export function expiresAtMsOf(record: Uint8Array): number {
  return Number(view(record).getBigUint64(RECORD_EXPIRES_AT_MS, true));
}

/** When it was settled, whatever was added to its time since. */
export function madeAtMsOf(record: Uint8Array): number {
  return expiresAtMsOf(record) - view(record).getUint32(RECORD_STALE_MS, true) - ttlOf(record) * 1000;
}

export function refreshAtMsOf(record: Uint8Array): number {
  return Number(view(record).getBigUint64(RECORD_REFRESH_AT_MS, true));
}

/** How many names the CNAME chain has after the question's. */
export function chainCountOf(record: Uint8Array): number {
  return record[RECORD_CHAIN_COUNT] as number;
}

/** The question's name, then those of the CNAME chain; the last is the canonical name. */
export function namesOf(record: Uint8Array): string[] {
  return texts(record, RECORD_NAMES, chainCountOf(record) + 1);
}

/** The data as text: addresses, or names for PTR. */
export function addressesOf(record: Uint8Array): string[] {
  const count = view(record).getUint16(RECORD_DATA_COUNT, true);
  const at = view(record).getUint16(RECORD_DATA_OFFSET, true);
  const type = typeOf(record);
  if (type === TYPE_PTR) return texts(record, at, count);
  const bytes = type === TYPE_A ? 4 : 16;
  const text = type === TYPE_A ? ipv4Text : ipv6Text;
  return Array.from({ length: count }, (_, i) => text(record.subarray(at + i * bytes, at + (i + 1) * bytes)));
}

/** A record whose ttl is cut down to `seconds`; for one that is not settled yet. */
export function limitTtl(record: Uint8Array, seconds: number): void {
  view(record).setUint32(RECORD_TTL_SECONDS, Math.min(ttlOf(record), seconds), true);
}

/** RECORD_FLAG_* bits; for one that is not sealed yet. */
export function setFlags(record: Uint8Array, flags: number): void {
  view(record).setUint16(RECORD_FLAGS, flags, true);
}

export function flagsOf(record: Uint8Array): number {
  return view(record).getUint16(RECORD_FLAGS, true);
}

/** A copy of the record at the start of `from`. */
export function copyRecord(from: Buffer): Uint8Array {
  return new Uint8Array(from.subarray(0, from.readUInt16LE(RECORD_LENGTH)));
}

function texts(record: Uint8Array, at: number, count: number): string[] {
  const found: string[] = [];
  for (; count > 0; count--) {
    const bytes = record[at] as number;
    found.push(Buffer.from(record.buffer, record.byteOffset + at + 1, bytes).toString("latin1"));
    at += 1 + bytes;
  }
  return found;
}

function ipv4Text(address: Uint8Array): string {
  return address.join(".");
}

/** RFC 5952: the longest run of zeros, of two groups or more, is left out; the first of equals. */
function ipv6Text(address: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    view(address)
      .getUint16(i * 2)
      .toString(16),
  );
  const isMapped = groups.slice(0, 5).every((group) => group === "0") && groups[5] === "ffff";
  if (isMapped) return `::ffff:${ipv4Text(address.subarray(12))}`;
  let run = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (groups[at + length] === "0") length++;
    if (length > run.length) run = { at, length };
  }
  if (run.at < 0) return groups.join(":");
  return `${groups.slice(0, run.at).join(":")}::${groups.slice(run.at + run.length).join(":")}`;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
