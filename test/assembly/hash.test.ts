import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { compileInside, type Inside } from "../support/inside.ts";
import { type MixVector, mix, mixVectors } from "../support/mix.ts";

let inside: Inside<{ mix(pointer: number, bytes: number, seedA: bigint, seedB: bigint): bigint }>;
const AT = 0x10000;
const SEED_A = 0x0123456789abcdefn;
const SEED_B = 0xf1e2d3c4b5a69788n;

function mixInside(bytes: Uint8Array, seedA: bigint, seedB: bigint): bigint {
  inside.memory.set(bytes, AT);
  return BigInt.asUintN(64, inside.functions.mix(AT, bytes.length, seedA, seedB));
}

beforeAll(async () => {
  inside = await compileInside("hash");
});

test("gives the hashes of the vectors that the C side is held to", () => {
  const url = new URL("../border/mix-vectors.json", import.meta.url);
  const vectors = JSON.parse(readFileSync(url, "utf8")) as MixVector[];
  expect(vectors).toEqual(mixVectors());
  for (const { seedA, seedB, bytes, hash } of vectors) {
    const mixed = mixInside(Buffer.from(bytes, "hex"), BigInt(`0x${seedA}`), BigInt(`0x${seedB}`));
    expect(mixed.toString(16).padStart(16, "0")).toBe(hash);
  }
});

test("agrees with the same mix in BigInt", () => {
  const blocks = fc.integer({ min: 0, max: 40 }).chain((n) => fc.uint8Array({ minLength: n * 16, maxLength: n * 16 }));
  const seed = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(
    fc.property(blocks, seed, seed, (bytes, seedA, seedB) => {
      expect(mixInside(bytes, seedA, seedB)).toBe(mix(bytes, seedA, seedB));
    }),
    { numRuns: 100, seed: 1 },
  );
});

test("changes with each single bit of the input", () => {
  const bytes = Buffer.from("\x0fwww.example.com".padEnd(48, "\0"), "latin1");
  const hashes = new Set([mixInside(bytes, SEED_A, SEED_B)]);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    hashes.add(mixInside(changed, SEED_A, SEED_B));
  }
  expect(hashes.size).toBe(1 + bytes.length * 8);
});

test("sees a difference that a later word could take back if words went through constant products", () => {
  const bytes = Buffer.from("\x4fwww.a-name-of-some-length.example.com".padEnd(80, "\0"), "latin1");
  const flipped = (bits: number[]) => {
    const changed = Buffer.from(bytes);
    for (const bit of bits) changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    return mixInside(changed, SEED_A, SEED_B);
  };
  for (let word = 0; word < 8; word++) {
    const high = word * 64 + 63;
    expect(flipped([high, high + 128, high + 96]), `word ${word}`).not.toBe(mixInside(bytes, SEED_A, SEED_B));
  }
});
