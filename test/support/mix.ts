// The mix of assembly/hash.ts once more, in BigInt, and the vectors that the C side is held to as well.

import {
  CHECKSUM_SEED_A_HIGH,
  CHECKSUM_SEED_A_LOW,
  CHECKSUM_SEED_B_HIGH,
  CHECKSUM_SEED_B_LOW,
  MIX_FACTOR_A_HIGH,
  MIX_FACTOR_A_LOW,
  MIX_FACTOR_B_HIGH,
  MIX_FACTOR_B_LOW,
} from "../../assembly/layout.ts";

const u64 = (value: bigint) => BigInt.asUintN(64, value);
const whole = (high: number, low: number) => (BigInt(high) << 32n) | BigInt(low);
const FACTOR_A = whole(MIX_FACTOR_A_HIGH, MIX_FACTOR_A_LOW);
const FACTOR_B = whole(MIX_FACTOR_B_HIGH, MIX_FACTOR_B_LOW);
const CHECKSUM_SEED_A = whole(CHECKSUM_SEED_A_HIGH, CHECKSUM_SEED_A_LOW);
export const CHECKSUM_SEED_B = whole(CHECKSUM_SEED_B_HIGH, CHECKSUM_SEED_B_LOW);

const fold = (one: bigint, other: bigint) => u64(one * other) ^ ((one * other) >> 64n);

function chain(bytes: Uint8Array, seedA: bigint, seedB: bigint): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = seedA;
  for (let at = 0; at < bytes.length; at += 16) {
    hash = fold(view.getBigUint64(at, true) ^ seedB, view.getBigUint64(at + 8, true) ^ hash);
  }
  return hash;
}

export function mix(bytes: Uint8Array, seedA: bigint, seedB: bigint): bigint {
  return fold(chain(bytes, seedA, seedB) ^ FACTOR_A, seedB ^ FACTOR_B);
}

/** What a record's checksum has come to before this offset. */
export function chained(record: Uint8Array, offset: number): bigint {
  return chain(record.subarray(8, offset), CHECKSUM_SEED_A, CHECKSUM_SEED_B);
}

export function checksumOf(record: Uint8Array): bigint {
  return mix(record.subarray(8), CHECKSUM_SEED_A, CHECKSUM_SEED_B);
}

export function hashOf(name: string, type: number, seedA: bigint, seedB: bigint): bigint {
  const bytes = new Uint8Array((1 + name.length + 15) & ~15);
  bytes[0] = name.length;
  bytes.set(Buffer.from(name, "latin1"), 1);
  return mix(bytes, seedA ^ BigInt(type), seedB) || 1n;
}

export interface MixVector {
  seedA: string;
  seedB: string;
  bytes: string;
  hash: string;
}

/** Hexadecimal; numbers with the high digit first, bytes as they lie in memory. */
export function mixVectors(): MixVector[] {
  const hex = (value: bigint) => value.toString(16).padStart(16, "0");
  const pseudorandom = (count: number) =>
    Uint8Array.from({ length: count }, (_, i) => (i * 167 + (i >> 3) * 59 + 13) & 255);
  const inputs: [bigint, bigint, Uint8Array][] = [
    [0n, 0n, new Uint8Array(0)],
    [0n, 0n, new Uint8Array(16)],
    [1n, 0n, new Uint8Array(16)],
    [0n, 1n, new Uint8Array(16)],
    [u64(-1n), u64(-1n), new Uint8Array(16).fill(255)],
    [CHECKSUM_SEED_A, CHECKSUM_SEED_B, pseudorandom(48)],
    [CHECKSUM_SEED_A, CHECKSUM_SEED_B, pseudorandom(496)],
    [0x0123456789abcdefn, 0xfedcba9876543210n, pseudorandom(32)],
    [0x0123456789abcdefn ^ 28n, 0xfedcba9876543210n, Buffer.from("\x0fwww.example.com", "latin1")],
  ];
  return inputs.map(([seedA, seedB, bytes]) => ({
    seedA: hex(seedA),
    seedB: hex(seedB),
    bytes: Buffer.from(bytes).toString("hex"),
    hash: hex(mix(bytes, seedA, seedB)),
  }));
}
