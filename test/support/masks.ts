// The masks of assembly/mask.ts once more, in BigInt.

import * as layout from "../../assembly/layout.ts";
import { checksumOf } from "./mix.ts";

const STEP = (BigInt(layout.MASK_STEP_HIGH) << 32n) | BigInt(layout.MASK_STEP_LOW);

/** A plain record as it lies in a slot that was written with this nonce. */
export function masked(record: Uint8Array, nonce: bigint): Buffer {
  const slot = Buffer.from(record);
  slot.writeBigUInt64LE(nonce, layout.RECORD_NONCE);
  toggle(slot);
  slot.writeBigUInt64LE(checksumOf(slot), layout.RECORD_CHECKSUM);
  return slot;
}

/** The plain record in a slot, whatever its checksum; sealed anew. */
export function unmasked(slot: Uint8Array): Buffer {
  const all = Buffer.from(slot);
  toggle(all);
  const record = all.subarray(0, Math.min(all.length, all.readUInt16LE(layout.RECORD_LENGTH)));
  record.writeBigUInt64LE(0n, layout.RECORD_NONCE);
  if (record.length % 16 === 8) record.writeBigUInt64LE(checksumOf(record), layout.RECORD_CHECKSUM);
  return record;
}

/** Masks all behind the nonce, or takes the masks away. */
export function toggle(slot: Buffer): void {
  const words = masks(
    slot.readBigUInt64LE(layout.RECORD_NONCE),
    layout.RECORD_LENGTH,
    (slot.length - layout.RECORD_LENGTH) / 8,
  );
  for (const [i, mask] of words.entries()) {
    const at = layout.RECORD_LENGTH + 8 * i;
    slot.writeBigUInt64LE(slot.readBigUInt64LE(at) ^ mask, at);
  }
}

/** So many, from the word at this offset on; without a nonce there are none. */
export function masks(nonce: bigint, offset: number, count: number): bigint[] {
  const first = (offset - layout.RECORD_LENGTH) / 8;
  return Array.from({ length: count }, (_, i) => (nonce ? BigInt.asUintN(64, nonce + BigInt(first + i) * STEP) : 0n));
}

/** Changes the plain words of what lies in a slot; its checksum stays as it is. */
export function editSlot(slot: Buffer, change: (plain: Buffer) => void): void {
  toggle(slot);
  change(slot);
  toggle(slot);
}
