import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as layout from "../../../assembly/layout.ts";
import { createCache } from "../../../src/table/cache.ts";
import {
  addressesOf,
  expiresAtMsOf,
  limitTtl,
  namesOf,
  outcomeOf,
  refreshAtMsOf,
  ttlOf,
  typeOf,
} from "../../../src/table/record.ts";
import type { TableOptions, TtlLimits } from "../../../src/table/wasm.ts";
import { unmasked } from "../../support/masks.ts";
import { checksumOf } from "../../support/mix.ts";
import { address, makeRecord, type RecordParts } from "../../support/records.ts";
import { debugWasm } from "../../support/wasm.ts";

const A = layout.TYPE_A;
const some = [address(1), address(2)];

function cacheOf(options: Partial<TableOptions> = {}) {
  const wasm = debugWasm(options);
  const cache = createCache(wasm, () => undefined);
  return {
    ...cache,
    cache,
    wasm,
    keepNew: (parts: RecordParts, nowMs = 0, usualMs = 0) => cache.keep(makeRecord(parts), nowMs, usualMs),
    ask: (name: string, nowMs = 0, type = A) => cache.find({ name, type }, nowMs)?.record,
    isInTable: (name: string) => isInTable(wasm, name),
    hits: (name: string) => cache.find({ name, type: A }, 0)?.hits,
  };
}

function isInTable(wasm: ReturnType<typeof debugWasm>, name: string): boolean {
  wasm.question[0] = wasm.question.write(name, 1, "latin1");
  return wasm.peek(A) !== 0;
}

function nonceOf(record: Uint8Array): bigint {
  return Buffer.from(record).readBigUInt64LE(layout.RECORD_NONCE);
}

function isSealed(record: Uint8Array): boolean {
  return Buffer.from(record).readBigUInt64LE(layout.RECORD_CHECKSUM) === checksumOf(record);
}

