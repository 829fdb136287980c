import { describe, expect, test } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { createCache } from "../../src/cache.ts";
import {
  addressesOf,
  expiresAtMsOf,
  generationOf,
  limitTtl,
  namesOf,
  outcomeOf,
  refreshAtMsOf,
  ttlOf,
  typeOf,
} from "../../src/record.ts";
import type { TableOptions } from "../../src/wasm.ts";
import { checksumOf } from "../support/mix.ts";
import { address, makeRecord, type RecordParts } from "../support/records.ts";
import { debugWasm } from "../support/wasm.ts";

const A = layout.TYPE_A;
const some = [address(1), address(2)];

function cacheOf(options: Partial<TableOptions> = {}) {
  const wasm = debugWasm(options);
  const cache = createCache(wasm, () => undefined);
  return {
    ...cache,
    wasm,
    keepNew: (parts: RecordParts, nowMs = 0, usualMs = 0) => cache.keep(makeRecord(parts), nowMs, usualMs),
    ask: (name: string, nowMs = 0, type = A) => cache.find({ name, type }, nowMs)?.record,
    hits: (name: string) => cache.find({ name, type: A }, 0)?.hits,
  };
}

function isSealed(record: Uint8Array): boolean {
  return Buffer.from(record).readBigUInt64LE(layout.RECORD_CHECKSUM) === checksumOf(record);
}

const many = (count: number) => Array.from({ length: count }, (_, i) => address(i));

