import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { namesOf } from "../../src/record.ts";
import type { TableOptions, Wasm } from "../../src/wasm.ts";
import { checksumOf, hashOf } from "../support/mix.ts";
import { address, makeRecord, type RecordParts } from "../support/records.ts";
import { debugWasm } from "../support/wasm.ts";

type Table = ReturnType<typeof debugWasm>;
const NOW_MS = 50_000;

function put(wasm: Wasm, parts: RecordParts, nowMs = NOW_MS): number {
  wasm.record.set(makeRecord(parts));
  wasm.settle(nowMs, 0);
  return wasm.insert(nowMs);
}

function finds(wasm: Wasm, name: string): boolean {
  wasm.question[0] = wasm.question.write(name, 1, "latin1");
  return wasm.find(layout.TYPE_A, NOW_MS) !== 0;
}

/** Another server's table that goes on with these bytes, and the number of slots that it changed. */
function adopted(image: Buffer, options: Partial<TableOptions> = {}): { wasm: Table; changed: number } {
  const wasm = debugWasm(options);
  wasm.image.set(image);
  wasm.takeOver();
  let changed = 0;
  for (let set = 0; set < wasm.setCount; set++) changed += wasm.adopt(set, NOW_MS);
  wasm.check();
  return { wasm, changed };
}

/** Gives the slot the right checksum for whatever stands in it. */
function sealAgain(wasm: Wasm, slot: number): void {
  const record = wasm.image.subarray(slot, slot + wasm.image.readUInt16LE(slot + layout.RECORD_LENGTH));
  record.writeBigUInt64LE(checksumOf(record), layout.RECORD_CHECKSUM);
}

function tagOf(slot: number): number {
  const set = slot - (slot % layout.SET_BYTES);
  return set + ((slot - set - layout.TAG_LINE_BYTES) / layout.SLOT_BYTES) * layout.TAG_BYTES;
}

const one = { data: [address(1), address(2)] };

