// What lies in a slot is masked: no reader may take bytes of two writes for one record, and a checksum alone does not keep
// that from somebody who chooses the bytes. Each write has a nonce of its own that nobody knows before; behind it every word
// of the record is XORed with the next of nonce, nonce + step, nonce + 2 * step …
//
// Why a torn slot checks with a chance of 2^-64, give or take the number of its words, whatever was put in:
//  - Of two writes one came later, and its nonce was drawn after all else was settled, the other write's masked words too.
//    Over the nonces each masked word takes every value once, so nothing that it meets can be prepared for it. What a slot
//    shows unmasked, its nonce and zeros behind a record, nobody chooses.
//  - The checksum is over the masked words, not the plain ones. Its product vanishes, and forgets all that came before, where
//    a factor is 0: with plain words an attacker would write that factor; in a masked word it is a matter of chance.
//  - The masks of one write follow from each other, which helps nobody: each block multiplies two of its words, so the sum is
//    no simpler a function of the nonce than with masks that do not (words of 8 bits, tried out, cannot be told apart).
//  - XOR with a second nonce's masks, as the reader of a torn slot does it, comes after the checksum, and makes noise.

import { MASK_STEP_HIGH, MASK_STEP_LOW, RECORD_LENGTH, RECORD_NONCE } from "./layout";

const STEP: u64 = ((<u64>MASK_STEP_HIGH) << 32) | <u64>MASK_STEP_LOW;

/** The word of a slot at this offset, unmasked. */
export function wordAt(slot: usize, offset: u32): u64 {
  const words = <u64>((offset - RECORD_LENGTH) / 8);
  return load<u64>(slot + offset) ^ (load<u64>(slot, RECORD_NONCE) + words * STEP);
}

export function lengthOf(slot: usize): u32 {
  return <u32>wordAt(slot, RECORD_LENGTH) & 0xffff;
}

/** Masks, or takes the mask away; `bytes` is the record's length. Checksum and nonce stay as they are at `to`. */
export function copyMasked(to: usize, from: usize, bytes: u32, nonce: u64): void {
  for (let offset: usize = RECORD_LENGTH; offset < bytes; offset += 8) {
    store<u64>(to + offset, load<u64>(from + offset) ^ nonce);
    nonce += STEP;
  }
}