describe("the cache", () => {
  test("gives out what it kept, sealed, until the ttl ends", () => {
    const { keepNew, ask } = cacheOf();
    const kept = keepNew({ name: "a.example", ttl: 10, chain: ["b.example", "c.example"], data: some }, 5000.7);
    expect(isSealed(kept)).toBe(true);
    expect(ask("a.example", 14_999)).toEqual(kept);
    expect(ask("a.example", 15_000)).toBeUndefined();
    expect(namesOf(kept)).toEqual(["a.example", "b.example", "c.example"]);
    expect(addressesOf(kept)).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect([expiresAtMsOf(kept), refreshAtMsOf(kept), ttlOf(kept), generationOf(kept)]).toEqual([
      15_000, 14_000, 10, 1,
    ]);
  });

  test("gives out copies", () => {
    const { keepNew, ask } = cacheOf();
    keepNew({ name: "a.example", data: some }).fill(0);
    ask("a.example")?.fill(0);
    keepNew({ name: "b.example", data: some });
    keepNew({ name: "long.example", data: many(200) }).fill(0);
    ask("long.example")?.fill(0);
    expect(isSealed(ask("long.example") as Uint8Array)).toBe(true);
    expect(isSealed(ask("a.example") as Uint8Array)).toBe(true);
  });

  test("leaves the caller's record as it was", () => {
    const record = makeRecord({ name: "a.example", ttl: 9999, data: some });
    const before = record.slice();
    cacheOf().keep(record, 77, 0);
    expect(record).toEqual(before);
  });

  test.each([
    ["the last tenth of the ttl", 60, 100, 54_000],
    ["the last tenth, as long as two answers", 60, 3000, 54_000],
    ["twice the usual time, where that is longer", 60, 3001, 53_998],
    ["twice the usual time of a short ttl", 2, 200.25, 1600],
    ["half of the ttl, where an answer takes a quarter of it", 2, 500, 1000],
    ["half of the ttl, where an answer takes longer", 2, 501, 1000],
    ["half of the ttl, where an answer takes longer than that", 2, 5000, 1000],
  ])("has a record refreshed in %s", (_when, ttl, usualMs, refreshAfterMs) => {
    const { keepNew } = cacheOf();
    const record = keepNew({ name: "a.example", ttl, data: some }, 7000, usualMs);
    expect([refreshAtMsOf(record), expiresAtMsOf(record)]).toEqual([7000 + refreshAfterMs, 7000 + ttl * 1000]);
    const long = keepNew({ name: "a.example", ttl, data: many(150) }, 7000, usualMs);
    expect([refreshAtMsOf(long), expiresAtMsOf(long)]).toEqual([7000 + refreshAfterMs, 7000 + ttl * 1000]);
  });

  test("counts the hits of an entry since it was last written, of a long one too", () => {
    const { keepNew, hits } = cacheOf();
    for (const count of [2, 150]) {
      keepNew({ name: "a.example", data: many(count) });
      expect([hits("a.example"), hits("a.example"), hits("a.example")]).toEqual([1, 2, 3]);
    }
    keepNew({ name: "a.example", data: many(151) });
    expect(hits("a.example")).toBe(1);
  });

  test("tells of each slot that has changed, and of no other", () => {
    const wasm = debugWasm();
    const changed: number[] = [];
    const { keep } = createCache(wasm, (slot) => void changed.push(slot));
    const put = (name: string, count: number, ttl = 60) =>
      keep(makeRecord({ name, ttl, data: many(count) }), 0, 0) && changed.splice(0);
    const [slot] = put("a.example", 2);
    expect(slot).toBeGreaterThan(layout.HEADER_BYTES);
    expect(put("a.example", 3)).toEqual([slot]);
    expect(put("a.example", 3, 0)).toEqual([]);
    expect(put("a.example", 150)).toEqual([slot]);
    expect(put("a.example", 151).filter((each) => each !== 0)).toEqual([]);
    expect(put("a.example", 2)).toHaveLength(1);
  });

  test("clamps the ttl of data to minimum and maximum", () => {
    const { keepNew } = cacheOf({ minTtlSeconds: 5, maxTtlSeconds: 100 });
    const ttlFor = (ttl: number) => ttlOf(keepNew({ name: "a.example", ttl, data: some }));
    expect([0, 4, 5, 50, 100, 101, 0x7fffffff].map(ttlFor)).toEqual([5, 5, 5, 50, 100, 100, 100]);
  });

  test("clamps the ttl of negative answers to their own maximum, and never lengthens it", () => {
    const { keepNew } = cacheOf({ minTtlSeconds: 5, maxTtlSeconds: 100, maxNegativeTtlSeconds: 30 });
    for (const outcome of [layout.OUTCOME_NO_DATA, layout.OUTCOME_NO_NAME]) {
      const ttlFor = (ttl: number) => ttlOf(keepNew({ name: "a.example", ttl, outcome }));
      expect([0, 1, 30, 31, 5000].map(ttlFor)).toEqual([0, 1, 30, 30, 30]);
    }
  });

  test("gives out a record of ttl 0 and does not keep it", () => {
    const { keepNew, ask, stats } = cacheOf();
    const given = keepNew({ name: "a.example", ttl: 0, data: some });
    expect(isSealed(given)).toBe(true);
    expect(addressesOf(given)).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(ask("a.example")).toBeUndefined();
    expect(stats().entries).toBe(0);
  });

  test.each([layout.OUTCOME_TEMPORARY, layout.OUTCOME_UNFIT])("keeps no outcome %d, whatever its ttl", (outcome) => {
    const { keepNew, ask } = cacheOf();
    const given = keepNew({ name: "a.example", ttl: 60, outcome });
    expect(isSealed(given)).toBe(true);
    expect(ttlOf(given)).toBe(0);
    expect(ask("a.example")).toBeUndefined();
  });

  test("makes bare records that are sealed and kept nowhere", () => {
    const { bare, ask } = cacheOf();
    const record = bare({ name: "a.example", type: layout.TYPE_AAAA }, layout.OUTCOME_TEMPORARY, 1234);
    expect(isSealed(record)).toBe(true);
    expect([outcomeOf(record), typeOf(record), expiresAtMsOf(record)]).toEqual([4, layout.TYPE_AAAA, 1234]);
    expect([namesOf(record), addressesOf(record)]).toEqual([["a.example"], []]);
    expect(ask("a.example", 0, layout.TYPE_AAAA)).toBeUndefined();
  });

  test("refuses what is not a whole record", () => {
    const { keep } = cacheOf();
    const record = makeRecord({ name: "a.example", data: some });
    expect(() => keep(record.subarray(0, 56), 0, 0)).toThrow(RangeError);
    expect(() => keep(new Uint8Array(3), 0, 0)).toThrow(RangeError);
    expect(() => keep(new Uint8Array(0), 0, 0)).toThrow(RangeError);
  });

  test("takes a ttl that the caller cut down before", () => {
    const { keep } = cacheOf();
    const record = makeRecord({ name: "a.svc.cluster.local", ttl: 30, outcome: layout.OUTCOME_NO_NAME });
    limitTtl(record, 5);
    expect(ttlOf(keep(record, 0, 0))).toBe(5);
    limitTtl(record, 50);
    expect(ttlOf(record)).toBe(5);
  });
});