describe("a table that was read back", () => {
  test("goes on with every entry, expired ones too, and counts them", () => {
    const before = debugWasm({ entries: 800 });
    for (let i = 0; i < 500; i++) put(before, { name: `n${i}.example`, ttl: 1 + (i % 3000), ...one }, i * 100);
    const { wasm, changed } = adopted(before.image, { entries: 800 });
    expect(changed).toBe(0);
    expect(wasm.usedCount()).toBe(before.usedCount());
    expect(Buffer.compare(wasm.image, before.image)).toBe(0);
    for (let i = 0; i < 500; i++) expect(finds(wasm, `n${i}.example`)).toBe(finds(before, `n${i}.example`));
  });

  test("is found with the seeds that stand in its header", () => {
    const random = (bytes: Uint8Array) => bytes.fill(61);
    const before = debugWasm({ entries: 800, random });
    for (let i = 0; i < 50; i++) put(before, { name: `n${i}.example`, ...one });
    const { wasm, changed } = adopted(before.image, { entries: 800 });
    expect([changed, wasm.usedCount()]).toEqual([0, 50]);
    expect(finds(wasm, "n7.example")).toBe(true);
    put(wasm, { name: "n7.example", ...one });
    expect(wasm.usedCount()).toBe(50);
    wasm.check();
  });

  const damages: [string, (wasm: Wasm, slot: number) => void][] = [
    ["a wrong byte", ({ image }, slot) => image.writeUInt8(7, slot + layout.RECORD_TTL_SECONDS)],
    ["a wrong tag", ({ image }, slot) => image.writeBigUInt64LE(5n, tagOf(slot))],
    ["no tag", ({ image }, slot) => image.writeBigUInt64LE(0n, tagOf(slot))],
    ["a byte behind the record", ({ image }, slot) => image.writeUInt8(1, slot + layout.SLOT_BYTES - 1)],
    ["the first half written", ({ image }, slot) => image.fill(0, slot + 40, slot + layout.SLOT_BYTES)],
    ["a length past the slot", ({ image }, slot) => image.writeUInt16LE(65528, slot + layout.RECORD_LENGTH)],
    ["no length", ({ image }, slot) => image.writeUInt16LE(0, slot + layout.RECORD_LENGTH)],
    ["generation 0", (wasm, slot) => wasm.image.writeUInt32LE(0, slot + layout.RECORD_GENERATION)],
  ];
  const sealed: [string, (wasm: Wasm, slot: number) => void][] = [
    ["generation 0", ({ image }, slot) => image.writeUInt32LE(0, slot + layout.RECORD_GENERATION)],
    ["an outcome that is never kept", ({ image }, slot) => image.writeUInt8(4, slot + layout.RECORD_OUTCOME)],
    ["an outcome without data, and data", ({ image }, slot) => image.writeUInt8(2, slot + layout.RECORD_OUTCOME)],
    [
      "more data than there is room for",
      ({ image }, slot) => image.writeUInt16LE(9999, slot + layout.RECORD_DATA_COUNT),
    ],
    ["less data than it is long", ({ image }, slot) => image.writeUInt16LE(296, slot + layout.RECORD_LENGTH)],
    ["data past its end", ({ image }, slot) => image.writeUInt16LE(9999, slot + layout.RECORD_DATA_OFFSET)],
    ["more names than there are", ({ image }, slot) => image.writeUInt8(255, slot + layout.RECORD_CHAIN_COUNT)],
    ["an odd name in the chain", ({ image }, slot) => image.writeUInt8(16, slot + layout.RECORD_CHAIN_COUNT)],
    ["a name past its end", ({ image }, slot) => image.writeUInt8(255, slot + layout.RECORD_NAMES)],
    ["another name than its tag's", ({ image }, slot) => image.write("x", slot + layout.RECORD_NAMES + 1)],
    [
      "a type that is not kept",
      ({ image }, slot) => {
        const seeds = [layout.HEADER_SEED_A, layout.HEADER_SEED_B].map((at) => image.readBigUInt64LE(at));
        image.writeUInt16LE(16, slot + layout.RECORD_TYPE);
        image.writeBigUInt64LE(hashOf("b.example", 16, ...(seeds as [bigint, bigint])), tagOf(slot));
      },
    ],
    [
      "an end moved further than there was time",
      ({ image }, slot) => image.writeUInt32LE(9e8, slot + layout.RECORD_STALE_MS),
    ],
    [
      "an end moved further than for 30 s",
      ({ image }, slot) => {
        image.writeUInt32LE(1, slot + layout.RECORD_STALE_MS);
        image.writeBigUInt64LE(BigInt(NOW_MS + 30_001), slot + layout.RECORD_EXPIRES_AT_MS);
      },
    ],
    ["a refresh after its end", ({ image }, slot) => image.writeUInt8(255, slot + layout.RECORD_REFRESH_AT_MS + 6)],
    ["an end too far ahead", ({ image }, slot) => image.writeUInt8(1, slot + layout.RECORD_EXPIRES_AT_MS + 4)],
  ];
  test.each([
    ...damages,
    ...sealed.map(([what, damage]): (typeof damages)[number] => [
      `${what}, and a right checksum`,
      (wasm, slot) => {
        damage(wasm, slot);
        if (wasm.image.readUInt16LE(slot + layout.RECORD_LENGTH) <= layout.SLOT_BYTES) sealAgain(wasm, slot);
      },
    ]),
  ])("loses a slot with %s, and no other", (_what, damage) => {
    const before = debugWasm({ entries: 8 });
    const slots = ["a", "b", "c"].map((label) => put(before, { name: `${label}.example`, ...one }));
    damage(before, slots[1] as number);
    const { wasm, changed } = adopted(before.image, { entries: 8, maxNegativeTtlSeconds: 3600 });
    expect([changed, wasm.usedCount()]).toEqual([1, 2]);
    expect(["a", "b", "c"].map((label) => finds(wasm, `${label}.example`))).toEqual([true, false, true]);
    expect(adopted(wasm.image, { entries: 8 }).changed).toBe(0);
  });

  test("keeps one of a question that is there twice", () => {
    const before = debugWasm({ entries: 8 });
    const slot = put(before, { name: "a.example", ...one });
    before.image.copy(before.image, slot + layout.SLOT_BYTES, slot, slot + layout.SLOT_BYTES);
    before.image.copy(before.image, tagOf(slot) + layout.TAG_BYTES, tagOf(slot), tagOf(slot) + layout.TAG_BYTES);
    const { wasm, changed } = adopted(before.image, { entries: 8 });
    expect([changed, wasm.usedCount(), finds(wasm, "a.example")]).toEqual([1, 1, true]);
  });

  test("loses what is in another set than its own", () => {
    const before = debugWasm({ entries: 16 });
    const slot = put(before, { name: "a.example", ...one });
    const set = slot - (slot % layout.SET_BYTES);
    const other = set === layout.HEADER_BYTES ? set + layout.SET_BYTES : layout.HEADER_BYTES;
    before.image.copy(before.image, other, set, set + layout.SET_BYTES);
    before.image.fill(0, set, set + layout.SET_BYTES);
    const { wasm, changed } = adopted(before.image, { entries: 16 });
    expect([changed, wasm.usedCount()]).toEqual([1, 0]);
  });

  test.each<[string, Partial<TableOptions>, RecordParts, number]>([
    ["data for the maximum", { maxTtlSeconds: 60 }, { name: "a", ttl: 60, ...one }, 1],
    ["data for longer", { maxTtlSeconds: 59 }, { name: "a", ttl: 60, ...one }, 0],
    ["a denial for its maximum", { maxNegativeTtlSeconds: 20 }, { name: "a", ttl: 20 }, 1],
    ["a denial for longer", { maxNegativeTtlSeconds: 19 }, { name: "a", ttl: 20 }, 0],
    ["a denial for longer than anything", { maxTtlSeconds: 19 }, { name: "a", ttl: 20 }, 0],
  ])("has an end that its present limits allow: %s", (_what, limits, parts, entries) => {
    const before = debugWasm({ entries: 8 });
    put(before, parts);
    expect(adopted(before.image, { entries: 8, ...limits }).wasm.usedCount()).toBe(entries);
  });

  /** Data whose own end was 20 s ago, given out until 30 s from now. */
  function stale(): { before: Table; slot: number } {
    const before = debugWasm({ entries: 8 });
    const slot = put(before, { name: "a.example", ttl: 10, ...one }, NOW_MS - 30_000);
    before.peek(layout.TYPE_A);
    before.extend(NOW_MS, 3600);
    before.rewrite(slot);
    return { before, slot };
  }

  test("goes on with what was being given out stale, and within the same bound", () => {
    const { before, slot } = stale();
    const { wasm, changed } = adopted(before.image, { entries: 8, maxTtlSeconds: 10 });
    expect([changed, finds(wasm, "a.example")]).toEqual([0, true]);
    expect(wasm.image.readUInt32LE(slot + layout.RECORD_STALE_MS)).toBe(50_000);
    expect(wasm.peek(layout.TYPE_A)).toBe(slot);
    expect([wasm.isInReach(NOW_MS + 39_999, 60), wasm.isInReach(NOW_MS + 40_000, 60)]).toEqual([1, 0]);
    expect([wasm.extend(NOW_MS + 39_000, 60), wasm.extend(NOW_MS + 39_000, 60)]).toEqual([1, 0]);
  });

  test.each<[string, (image: Buffer, slot: number) => void]>([
    [
      "longer than 30 s from now",
      (image, slot) => image.writeBigUInt64LE(BigInt(NOW_MS + 30_001), slot + layout.RECORD_EXPIRES_AT_MS),
    ],
    [
      "though it is a denial",
      (image, slot) => {
        image.writeUInt8(layout.OUTCOME_NO_DATA, slot + layout.RECORD_OUTCOME);
        image.fill(0, slot + layout.RECORD_DATA_COUNT, slot + layout.RECORD_DATA_COUNT + 2);
        image.fill(0, slot + image.readUInt16LE(slot + layout.RECORD_DATA_OFFSET), slot + layout.SLOT_BYTES);
      },
    ],
  ])("loses what would be given out stale %s", (_what, damage) => {
    const { before, slot } = stale();
    damage(before.image, slot);
    sealAgain(before, slot);
    const { wasm, changed } = adopted(before.image, { entries: 8, maxNegativeTtlSeconds: 3600 });
    expect([changed, wasm.usedCount()]).toEqual([1, 0]);
  });

  test("counts the writes of a slot on, whether it is kept or emptied", () => {
    const before = debugWasm({ entries: 8 });
    let slot = 0;
    for (let i = 0; i < 5; i++) slot = put(before, { name: "a.example", ...one });
    before.image[slot + layout.RECORD_NAMES + 1] = 0;
    const { wasm } = adopted(before.image, { entries: 8 });
    expect(put(wasm, { name: "a.example", ...one })).toBe(slot);
    expect(wasm.image.readUInt32LE(slot + layout.RECORD_GENERATION)).toBe(6);
  });

  const bytes = fc.array(fc.record({ at: fc.nat(layout.SET_BYTES - 1), value: fc.nat(255) }), { maxLength: 20 });
  test("of any bytes is sound afterwards, and gives out nothing that was not put in", () => {
    fc.assert(
      fc.property(bytes, (changes) => {
        const before = debugWasm({ entries: 8 });
        const names = Array.from({ length: 8 }, (_, i) => `n${i}.example`);
        const slots = names.map((name) => put(before, { name, ...one }));
        const original = Buffer.from(before.image);
        for (const { at, value } of changes) before.image[layout.HEADER_BYTES + at] = value;
        const { wasm, changed } = adopted(before.image, { entries: 8 });
        expect(wasm.usedCount()).toBe(8 - changed);
        for (const slot of slots) {
          const now = wasm.image.subarray(slot, slot + layout.SLOT_BYTES);
          if (wasm.image.readBigUInt64LE(tagOf(slot)) === 0n) continue;
          expect(Buffer.compare(now, original.subarray(slot, slot + layout.SLOT_BYTES))).toBe(0);
        }
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  test("with any fields and a right checksum is sound afterwards", () => {
    const field = fc.record({ at: fc.integer({ min: 8, max: 120 }), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 4 }), (changes) => {
        const before = debugWasm({ entries: 8 });
        const slot = put(before, { name: "n.example", chain: ["a.example", "b.example"], ...one });
        const seeds = [layout.HEADER_SEED_A, layout.HEADER_SEED_B].map((at) => before.image.readBigUInt64LE(at));
        for (const { at, value } of changes) before.image[slot + at] = value;
        const length = before.image.readUInt16LE(slot + layout.RECORD_LENGTH);
        if (length > layout.SLOT_BYTES || length % 16 !== 8) return;
        sealAgain(before, slot);
        const [name = ""] = namesOf(before.image.subarray(slot, slot + layout.SLOT_BYTES)) as [string];
        const type = before.image.readUInt16LE(slot + layout.RECORD_TYPE);
        before.image.writeBigUInt64LE(hashOf(name, type, seeds[0] as bigint, seeds[1] as bigint), tagOf(slot));
        adopted(before.image, { entries: 8 });
      }),
      { numRuns: 500, seed: 4 },
    );
  });
});