const NONE_EVICTED = { evicted: 0, evictedEntries: 0, evictedDenials: 0 };
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
    expect([expiresAtMsOf(kept), refreshAtMsOf(kept), ttlOf(kept), nonceOf(kept)]).toEqual([15_000, 14_000, 10, 0n]);
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
    expect(put("a.example", 150)).toEqual([slot]);
    expect(put("b.example", 3)).toHaveLength(1);
    expect(put("b.example", 3, 0)).toHaveLength(1); // a later answer, though it is not kept
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

  test("goes by limits of the question's own where it is given some", () => {
    const { cache } = cacheOf({ minTtlSeconds: 5, maxTtlSeconds: 100, maxNegativeTtlSeconds: 30 });
    const kept = (limits: Partial<TtlLimits>, outcome: number, count = 2) => {
      const data = outcome === layout.OUTCOME_DATA ? many(count) : [];
      return [0, 1, 60, 5000].map((ttl) =>
        ttlOf(cache.keep(makeRecord({ name: "a.example", ttl, outcome, data }), 0, 0, limits)),
      );
    };
    const { OUTCOME_DATA: DATA, OUTCOME_NO_NAME: NO_NAME } = layout;
    expect(kept({}, DATA)).toEqual([5, 5, 60, 100]);
    expect(kept({ minTtlSeconds: 0 }, DATA)).toEqual([0, 1, 60, 100]);
    expect(kept({ minTtlSeconds: 70 }, DATA)).toEqual([70, 70, 70, 100]);
    expect(kept({ maxTtlSeconds: 40 }, DATA)).toEqual([5, 5, 40, 40]);
    expect(kept({ maxTtlSeconds: 400 }, DATA, 150)).toEqual([5, 5, 60, 400]);
    expect(kept({}, NO_NAME)).toEqual([0, 1, 30, 30]);
    expect(kept({ minTtlSeconds: 20, maxNegativeTtlSeconds: 50 }, NO_NAME)).toEqual([0, 1, 50, 50]);
    expect(kept({ maxTtlSeconds: 20 }, NO_NAME)).toEqual([0, 1, 20, 20]);
    expect(kept({}, DATA)).toEqual([5, 5, 60, 100]);
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

const staleMsOf = (record: Uint8Array) => Buffer.from(record).readUInt32LE(layout.RECORD_STALE_MS);

describe.each([
  ["of the table", 2],
  ["kept beside it", 150],
])("an expired record %s", (_where, count) => {
  const question = { name: "a.example", type: A };
  const DAY = 86_400;

  /** One of 10 s, whose end is at 15 s. */
  function expired(outcome: number = layout.OUTCOME_DATA) {
    const changed: number[] = [];
    const wasm = debugWasm();
    const cache = createCache(wasm, (slot) => void changed.push(slot));
    const data = outcome === layout.OUTCOME_DATA ? many(count) : [];
    const kept = cache.keep(makeRecord({ name: "a.example", ttl: 10, outcome, data }), 5000, 0);
    const [at = 0] = changed;
    const nonce = wasm.image.readBigUInt64LE(at + layout.RECORD_NONCE);
    changed.length = 0;
    return { ...cache, wasm, changed, kept, nonce };
  }

  test("is given out for 30 s at a time, and else as it was", () => {
    const { serveStale, find, kept, wasm } = expired();
    const stale = serveStale(question, 20_000.9, DAY) as Uint8Array;
    expect(isSealed(stale)).toBe(true);
    expect([expiresAtMsOf(stale), refreshAtMsOf(stale), staleMsOf(stale)]).toEqual([50_000, 47_000, 35_000]);
    expect([ttlOf(stale), outcomeOf(stale), namesOf(stale)]).toEqual([10, layout.OUTCOME_DATA, ["a.example"]]);
    expect(addressesOf(stale)).toEqual(addressesOf(kept));
    expect(find(question, 49_999)?.record).toEqual(stale);
    expect(find(question, 50_000)).toBeUndefined();
    const again = serveStale(question, 60_000, DAY) as Uint8Array;
    expect([expiresAtMsOf(again), refreshAtMsOf(again), staleMsOf(again)]).toEqual([90_000, 87_000, 75_000]);
    wasm.check();
  });

  test("is published with its new times, in a write of its own", () => {
    const { serveStale, changed, wasm, nonce } = expired();
    const stale = serveStale(question, 20_000, DAY) as Uint8Array;
    if (count === 2) {
      expect(changed).toHaveLength(1);
      const [slot = 0] = changed;
      const now = wasm.image.subarray(slot, slot + layout.SLOT_BYTES);
      expect(unmasked(now).equals(stale)).toBe(true);
      expect(now.readBigUInt64LE(layout.RECORD_NONCE)).not.toBe(nonce);
    } else expect(changed).toEqual([]);
  });

  test("keeps its hits", () => {
    const { serveStale, find } = expired();
    for (let i = 0; i < 5; i++) find(question, 6000);
    serveStale(question, 20_000, DAY);
    expect(find(question, 20_000)?.hits).toBe(6);
  });

  test("is given out no longer than so many seconds past its own end, however often", () => {
    const { serveStale, mayServeStale, find } = expired();
    let last = 0;
    for (let now = 15_000; now < 115_000; now += 7000) {
      expect(mayServeStale(question, now, 100)).toBe(true);
      const stale = serveStale(question, now, 100) as Uint8Array;
      last = expiresAtMsOf(stale);
      expect(last).toBe(Math.min(now + 30_000, 115_000));
      expect(refreshAtMsOf(stale)).toBe(last - 3000);
      expect(staleMsOf(stale)).toBe(last - 15_000);
    }
    expect(last).toBe(115_000);
    expect(find(question, 114_999)).toBeDefined();
    expect(serveStale(question, 115_000, 100)).toBeUndefined();
    expect(mayServeStale(question, 115_000, 100)).toBe(false);
    expect(expiresAtMsOf(serveStale(question, 115_000, 101) as Uint8Array)).toBe(116_000);
  });

  test("is to be refreshed at once where its last second has come", () => {
    const { serveStale } = expired();
    const stale = serveStale(question, 114_000, 100) as Uint8Array;
    expect([refreshAtMsOf(stale), expiresAtMsOf(stale)]).toEqual([114_000, 115_000]);
  });

  test("that is fresh for 30 s yet is neither shortened nor written", () => {
    const { serveStale, keep, changed } = expired();
    for (const ttl of [30, 60]) {
      const kept = keep(makeRecord({ name: "a.example", ttl, data: many(count) }), 5000, 0);
      changed.length = 0;
      expect(serveStale(question, 5000, DAY)).toEqual(kept);
      expect(changed).toEqual([]);
    }
  });

  test("that is fresh for less lasts 30 s from now", () => {
    const { serveStale, mayServeStale } = expired();
    expect(mayServeStale(question, 14_000, DAY)).toBe(true);
    const stale = serveStale(question, 14_000, DAY) as Uint8Array;
    expect([expiresAtMsOf(stale), staleMsOf(stale)]).toEqual([44_000, 29_000]);
  });

  test("of 0 s is given out until its own end", () => {
    const { serveStale, mayServeStale, kept } = expired();
    expect(serveStale(question, 14_999, 0)).toEqual(kept);
    expect(serveStale(question, 15_000, 0)).toBeUndefined();
    expect(mayServeStale(question, 15_000, 0)).toBe(false);
  });

  test("is a copy", () => {
    const { serveStale, find, kept } = expired();
    for (const now of [6000, 20_000, 20_000]) serveStale(question, now, DAY)?.fill(0);
    expect(addressesOf(find(question, 20_000)?.record as Uint8Array)).toEqual(addressesOf(kept));
  });

  test("gives way to a fresh answer, which is not stale", () => {
    const { serveStale, keep, find } = expired();
    serveStale(question, 20_000, DAY);
    const record = serveStale(question, 60_000, DAY) as Uint8Array; // a stale one does not pass on how stale it is
    const fresh = keep(record, 60_000, 0);
    expect([expiresAtMsOf(fresh), staleMsOf(fresh)]).toEqual([70_000, 0]);
    expect(find(question, 60_000)?.record).toEqual(fresh);
  });

  test("is that of its name and type alone", () => {
    const { serveStale, mayServeStale } = expired();
    for (const other of [
      { name: "b.example", type: A },
      { name: "a.example", type: layout.TYPE_AAAA },
    ]) {
      expect(mayServeStale(other, 6000, DAY)).toBe(false);
      expect(serveStale(other, 6000, DAY)).toBeUndefined();
    }
  });
});

describe("stale", () => {
  const question = { name: "a.example", type: A };

  test.each([layout.OUTCOME_NO_DATA, layout.OUTCOME_NO_NAME])(
    "is no denial (outcome %d), expired or not",
    (outcome) => {
      const { cache, keepNew } = cacheOf();
      keepNew({ name: "a.example", ttl: 10, outcome });
      for (const now of [0, 9999, 10_000, 20_000]) {
        expect(cache.mayServeStale(question, now, 86_400)).toBe(false);
        expect(cache.serveStale(question, now, 86_400)).toBeUndefined();
      }
    },
  );

  test("is what a clock of days and a limit of weeks make of it", () => {
    const { cache, keepNew } = cacheOf();
    const WEEKS_SECONDS = 40 * 86_400;
    keepNew({ name: "a.example", ttl: 10, data: some });
    const ended = 10_000 + WEEKS_SECONDS * 1000;
    expect(staleMsOf(cache.serveStale(question, ended - 1, WEEKS_SECONDS) as Uint8Array)).toBe(WEEKS_SECONDS * 1000);
    expect(cache.serveStale(question, ended, WEEKS_SECONDS)).toBeUndefined();
    // More than 32 bits of milliseconds hold is no more than that.
    expect(staleMsOf(cache.serveStale(question, 0xffffffff, 0xffffffff) as Uint8Array)).toBeLessThanOrEqual(0xffffffff);
    expect(cache.serveStale(question, 0xffffffff + 10_000, 0xffffffff)).toBeUndefined();
  });

  test("records are the first to give way until they are given out", () => {
    const { cache, keepNew, isInTable } = cacheOf({ entries: 8 });
    for (let i = 0; i < 8; i++) keepNew({ name: `n${i}`, ttl: i === 3 || i === 5 ? 10 + i : 600, data: some });
    cache.serveStale({ name: "n3", type: A }, 20_000, 86_400);
    expect(cache.mayServeStale({ name: "n5", type: A }, 20_000, 86_400)).toBe(true);
    keepNew({ name: "new", data: some }, 20_000);
    const left = Array.from({ length: 8 }, (_, i) => isInTable(`n${i}`));
    expect(left.indexOf(false)).toBe(5);
    expect(cache.stats().evicted).toBe(0);
  });

  test("records never outlast their bound, whatever is done with them", () => {
    const names = fc.constantFrom("a.example", "b.example");
    const step = fc.oneof(
      fc.record({ do: fc.constant("wait" as const), ms: fc.nat(25_000) }),
      fc.record({ do: fc.constant("serve" as const), name: names, staleSeconds: fc.constantFrom(0, 20, 100) }),
      fc.record({
        do: fc.constant("keep" as const),
        name: names,
        ttl: fc.integer({ min: 1, max: 50 }),
        count: fc.constantFrom(0, 2, 150),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const { cache, keepNew, wasm } = cacheOf();
        const model = new Map<string, { ownEndMs: number; endMs: number; isData: boolean }>();
        let now = 1000;
        for (const next of steps) {
          if (next.do === "wait") now += next.ms;
          if (next.do === "keep") {
            const { name, ttl, count } = next;
            const ownEndMs = expiresAtMsOf(keepNew({ name, ttl, data: many(count) }, now));
            model.set(name, { ownEndMs, endMs: ownEndMs, isData: count > 0 });
          }
          if (next.do === "serve") {
            const asked = { name: next.name, type: A };
            const known = model.get(next.name);
            const limitMs = (known?.ownEndMs ?? 0) + next.staleSeconds * 1000;
            const isDue = known?.isData === true && Math.max(limitMs, known.endMs) > now;
            expect(cache.mayServeStale(asked, now, next.staleSeconds)).toBe(isDue);
            const record = cache.serveStale(asked, now, next.staleSeconds);
            expect(record !== undefined).toBe(isDue);
            if (record !== undefined && known !== undefined) {
              known.endMs = Math.max(known.endMs, Math.min(now + 30_000, limitMs));
              expect([expiresAtMsOf(record), staleMsOf(record)]).toEqual([known.endMs, known.endMs - known.ownEndMs]);
            }
          }
          for (const [name, { endMs }] of model) {
            expect(cache.find({ name, type: A }, now) !== undefined).toBe(endMs > now);
          }
        }
        wasm.check();
      }),
      { numRuns: 200, seed: 8 },
    );
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
    const nonce = one.wasm.image.readUInt16LE(at.offset + layout.RECORD_NONCE);
    return { ...one, keep, use, find, slot, record, nonce };
  }

  test("are added to the entry's", () => {
    const { use, find, slot, nonce } = published();
    expect(use(slot, nonce, 3)?.hits).toBe(3);
    expect(find({ name: "a.example", type: A }, 0)?.hits).toBe(4);
    expect(use(slot, nonce, 0)?.hits).toBe(4);
    expect(use(slot, nonce, 65_530)?.hits).toBe(65_534);
    expect(use(slot, nonce, 65_535)?.hits).toBe(65_535);
  });

  test("say which question it is, and when it is to be refreshed", () => {
    const { use, slot, nonce, record } = published();
    const held = use(slot, nonce, 1);
    expect(held?.question()).toEqual({ name: "a.example", type: A });
    expect(held?.refreshAtMs).toBe(refreshAtMsOf(record));
  });

  test("keep the entry when others give way, as long as there are any", () => {
    const wasm = debugWasm({ entries: 8 });
    const { keep, use } = createCache(wasm, () => undefined);
    const put = (name: string) => void keep(makeRecord({ name, data: some }), 0, 0);
    for (let i = 0; i < 8; i++) put(`n${i}`);
    for (const [slot, hits] of [1, 1, 0, 1, 1, 1, 1, 1].entries()) {
      const at = layout.HEADER_BYTES + layout.TAG_LINE_BYTES + slot * layout.SLOT_BYTES;
      use(slot, wasm.image.readUInt16LE(at + layout.RECORD_NONCE), hits);
    }
    put("new");
    expect(isInTable(wasm, "n2")).toBe(false);
    expect(isInTable(wasm, "n0")).toBe(true);
  });

  test("are ignored where the slot is empty, holds another record, or does not exist", () => {
    const { use, keep, find, slot, nonce, wasm } = published();
    expect(use(slot, nonce ^ 1, 1)).toBeUndefined();
    expect(use(slot, 0, 1)).toBeUndefined();
    for (const none of [16, 17, 0xffffffff]) expect(use(none, 0, 1)).toBeUndefined();
    for (let any = 0; any < 16; any++) use(any, 0, 1);
    keep(makeRecord({ name: "a.example", data: some }), 0, 0);
    expect(use(slot, nonce, 1)).toBeUndefined();
    expect(find({ name: "a.example", type: A }, 0)?.hits).toBe(1);
    keep(makeRecord({ name: "a.example", data: many(150) }), 0, 0); // empties the slot
    expect(use(slot, nonce ^ 1, 1)).toBeUndefined();
    wasm.check();
  });

  test("are told apart by the low bits of the nonce", () => {
    const { use, wasm, slot } = published();
    const at = layout.HEADER_BYTES + Math.floor(slot / 8) * layout.SET_BYTES + layout.TAG_LINE_BYTES;
    wasm.image.writeUInt32LE(0x12345678, at + (slot % 8) * layout.SLOT_BYTES + layout.RECORD_NONCE);
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
    expect(stats()).toEqual({
      entries: 0,
      denials: 0,
      longEntries: 1,
      longDenials: 0,
      longBytes: kept.length,
      ...NONE_EVICTED,
    });
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

  test("is given up for a later answer, though that is not kept", () => {
    const { keepNew, ask, stats } = cacheOf();
    keepNew({ name: "a.example", data: many(200) });
    keepNew({ name: "a.example", ttl: 0, data: some });
    expect([ask("a.example"), stats().longEntries]).toEqual([undefined, 0]);
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

describe("a record that has given way to others in the table", () => {
  /** Names that all fall into the set of this one, as anybody finds them: the table's seeds can be read. */
  function namesakes(victim: string, count: number): string[] {
    const { wasm, keepNew } = cacheOf({ entries: 4096 });
    const setOf = (name: string) => {
      keepNew({ name, data: some });
      wasm.question[0] = wasm.question.write(name, 1, "latin1");
      return Math.floor((wasm.peek(A) - layout.HEADER_BYTES) / layout.SET_BYTES);
    };
    const found: string[] = [];
    for (let i = 0, set = setOf(victim); found.length < count; i++) {
      const name = `n${i}.attack.example`;
      if (setOf(name) === set) found.push(name);
    }
    return found;
  }

  test("is still known, whoever has chosen their names, and however often", () => {
    const { keepNew, ask, isInTable, wasm } = cacheOf({ entries: 4096 });
    const kept = keepNew({ name: "bank.example", ttl: 300, data: some });
    const others = namesakes("bank.example", 24);
    let timesEvicted = 0;
    for (let round = 0; round < 20; round++) {
      for (const name of others) if (ask(name) === undefined) keepNew({ name, ttl: 300, data: some });
      if (!isInTable("bank.example")) timesEvicted++;
      expect(ask("bank.example")).toEqual(kept);
      expect(isInTable("bank.example")).toBe(true);
    }
    expect(timesEvicted).toBe(20);
    wasm.check();
  });

  test("keeps its hits there and back, and is one entry", () => {
    const { keepNew, hits, ask, stats } = cacheOf({ entries: 8 });
    for (let i = 0; i < 8; i++) keepNew({ name: `n${i}`, data: some });
    expect([hits("n0"), hits("n0")]).toEqual([1, 2]);
    for (let i = 1; i < 8; i++) ask(`n${i}`);
    for (let i = 8; i < 16; i++) keepNew({ name: `n${i}`, data: some });
    expect(stats()).toMatchObject({ entries: 8, evicted: 8, evictedEntries: 8 });
    expect([hits("n0"), hits("n0")]).toEqual([3, 4]);
    expect(stats()).toMatchObject({ entries: 8, evictedEntries: 8 });
  });

  test("ends with its ttl, goes on past it where that is allowed, and not where it is a denial", () => {
    const { cache, keepNew, ask, isInTable } = cacheOf({ entries: 8 });
    keepNew({ name: "a.example", ttl: 10, data: some });
    keepNew({ name: "b.example", ttl: 10, outcome: layout.OUTCOME_NO_NAME });
    for (let i = 0; i < 8; i++) keepNew({ name: `n${i}`, ttl: 300, data: some }, 11_000);
    expect([isInTable("a.example"), ask("a.example", 11_000)]).toEqual([false, undefined]);
    const stale = cache.serveStale({ name: "a.example", type: A }, 11_000, 3600) as Uint8Array;
    expect([addressesOf(stale), expiresAtMsOf(stale)]).toEqual([["10.0.0.1", "10.0.0.2"], 41_000]);
    expect(isSealed(stale)).toBe(true);
    expect(ask("a.example", 40_999)).toEqual(stale);
    expect(cache.stats().evictedEntries).toBe(1); // what gave way to it
    expect(ask("b.example", 11_000)).toBeUndefined();
  });

  test.each([
    ["another answer", { data: [address(9)] }, ["10.0.0.9"]],
    ["a longer one", { data: many(200) }, many(200).map((each) => each.join("."))],
    ["a denial", { outcome: layout.OUTCOME_NO_NAME }, []],
    ["one that is not kept", { ttl: 0, data: some }, undefined],
  ])("is over with %s", (_what, parts, wanted) => {
    const { keepNew, ask } = cacheOf({ entries: 8 });
    for (let i = 0; i < 9; i++) keepNew({ name: `n${i}`, data: some });
    keepNew({ name: "n0", ...parts });
    for (let i = 9; i < 18; i++) keepNew({ name: `n${i}`, data: some });
    const found = ask("n0");
    expect(found && addressesOf(found)).toEqual(wanted);
  });

  test("is forgotten with the others beside the table, and above 16,384 of them the oldest are", () => {
    const { cache, keepNew, ask } = cacheOf({ entries: 8 });
    for (let i = 0; i < 16_384 + 9; i++) keepNew({ name: `n${i}`, data: some });
    expect(cache.stats()).toMatchObject({ entries: 8, evictedEntries: 16_384 });
    expect([ask("n0"), ask("n1") !== undefined]).toEqual([undefined, true]);
    cache.forgetLong();
    expect([ask("n2"), cache.stats().evictedEntries]).toEqual([undefined, 0]);
  });
});

describe("flush", () => {
  const published: number[] = [];
  /** Two in the table, a long one, and those that gave way to others of their set. */
  function full() {
    const wasm = debugWasm({ entries: 8 });
    published.length = 0;
    const cache = createCache(wasm, (slot) => void published.push(slot));
    const keep = (parts: RecordParts) => cache.keep(makeRecord(parts), 0, 0);
    for (let i = 0; i < 12; i++) keep({ name: `n${i}.example`, data: some });
    keep({ name: "long.example", data: many(200) });
    keep({ name: "gone.example", outcome: layout.OUTCOME_NO_NAME, ttl: 9 });
    const names = ["long.example", "gone.example", ...Array.from({ length: 12 }, (_, i) => `n${i}.example`)];
    const held = () => names.filter((name) => cache.hold({ name, type: A }) !== undefined);
    return { cache, wasm, held, names };
  }
  const isDenial = (record: Uint8Array) => outcomeOf(record) !== layout.OUTCOME_DATA;

  test("forgets all that is meant, in the table and beside it, and says how many went", async () => {
    const { cache, wasm, held, names } = full();
    expect(held()).toEqual(names);
    const { entries, longEntries, evictedEntries, denials } = cache.stats();
    expect([entries, longEntries, evictedEntries, denials]).toEqual([8, 1, 5, 1]);
    published.length = 0;
    expect(await cache.flush(isDenial)).toEqual({ table: 1, beside: 0 });
    expect(published.length).toBe(1);
    expect(held()).toEqual(names.filter((name) => name !== "gone.example"));
    expect(cache.stats().denials).toBe(0);
    expect(await cache.flush((record) => namesOf(record)[0] === "long.example")).toEqual({ table: 0, beside: 1 });
    expect(await cache.flush(() => true)).toEqual({ table: 7, beside: 5 });
    expect([held(), cache.stats().entries, cache.stats().evictedEntries]).toEqual([[], 0, 0]);
    wasm.check();
  });

  test("answers questions meanwhile, and keeps what comes", async () => {
    const wasm = debugWasm({ entries: 4096 });
    const cache = createCache(wasm, () => undefined);
    const keep = (name: string) => cache.keep(makeRecord({ name, data: some }), 0, 0);
    for (let i = 0; i < 2000; i++) keep(`n${i}.example`);
    const before = cache.stats().entries;
    let came = 0;
    const flushed = cache.flush((record) => namesOf(record)[0]?.startsWith("n") as boolean);
    const coming = setInterval(() => keep(`m${came++}.example`));
    const { table } = await flushed;
    clearInterval(coming);
    expect(table).toBe(before);
    for (let i = 0; i < came; i++) expect(cache.find({ name: `m${i}.example`, type: A }, 0)).toBeDefined();
    wasm.check();
  });
});

describe("hold", () => {
  test("tells where a record is, and counts no hit", () => {
    const { cache, wasm } = cacheOf({ entries: 8 });
    for (let i = 0; i < 9; i++) cache.keep(makeRecord({ name: `n${i}.example`, data: some }), 0, 0);
    cache.keep(makeRecord({ name: "long.example", data: many(200) }), 0, 0);
    cache.find({ name: "n8.example", type: A }, 0);
    const places = Array.from({ length: 9 }, (_, i) => cache.hold({ name: `n${i}.example`, type: A }));
    const inTable = places.filter((each) => each?.place === "table");
    expect(inTable.map((each) => each?.slot).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(places.filter((each) => each?.place === "evicted").length).toBe(1);
    expect(cache.hold({ name: "long.example", type: A })).toMatchObject({ place: "long", slot: undefined });
    expect(cache.hold({ name: "none.example", type: A })).toBeUndefined();
    expect([
      cache.hold({ name: "n8.example", type: A })?.hits,
      cache.hold({ name: "n8.example", type: A })?.hits,
    ]).toEqual([1, 1]);
    const { slot = -1 } = cache.hold({ name: "n8.example", type: A }) as { slot: number };
    expect(
      cache
        .use(
          slot,
          wasm.image.readUInt16LE(
            layout.HEADER_BYTES + layout.TAG_LINE_BYTES + slot * layout.SLOT_BYTES + layout.RECORD_NONCE,
          ),
          0,
        )
        ?.question().name,
    ).toBe("n8.example");
  });
});
