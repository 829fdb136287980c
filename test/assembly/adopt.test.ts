import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { namesOf } from "../../src/table/record.ts";
import type { TableOptions, Wasm } from "../../src/table/wasm.ts";
import { editSlot, unmasked } from "../support/masks.ts";
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

function slotAt({ image }: Wasm, slot: number): Buffer {
  return image.subarray(slot, slot + layout.SLOT_BYTES);
}

/** Gives the slot the right checksum for whatever stands in it, where its length has one. */
function sealAgain(wasm: Wasm, at: number): void {
  const slot = slotAt(wasm, at);
  let length = 0;
  editSlot(slot, (plain) => {
    length = plain.readUInt16LE(layout.RECORD_LENGTH);
  });
  if (length > layout.SLOT_BYTES || length % 16 !== 8) return;
  slot.writeBigUInt64LE(checksumOf(slot.subarray(0, length)), layout.RECORD_CHECKSUM);
}

function tagOf(slot: number): number {
  const set = slot - (slot % layout.SET_BYTES);
  return set + ((slot - set - layout.TAG_LINE_BYTES) / layout.SLOT_BYTES) * layout.TAG_BYTES;
}

const one = { data: [address(1), address(2)] };

describe("a table that none of the last one's sets are adopted into", () => {
  test("is empty, and has room for as much", () => {
    const wasm = debugWasm({ entries: 64 });
    const slots = Array.from({ length: 200 }, (_, i) => put(wasm, { ...one, name: `o${i}.example` }));
    finds(wasm, "o199.example");
    const nonce = wasm.image.readUInt16LE((slots.at(-1) as number) + layout.RECORD_NONCE);
    const evicted = wasm.evictedCount();
    wasm.takeOver();
    wasm.check();
    expect([wasm.usedCount(), Array.from({ length: 8 }, (_, set) => wasm.isUsed(set))]).toEqual([0, Array(8).fill(0)]);
    expect(wasm.use(slots.at(-1) as number, nonce, 1)).toBe(0);
    for (let i = 0; i < 200; i++) expect(finds(wasm, `o${i}.example`)).toBe(false);
    wasm.check();
    const slot = put(wasm, { ...one, name: "n.example" });
    expect([wasm.usedCount(), wasm.hitsOf(slot), wasm.evictedCount(), finds(wasm, "n.example")]).toEqual([
      1,
      0,
      evicted,
      true,
    ]);
    wasm.check();
  });

  test("holds none of them, though a set is only emptied when it is used", () => {
    const wasm = debugWasm({ entries: 8 });
    for (let i = 0; i < 8; i++) put(wasm, { ...one, name: `o${i}.example` });
    wasm.takeOver();
    put(wasm, { ...one, name: "n.example" });
    wasm.check();
    const set = wasm.image.subarray(layout.HEADER_BYTES);
    const tags = Array.from({ length: layout.WAYS }, (_, way) => set.readBigUInt64LE(way * layout.TAG_BYTES));
    expect(tags.filter((tag) => tag !== 0n)).toHaveLength(1);
    expect(set.filter((byte) => byte !== 0).length).toBeLessThan(layout.SLOT_BYTES + layout.TAG_BYTES);
  });
});

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

  const seedsOf = ({ image }: Wasm): [bigint, bigint] => [
    image.readBigUInt64LE(layout.HEADER_SEED_A),
    image.readBigUInt64LE(layout.HEADER_SEED_B),
  ];
  const damages: [string, (wasm: Wasm, slot: number) => void][] = [
    ["a wrong byte", ({ image }, slot) => image.writeUInt8(7, slot + layout.RECORD_TTL_SECONDS)],
    ["a wrong tag", ({ image }, slot) => image.writeBigUInt64LE(5n, tagOf(slot))],
    ["no tag", ({ image }, slot) => image.writeBigUInt64LE(0n, tagOf(slot))],
    ["a byte behind the record", ({ image }, slot) => image.writeUInt8(1, slot + layout.SLOT_BYTES - 1)],
    ["the first half written", ({ image }, slot) => image.fill(0, slot + 40, slot + layout.SLOT_BYTES)],
    ["another nonce", ({ image }, slot) => image.writeBigUInt64LE(7n, slot + layout.RECORD_NONCE)],
    ["no nonce", ({ image }, slot) => image.writeBigUInt64LE(0n, slot + layout.RECORD_NONCE)],
    [
      "a record without nonce and mask, sealed",
      (wasm, at) => {
        const slot = slotAt(wasm, at);
        unmasked(slot).copy(slot);
      },
    ],
  ];
  const fields: [string, (record: Buffer, wasm: Wasm, slot: number) => void][] = [
    ["a length past the slot", (record) => record.writeUInt16LE(65528, layout.RECORD_LENGTH)],
    ["no length", (record) => record.writeUInt16LE(0, layout.RECORD_LENGTH)],
    ["an outcome that is never kept", (record) => record.writeUInt8(4, layout.RECORD_OUTCOME)],
    ["an outcome without data, and data", (record) => record.writeUInt8(2, layout.RECORD_OUTCOME)],
    ["more data than there is room for", (record) => record.writeUInt16LE(9999, layout.RECORD_DATA_COUNT)],
    ["less data than it is long", (record) => record.writeUInt16LE(296, layout.RECORD_LENGTH)],
    ["data past its end", (record) => record.writeUInt16LE(9999, layout.RECORD_DATA_OFFSET)],
    ["more names than there are", (record) => record.writeUInt8(255, layout.RECORD_CHAIN_COUNT)],
    ["an odd name in the chain", (record) => record.writeUInt8(16, layout.RECORD_CHAIN_COUNT)],
    ["a name past its end", (record) => record.writeUInt8(255, layout.RECORD_NAMES)],
    ["another name than its tag's", (record) => record.write("x", layout.RECORD_NAMES + 1)],
    [
      "a type that is not kept",
      (record, wasm, slot) => {
        record.writeUInt16LE(16, layout.RECORD_TYPE);
        wasm.image.writeBigUInt64LE(hashOf("b.example", 16, ...seedsOf(wasm)), tagOf(slot));
      },
    ],
    ["an end moved further than there was time", (record) => record.writeUInt32LE(9e8, layout.RECORD_STALE_MS)],
    [
      "an end moved further than for 30 s",
      (record) => {
        record.writeUInt32LE(1, layout.RECORD_STALE_MS);
        record.writeBigUInt64LE(BigInt(NOW_MS + 30_001), layout.RECORD_EXPIRES_AT_MS);
      },
    ],
    ["a refresh after its end", (record) => record.writeUInt8(255, layout.RECORD_REFRESH_AT_MS + 6)],
    ["an end too far ahead", (record) => record.writeUInt8(1, layout.RECORD_EXPIRES_AT_MS + 4)],
  ];
  test.each([
    ...damages,
    ...fields.map(([what, damage]): (typeof damages)[number] => [
      `${what}, and a right checksum`,
      (wasm, slot) => {
        editSlot(slotAt(wasm, slot), (record) => damage(record, wasm, slot));
        sealAgain(wasm, slot);
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
    expect(wasm.peek(layout.TYPE_A)).toBe(slot);
    expect(wasm.record.readUInt32LE(layout.RECORD_STALE_MS)).toBe(50_000);
    expect([wasm.isInReach(NOW_MS + 39_999, 60), wasm.isInReach(NOW_MS + 40_000, 60)]).toEqual([1, 0]);
    expect([wasm.extend(NOW_MS + 39_000, 60), wasm.extend(NOW_MS + 39_000, 60)]).toEqual([1, 0]);
  });

  test.each<[string, (record: Buffer) => void]>([
    [
      "longer than 30 s from now",
      (record) => record.writeBigUInt64LE(BigInt(NOW_MS + 30_001), layout.RECORD_EXPIRES_AT_MS),
    ],
    [
      "though it is a denial",
      (record) => {
        record.writeUInt8(layout.OUTCOME_NO_DATA, layout.RECORD_OUTCOME);
        record.writeUInt16LE(0, layout.RECORD_DATA_COUNT);
        record.fill(0, record.readUInt16LE(layout.RECORD_DATA_OFFSET), record.readUInt16LE(layout.RECORD_LENGTH));
      },
    ],
  ])("loses what would be given out stale %s", (_what, damage) => {
    const { before, slot } = stale();
    editSlot(slotAt(before, slot), damage);
    sealAgain(before, slot);
    const { wasm, changed } = adopted(before.image, { entries: 8, maxNegativeTtlSeconds: 3600 });
    expect([changed, wasm.usedCount()]).toEqual([1, 0]);
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
    const field = fc.record({ at: fc.integer({ min: layout.RECORD_LENGTH, max: 120 }), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 4 }), (changes) => {
        const before = debugWasm({ entries: 8 });
        const slot = put(before, { name: "n.example", chain: ["a.example", "b.example"], ...one });
        editSlot(slotAt(before, slot), (record) => {
          for (const { at, value } of changes) record[at] = value;
          const [name = ""] = namesOf(record);
          const tag = hashOf(name, record.readUInt16LE(layout.RECORD_TYPE), ...seedsOf(before));
          before.image.writeBigUInt64LE(tag, tagOf(slot));
        });
        sealAgain(before, slot);
        adopted(before.image, { entries: 8 });
      }),
      { numRuns: 500, seed: 4 },
    );
  });
});