describe("hits that readers of the published table tell of", () => {
  /** A cache with an entry, and where a reader sees it. */
  function published(ttl = 60) {
    const one = cacheOf({ entries: 16 });
    const at = { offset: 0 };
    const { keep, use, find } = createCache(one.wasm, (slotOffset) => {
      at.offset = slotOffset;
    });
    keep(makeRecord({ name: "b.example", data: some }), 0, 0);
    const record = keep(makeRecord({ name: "a.example", ttl, data: some }), 0, 0);
    const set = Math.floor((at.offset - layout.HEADER_BYTES) / layout.SET_BYTES);
    const inSet = (at.offset % layout.SET_BYTES) - layout.TAG_LINE_BYTES;
    const slot = set * layout.WAYS + inSet / layout.SLOT_BYTES;
    return { ...one, keep, use, find, slot, record, generation: generationOf(record) };
  }

  test("are added to the entry's", () => {
    const { use, find, slot, generation } = published();
    expect(use(slot, generation, 3)?.hits).toBe(3);
    expect(find({ name: "a.example", type: A }, 0)?.hits).toBe(4);
    expect(use(slot, generation, 0)?.hits).toBe(4);
    expect(use(slot, generation, 65_530)?.hits).toBe(65_534);
    expect(use(slot, generation, 65_535)?.hits).toBe(65_535);
  });

  test("say which question it is, and when it is to be refreshed", () => {
    const { use, slot, generation, record } = published();
    const held = use(slot, generation, 1);
    expect(held?.question()).toEqual({ name: "a.example", type: A });
    expect(held?.refreshAtMs).toBe(refreshAtMsOf(record));
  });

  test("keep the entry when others give way, as long as there are any", () => {
    const wasm = debugWasm({ entries: 8 });
    const { keep, use, find } = createCache(wasm, () => undefined);
    const put = (name: string) => void keep(makeRecord({ name, data: some }), 0, 0);
    for (let i = 0; i < 8; i++) put(`n${i}`);
    for (const [slot, hits] of [1, 1, 0, 1, 1, 1, 1, 1].entries()) use(slot, 1, hits);
    put("new");
    expect(find({ name: "n2", type: A }, 0)).toBeUndefined();
    expect(find({ name: "n0", type: A }, 0)).toBeDefined();
  });

  test("are ignored where the slot is empty, holds another record, or does not exist", () => {
    const { use, keep, find, slot, generation, wasm } = published();
    expect(use(slot, generation + 1, 1)).toBeUndefined();
    expect(use(slot, 0, 1)).toBeUndefined();
    for (const none of [16, 17, 0xffffffff]) expect(use(none, 0, 1)).toBeUndefined();
    for (let any = 0; any < 16; any++) use(any, 0, 1);
    keep(makeRecord({ name: "a.example", data: some }), 0, 0);
    expect(use(slot, generation, 1)).toBeUndefined();
    expect(find({ name: "a.example", type: A }, 0)?.hits).toBe(1);
    keep(makeRecord({ name: "a.example", data: many(150) }), 0, 0); // empties the slot
    expect(use(slot, generation + 1, 1)).toBeUndefined();
    wasm.check();
  });

  test("are told apart by the low half of the generation", () => {
    const { use, wasm, slot } = published();
    const at = layout.HEADER_BYTES + Math.floor(slot / 8) * layout.SET_BYTES + layout.TAG_LINE_BYTES;
    wasm.image.writeUInt32LE(0x12345678, at + (slot % 8) * layout.SLOT_BYTES + layout.RECORD_GENERATION);
    expect(use(slot, 0x5678, 1)).toBeDefined();
    expect(use(slot, 0x1234, 1)).toBeUndefined();
  });

  test("are for the table whose epoch they name", () => {
    const { isEpoch, wasm } = cacheOf();
    const epoch = Buffer.from(wasm.image.subarray(layout.HEADER_EPOCH, layout.HEADER_EPOCH + 8));
    expect(isEpoch(epoch)).toBe(true);
    for (let i = 0; i < 8; i++) {
      const other = Buffer.from(epoch);
      other[i] = (other[i] as number) ^ 1;
      expect(isEpoch(other)).toBe(false);
    }
    expect(isEpoch(epoch.subarray(1))).toBe(false);
  });
});

