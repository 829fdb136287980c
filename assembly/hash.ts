// One mix in two lanes of 64 bits, for the table's hash and for the record's checksum. shim/ has the same in C;
// test/border/mix-vectors.json holds both to it. Wasm has no 128-bit product, hence the folding shifts.
//
// In a lane by itself a difference in a word's highest bits comes out as a known one, and the lane's next word can take it
// back: three flipped bits would be no difference. So every word is counted once more, turned and added, where no product
// hides its place.

import {
  CHECKSUM_SEED_A_HIGH,
  CHECKSUM_SEED_A_LOW,
  CHECKSUM_SEED_B_HIGH,
  CHECKSUM_SEED_B_LOW,
  MIX_FACTOR_A_HIGH,
  MIX_FACTOR_A_LOW,
  MIX_FACTOR_B_HIGH,
  MIX_FACTOR_B_LOW,
} from "./layout";

const FACTOR_A: u64 = ((<u64>MIX_FACTOR_A_HIGH) << 32) | <u64>MIX_FACTOR_A_LOW;
const FACTOR_B: u64 = ((<u64>MIX_FACTOR_B_HIGH) << 32) | <u64>MIX_FACTOR_B_LOW;
const CHECKSUM_SEED_A: u64 = ((<u64>CHECKSUM_SEED_A_HIGH) << 32) | <u64>CHECKSUM_SEED_A_LOW;
const CHECKSUM_SEED_B: u64 = ((<u64>CHECKSUM_SEED_B_HIGH) << 32) | <u64>CHECKSUM_SEED_B_LOW;

const TURN = 29;

/** `bytes` is a multiple of 16. */
export function mix(pointer: usize, bytes: u32, seedA: u64, seedB: u64): u64 {
  let a = seedA;
  let b = seedB;
  let turned: u64 = 0;
  for (const end = pointer + bytes; pointer < end; pointer += 16) {
    const first = load<u64>(pointer);
    const second = load<u64>(pointer, 8);
    a = (a ^ first) * FACTOR_A;
    a ^= a >> 32;
    b = (b ^ second) * FACTOR_B;
    b ^= b >> 32;
    turned = rotl<u64>(rotl<u64>(turned, TURN) + first, TURN) + second;
  }
  let hash = a ^ rotl<u64>(b, 23);
  hash ^= hash >> 33;
  hash *= FACTOR_A;
  hash ^= (hash >> 29) ^ turned;
  hash *= FACTOR_B;
  return hash ^ (hash >> 32);
}

export function checksum(record: usize, length: u32): u64 {
  return mix(record + 8, length - 8, CHECKSUM_SEED_A, CHECKSUM_SEED_B);
}
