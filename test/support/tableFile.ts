// A published table made from assembly/layout.ts alone: the tests of client.so do not lean on the code that writes it in
// the server.
import { chmodSync, closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import * as layout from "../../assembly/layout.ts";
import { masked } from "./masks.ts";
import { hashOf } from "./mix.ts";
import { type RecordOptions, sealedRecord, TYPES } from "./serverFrames.ts";

export type TableEntry = RecordOptions & {
  /** From now, in milliseconds; the defaults are a minute and 50 seconds. */
  expiresInMs?: number;
  refreshInMs?: number;
  nonce?: bigint;
};
export type TableOptions = {
  setCount?: number;
  /** Makes the header wrong, or of another table. */
  header?: (bytes: Buffer) => void;
};

const SEED_A = 0x0123456789abcdefn;
const SEED_B = 0xfedcba9876543210n;
const NONCE = 0x8899aabbccddeeffn;
export const EPOCH = 0x1122334455667788n;

/** CLOCK_MONOTONIC, which client.so compares with. */
export const monotonicMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

/** A slot's bytes and number, for the entry in a table of so many sets. */
export function slotOf(entry: TableEntry, setCount: number, way = 0): { slot: number; hash: bigint; record: Buffer } {
  const { expiresInMs = 60_000, refreshInMs = 50_000, nonce = NONCE, type = "A" } = entry;
  const record = sealedRecord(entry);
  record.writeBigUInt64LE(BigInt(monotonicMs() + expiresInMs), layout.RECORD_EXPIRES_AT_MS);
  record.writeBigUInt64LE(BigInt(monotonicMs() + refreshInMs), layout.RECORD_REFRESH_AT_MS);
  const hash = hashOf(entry.name, TYPES[type], SEED_A, SEED_B);
  const set = Number(((hash >> 32n) * BigInt(setCount)) >> 32n);
  return { slot: set * layout.WAYS + way, hash, record: masked(record, nonce) };
}

/** The whole file's bytes, live and with a fresh heartbeat; denials are final whatever nameservers a client has. */
export function tableBytes(entries: TableEntry[], { setCount = 16, header = () => {} }: TableOptions = {}): Buffer {
  const bytes = Buffer.alloc(layout.HEADER_BYTES + setCount * layout.SET_BYTES);
  bytes.writeUInt32LE(layout.TABLE_MAGIC_LOW, layout.HEADER_MAGIC);
  bytes.writeUInt32LE(layout.TABLE_MAGIC_HIGH, layout.HEADER_MAGIC + 4);
  bytes.writeUInt32LE(layout.LAYOUT_VERSION, layout.HEADER_LAYOUT_VERSION);
  bytes.writeUInt32LE(layout.HEADER_BYTES, layout.HEADER_HEADER_BYTES);
  bytes.writeUInt32LE(layout.SET_BYTES, layout.HEADER_SET_BYTES);
  bytes.writeUInt32LE(layout.SLOT_BYTES, layout.HEADER_SLOT_BYTES);
  bytes.writeUInt32LE(layout.WAYS, layout.HEADER_WAYS);
  bytes.writeUInt32LE(setCount, layout.HEADER_SET_COUNT);
  bytes.writeBigUInt64LE(SEED_A, layout.HEADER_SEED_A);
  bytes.writeBigUInt64LE(SEED_B, layout.HEADER_SEED_B);
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").replace(/[^0-9a-f]/g, "");
  bytes.write(bootId, layout.HEADER_BOOT_ID, "hex");
  bytes.writeBigUInt64LE(EPOCH, layout.HEADER_EPOCH);
  bytes.writeUInt32LE(layout.STATE_LIVE, layout.HEADER_STATE);
  bytes.writeUInt32LE(layout.HEADER_FLAG_DENIALS_FINAL, layout.HEADER_FLAGS);
  bytes.writeBigUInt64LE(BigInt(monotonicMs()), layout.HEADER_HEARTBEAT_MS);
  const used = new Map<number, number>();
  for (const entry of entries) {
    const first = slotOf(entry, setCount);
    const way = used.get(first.slot) ?? 0;
    if (way === layout.WAYS) throw new Error("a set of the test's table is full");
    used.set(first.slot, way + 1);
    putSlot(bytes, first.slot + way, first.hash, first.record);
  }
  header(bytes);
  return bytes;
}

function putSlot(table: Buffer, slot: number, hash: bigint, record: Buffer): void {
  const set = layout.HEADER_BYTES + Math.floor(slot / layout.WAYS) * layout.SET_BYTES;
  const way = slot % layout.WAYS;
  table.writeBigUInt64LE(hash, set + way * layout.TAG_BYTES);
  record.copy(table, set + layout.TAG_LINE_BYTES + way * layout.SLOT_BYTES);
}

/** A file in place, which can be written on as the server does it: never truncated, replaced only by rename. */
export class TableFile {
  #fd: number;
  constructor(
    readonly path: string,
    bytes: Buffer,
  ) {
    writeFileSync(`${path}.new`, bytes);
    chmodSync(`${path}.new`, 0o644);
    renameSync(`${path}.new`, path);
    this.#fd = openSync(path, "r+");
  }
  write(at: number, bytes: Buffer): void {
    writeSync(this.#fd, bytes, 0, bytes.length, at);
  }
  writeNumber(at: number, value: number | bigint): void {
    const bytes = Buffer.alloc(typeof value === "bigint" ? 8 : 4);
    if (typeof value === "bigint") bytes.writeBigUInt64LE(value);
    else bytes.writeUInt32LE(value);
    this.write(at, bytes);
  }
  /** A heartbeat of now, or of so long ago. */
  beat(agoMs = 0): void {
    this.writeNumber(layout.HEADER_HEARTBEAT_MS, BigInt(monotonicMs() - agoMs));
  }
  retire(): void {
    this.writeNumber(layout.HEADER_STATE, layout.STATE_RETIRED);
  }
  close(): void {
    closeSync(this.#fd);
  }
}

/** A header alone in that directory, beating as a server's does, until it is closed. */
export function beatingHeader(directory: string, header?: (bytes: Buffer) => void): { close(): void } {
  const path = join(directory, "cache.table");
  const file = new TableFile(path, tableBytes([], { setCount: 0, ...(header && { header }) }));
  const beating = setInterval(() => file.beat(), layout.HEARTBEAT_EVERY_MS);
  return {
    close() {
      clearInterval(beating);
      file.close();
      rmSync(path, { force: true });
    },
  };
}