describe("a record that does not fit a slot", () => {
  test("is kept beside the table, whole, by the same rules", () => {
    const { keepNew, ask, stats, wasm } = cacheOf();
    const kept = keepNew({ name: "a.example", ttl: 10, data: many(500) }, 1000);
    expect(isSealed(kept)).toBe(true);
    expect(ask("a.example", 10_999)).toEqual(kept);
    expect(addressesOf(ask("a.example", 10_999) as Uint8Array).length).toBe(500);
    expect(ask("a.example", 11_000)).toBeUndefined();
    expect(ask("a.example", 2000, layout.TYPE_AAAA)).toBeUndefined();
    expect(stats()).toEqual({ entries: 0, longEntries: 1, longBytes: kept.length, evicted: 0 });
    wasm.check();
  });

  test("takes the place of one that did, and the reverse", () => {
    const { keepNew, ask, stats, wasm } = cacheOf();
    keepNew({ name: "a.example", data: some });
    keepNew({ name: "a.example", data: many(200) });
    expect([stats().entries, stats().longEntries]).toEqual([0, 1]);
    expect(addressesOf(ask("a.example") as Uint8Array).length).toBe(200);
    keepNew({ name: "a.example", data: some });
    expect([stats().entries, stats().longEntries, stats().longBytes]).toEqual([1, 0, 0]);
    expect(addressesOf(ask("a.example") as Uint8Array).length).toBe(2);
    wasm.check();
  });

  test("is not given up for an answer that is not kept", () => {
    const { keepNew, ask } = cacheOf();
    keepNew({ name: "a.example", data: many(200) });
    keepNew({ name: "a.example", ttl: 0, data: some });
    expect(addressesOf(ask("a.example") as Uint8Array).length).toBe(200);
  });

  test("gives way, the oldest first, when there are more than 1,024", () => {
    const { keepNew, ask, stats } = cacheOf();
    for (let i = 0; i < 1025; i++) keepNew({ name: `n${i}.example`, data: many(150) });
    keepNew({ name: "n1.example", data: many(151) }); // young again
    keepNew({ name: "n1025.example", data: many(150) });
    expect(stats().longEntries).toBe(1024);
    expect(["n0", "n1", "n2", "n3"].map((name) => ask(`${name}.example`) !== undefined)).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  test("gives way when they are more than 8 MiB, and the count of bytes stays right", () => {
    const { keepNew, ask, stats } = cacheOf();
    const bytes = makeRecord({ name: "n000.example", data: many(16_000) }).length;
    const fitting = Math.floor((8 * 1024 * 1024) / bytes);
    for (let i = 0; i <= fitting; i++) keepNew({ name: `n${String(i).padStart(3, "0")}.example`, data: many(16_000) });
    expect(stats()).toMatchObject({ longEntries: fitting, longBytes: fitting * bytes });
    expect(ask("n000.example")).toBeUndefined();
    expect(ask("n001.example")).toBeDefined();
  });
});

describe("reading records", () => {
  test.each([
    ["00000000000000000000000000000000", "::"],
    ["00000000000000000000000000000001", "::1"],
    ["20010db8000000000000000000000001", "2001:db8::1"],
    ["20010db8000000010000000000000001", "2001:db8:0:1::1"],
    ["20010db8000100000001000000000001", "2001:db8:1:0:1::1"],
    ["20010db8000000000001000000000001", "2001:db8::1:0:0:1"],
    ["20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"],
    ["fe800000000000000000000000000000", "fe80::"],
    ["00000000000000000000ffffc0000201", "::ffff:192.0.2.1"],
  ])("writes %s as %s", (hex, text) => {
    const record = makeRecord({ name: "a", type: layout.TYPE_AAAA, data: [Buffer.from(hex, "hex")] });
    expect(addressesOf(record)).toEqual([text]);
  });

  test("gives the names of PTR", () => {
    const record = makeRecord({ name: "1.in-addr.arpa", type: layout.TYPE_PTR, data: ["a.example", "b.example"] });
    expect(addressesOf(record)).toEqual(["a.example", "b.example"]);
  });
});
