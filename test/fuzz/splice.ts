// What somebody does who owns a DNS zone, may ask the server and reads the table as everybody does: he fills the set of
// another's name with names of his own, with data chosen so that half of that name's record and half of his own, as a reader
// may find them in a slot that is being written, have the checksum of the former.
import * as layout from "../../assembly/layout.ts";
import type { Cache } from "../../src/table/cache.ts";
import type { Wasm } from "../../src/table/wasm.ts";
import { masks, unmasked } from "../support/masks.ts";
import { CHECKSUM_SEED_B, chained, hashOf } from "../support/mix.ts";
import { makeRecord } from "../support/records.ts";

export const VICTIM = "www.bank.example";
/** The victim's addresses: this with 1, 2, 3 … for the last byte. */
export const PREFIX = "2001:db8::1:0";
export const ADDRESSES = 24;
const DATA_AT = 72; // in a record of the victim's name or of one of his: a block of the checksum begins here
const TTL_SECONDS = 3600;
const OWN_NAMES = 24;

const published = Array.from({ length: ADDRESSES }, (_, i) =>
  Buffer.from(`20010db800000000000000000001${(i + 1).toString(16).padStart(4, "0")}`, "hex"),
);
const forged = Buffer.from("20010db80bad0bad0bad0bad0bad0bad", "hex");

/** What he takes the next write's nonce for, from the one that stands there. */
export type Guess = (nonce: bigint) => bigint;

/**
 * Addresses for a record that is written over this slot, or before the next of the kind. With his last two blocks the
 * checksum forgets what came before, for a factor is 0, and becomes the victim's, for the other's is 1.
 */
export function aimed(slot: Buffer, guess: Guess): Buffer[] {
  const length = unmasked(slot).length;
  const mask = guess(slot.readBigUInt64LE(layout.RECORD_NONCE));
  const data = Buffer.concat(Array<Buffer>(ADDRESSES).fill(forged));
  const words = [CHECKSUM_SEED_B, 0n, CHECKSUM_SEED_B ^ 1n, chained(slot, length)];
  for (const [i, own] of masks(mask, length - 32, 4).entries()) {
    data.writeBigUInt64LE((words[i] as bigint) ^ own, length - 32 + 8 * i - DATA_AT);
  }
  return Array.from({ length: ADDRESSES }, (_, i) => data.subarray(16 * i, 16 * i + 16));
}

function setOf(name: string, image: Buffer): bigint {
  const [seedA, seedB] = [layout.HEADER_SEED_A, layout.HEADER_SEED_B].map((at) => image.readBigUInt64LE(at));
  const hash = hashOf(name, layout.TYPE_AAAA, seedA as bigint, seedB as bigint);
  return ((hash >> 32n) * BigInt(image.readUInt32LE(layout.HEADER_SET_COUNT))) >> 32n;
}

function ownNames(image: Buffer): string[] {
  const names: string[] = [];
  for (let i = 0; names.length < OWN_NAMES; i++) {
    const name = `t${i.toString(36).padStart(5, "0")}.www.evil.zz`;
    if (setOf(name, image) === setOf(VICTIM, image)) names.push(name);
  }
  return names;
}

/**
 * The race: the name is looked up again whenever it has been pushed out. Each call is a write of the server's; it gives the
 * slot's offset.
 *
 * @param lastPublished the offset that the cache told of last
 * @param seen what a reader sees of a slot
 */
export function createRace(
  wasm: Wasm,
  cache: Cache,
  lastPublished: () => number,
  seen: (slotOffset: number) => Buffer,
) {
  const names = ownNames(wasm.image);
  let at = 0; // of the victim's slot; 0: pushed out
  let turn = 0;
  let data: Buffer[] = [];
  return (guess: Guess, nowMs: number): { slotOffset: number; hasPushedOut: boolean } => {
    if (at === 0) {
      cache.keep(makeRecord({ name: VICTIM, type: layout.TYPE_AAAA, ttl: TTL_SECONDS, data: published }), nowMs, 0);
      at = lastPublished();
      data = aimed(seen(at), guess);
      return { slotOffset: at, hasPushedOut: false };
    }
    const name = names[turn++ % names.length] as string;
    cache.keep(makeRecord({ name, type: layout.TYPE_AAAA, ttl: TTL_SECONDS, data }), nowMs, 0);
    const hasPushedOut = lastPublished() === at;
    if (hasPushedOut) at = 0;
    return { slotOffset: lastPublished(), hasPushedOut };
  };
}
