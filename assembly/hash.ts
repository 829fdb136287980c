// One mix, for the table's hash and for the record's checksum: sixteen bytes become the factors of a 128-bit product, whose
// halves are folded together. shim/ has the same in C; test/border/mix-vectors.json holds both to it.
//
// Each word meets a value that its neighbours' bits have gone through, so that no fixed change of one word takes back a
// fixed change of another, as in a lane that multiplies by a constant.

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

const LOW: u64 = 0xffffffff;

/** `bytes` is a multiple of 16. */
export function mix(pointer: usize, bytes: u32, seedA: u64, seedB: u64): u64 {
  let hash = seedA;
  for (const end = pointer + bytes; pointer < end; pointer += 16) {
    hash = fold(load<u64>(pointer) ^ seedB, load<u64>(pointer, 8) ^ hash);
  }
  return fold(hash ^ FACTOR_A, seedB ^ FACTOR_B);
}

export function checksum(record: usize, length: u32): u64 {
  return mix(record + 8, length - 8, CHECKSUM_SEED_A, CHECKSUM_SEED_B);
}

/** Wasm's product has 64 bits: the upper half comes from the products of halves. */
function fold(one: u64, other: u64): u64 {
  const oneHigh = one >> 32;
  const otherHigh = other >> 32;
  const low = (one & LOW) * (other & LOW);
  const middle = oneHigh * (other & LOW) + (low >> 32);
  const cross = (one & LOW) * otherHigh + (middle & LOW);
  const high = oneHigh * otherHigh + (middle >> 32) + (cross >> 32);
  return (one * other) ^ high;
}
