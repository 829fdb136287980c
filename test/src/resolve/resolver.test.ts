import { afterEach, describe, expect, it, vi } from "vitest";
import {
  OUTCOME_DATA,
  OUTCOME_NO_NAME,
  OUTCOME_TEMPORARY,
  OUTCOME_UNFIT,
  RECORD_FLAG_FIXED_ORDER,
  RECORD_FLAG_SILENT,
  TYPE_A,
  TYPE_AAAA,
} from "../../../assembly/layout.ts";
import { nowMs } from "../../../src/clock.ts";
import { createCounters } from "../../../src/counters.ts";
import { createLog } from "../../../src/log.ts";
import { createNames } from "../../../src/resolve/names.ts";
import { createResolver } from "../../../src/resolve/resolver.ts";
import type { View } from "../../../src/resolve/views.ts";
import { createCache } from "../../../src/table/cache.ts";
import {
  addressesOf,
  expiresAtMsOf,
  flagsOf,
  namesOf,
  outcomeOf,
  refreshAtMsOf,
  typeOf,
} from "../../../src/table/record.ts";
import { loadWasm } from "../../../src/table/wasm.ts";
import type { Ask } from "../../../src/upstream/ask.ts";
import { createUsual } from "../../../src/upstream/usual.ts";
import { createWheel } from "../../../src/wheel.ts";
import { address, makeRecord } from "../../support/records.ts";

/** A resolver whose upstreams answer when the test says so. */
function resolver({ prefetch = true, hasFixedOrder = false } = {}) {
  const wasm = loadWasm({
    entries: 64,
    minTtlSeconds: 0,
    maxTtlSeconds: 3600,
    maxNegativeTtlSeconds: 30,
    upstreams: "",
  });
  const counters = createCounters();
  const asked: Array<{
    name: string;
    type: number;
    end: (outcome: Awaited<ReturnType<Ask>>) => void;
    late: (record: Uint8Array) => void;
  }> = [];
  const ask: Ask = ({ name, type }, late) => new Promise((end) => asked.push({ name, type, end, late }));
  const log = createLog("silent");
  const cache = createCache(wasm, () => undefined);
  const usual = createUsual();
  let generation = 0;
  const view: View = {
    ask,
    isDown: () => false,
    usualMs: usual.ms,
    generation: () => generation,
    isBypassed: false,
    limits: { minTtlSeconds: 0, maxTtlSeconds: 3600, maxNegativeTtlSeconds: 30 },
    staleSeconds: 0,
    hasFixedOrder,
  };
  const views = { viewOf: () => view, replaceUpstreams: () => undefined };
  let standstills = 0;
  const standstill = { count: () => standstills };
  const { resolve, together, refresh, forget } = createResolver({
    cache,
    views,
    prefetch,
    standstill,
    wheel: createWheel(),
    names: createNames(),
    counters,
    log,
  });
  return {
    resolve: (name: string, type = TYPE_A) => resolve({ name, type }),
    /** A and AAAA, as outcomes and flags. */
    async both(name: string) {
      const types = [TYPE_A, TYPE_AAAA];
      const records = await Promise.all(types.map((type) => resolve({ name, type })));
      return together(name, types, records).map((record) => [outcomeOf(record), flagsOf(record)]);
    },
    /** As for a client's touch of an entry with so many hits. */
    refresh: (name: string, hits = 2, refreshAtMs = nowMs(), isOneOfMany = false) =>
      refresh({ hits, refreshAtMs, isDenial: false, question: () => ({ name, type: TYPE_A }) }, isOneOfMany),
    changeServers() {
      generation++;
    },
    standStill() {
      standstills++;
      forget();
    },
    cache,
    usual,
    counters,
    asked,
    endAll: (outcome: Awaited<ReturnType<Ask>>) => asked.splice(0).forEach(({ end }) => void end(outcome)),
    /** A question that is under way, taken off the list. */
    take(type = TYPE_A) {
      const at = asked.findIndex((each) => each.type === type);
      return asked.splice(at, 1)[0] as (typeof asked)[number];
    },
  };
}
const UNANSWERED = { failure: "no reply in time", why: "unanswered" } as const;
const found = (name: string, type = TYPE_A, ttl = 60) => ({
  record: makeRecord({ name, type, ttl, data: [type === TYPE_A ? address(1) : new Uint8Array(16)] }),
});
const ended = () => new Promise((resolve) => setImmediate(resolve));
const FAILURE = { failure: "no reply in time", why: "silent" } as const;
const missing = (name: string, ttl = 5) => ({
  record: makeRecord({ name, type: TYPE_A, outcome: OUTCOME_NO_NAME, ttl }),
});

afterEach(() => void vi.useRealTimers());

describe("resolve", () => {
  it("joins equal questions, and only those", async () => {
    const { resolve, asked, endAll, counters } = resolver();
    const answers = [resolve("a.example"), resolve("a.example"), resolve("a.example", TYPE_AAAA), resolve("b.example")];
    expect(asked).toHaveLength(3);
    expect(counters.joined).toBe(1);
    endAll(FAILURE);
    const records = await Promise.all(answers);
    expect(records.map((each) => [namesOf(each)[0], typeOf(each)])).toEqual([
      ["a.example", TYPE_A],
      ["a.example", TYPE_A],
      ["a.example", TYPE_AAAA],
      ["b.example", TYPE_A],
    ]);
  });

  it("remembers a failure for one second, then asks again", async () => {
    vi.useFakeTimers({ toFake: ["hrtime"] });
    const { resolve, asked, endAll } = resolver();
    const first = resolve("a.example");
    endAll(FAILURE);
    expect(outcomeOf(await first)).toBe(OUTCOME_TEMPORARY);
    vi.advanceTimersByTime(999);
    expect(outcomeOf(await resolve("a.example"))).toBe(OUTCOME_TEMPORARY);
    expect(asked).toHaveLength(0);
    vi.advanceTimersByTime(2);
    const again = resolve("a.example");
    expect(asked).toHaveLength(1);
    endAll(missing("a.example"));
    expect(outcomeOf(await again)).toBe(OUTCOME_NO_NAME);
  });

  it("keeps no answer to a question that was under way when the clock stood still, nor lets others join it", async () => {
    const { resolve, standStill, asked, endAll } = resolver();
    const before = resolve("a.example");
    standStill();
    const after = resolve("a.example");
    expect(asked).toHaveLength(2);
    asked.shift()?.end(missing("a.example", 60));
    expect(outcomeOf(await before)).toBe(OUTCOME_NO_NAME);
    const joined = resolve("a.example");
    expect(asked).toHaveLength(1);
    endAll(missing("a.example", 60));
    expect([await after, await joined].map(outcomeOf)).toEqual([OUTCOME_NO_NAME, OUTCOME_NO_NAME]);
    expect(resolve("a.example")).not.toBeInstanceOf(Promise);
  });

  it("remembers no failure of a question that was under way when the clock stood still", async () => {
    const { resolve, standStill, asked, endAll } = resolver();
    const before = resolve("a.example");
    standStill();
    endAll(FAILURE);
    expect(outcomeOf(await before)).toBe(OUTCOME_TEMPORARY);
    const after = resolve("a.example");
    expect(asked).toHaveLength(1);
    endAll(missing("a.example"));
    expect(outcomeOf(await after)).toBe(OUTCOME_NO_NAME);
  });

  it("forgets a failure when the clock stood still", async () => {
    const { resolve, standStill, asked, endAll } = resolver();
    const first = resolve("a.example");
    endAll(FAILURE);
    await first;
    standStill();
    const again = resolve("a.example");
    expect(asked).toHaveLength(1);
    endAll(FAILURE);
    await again;
  });

  it.each([
    ["silence", "silent", RECORD_FLAG_SILENT],
    ["a server's failure", "said", 0],
  ] as const)("tells %s in the failure, and in the one that is remembered", async (_what, why, flags) => {
    const { resolve, endAll } = resolver();
    const first = resolve("a.example");
    endAll({ failure: "", why });
    expect(flagsOf(await first)).toBe(flags);
    const again = resolve("a.example");
    expect(again).not.toBeInstanceOf(Promise);
    expect([outcomeOf(again as Uint8Array), flagsOf(again as Uint8Array)]).toEqual([OUTCOME_TEMPORARY, flags]);
  });

  it.each([
    [true, RECORD_FLAG_FIXED_ORDER],
    [false, 0],
  ])("keeps in a record that its rule fixes the order: %s", async (hasFixedOrder, flags) => {
    const { resolve, endAll } = resolver({ hasFixedOrder });
    for (const [name, count] of [
      ["few.example", 2],
      ["many.example", 150],
    ] as const) {
      const first = resolve(name);
      endAll({ record: makeRecord({ name, data: Array.from({ length: count }, (_, i) => address(i)) }) });
      expect(flagsOf(await first)).toBe(flags);
      expect(flagsOf(resolve(name) as Uint8Array)).toBe(flags);
    }
  });

  it("leaves a question to libc where this machine lacks descriptors, and remembers nothing of it", async () => {
    const { resolve, asked, endAll } = resolver();
    const first = resolve("a.example");
    endAll({ failure: "EMFILE", why: "lack" });
    expect(outcomeOf(await first)).toBe(OUTCOME_UNFIT);
    void resolve("a.example");
    expect(asked).toHaveLength(1);
    endAll(FAILURE);
  });

  it("forgets an answer when its ttl ends", async () => {
    vi.useFakeTimers({ toFake: ["hrtime"] });
    const { resolve, asked, endAll } = resolver();
    const first = resolve("a.example");
    endAll(missing("a.example"));
    await first;
    vi.advanceTimersByTime(4999);
    expect(resolve("a.example")).not.toBeInstanceOf(Promise);
    vi.advanceTimersByTime(2);
    const again = resolve("a.example");
    expect(asked).toHaveLength(1);
    endAll(FAILURE);
    await again;
  });

  it("leaves questions above its bound to libc at once, and takes new ones when others have ended", async () => {
    vi.useFakeTimers({ toFake: ["hrtime"] });
    const { resolve, asked, endAll, counters } = resolver();
    const under = Array.from({ length: 4096 }, (_, i) => resolve(`n${i}.example`));
    const over = resolve("one-more.example");
    expect(outcomeOf(over as Uint8Array)).toBe(OUTCOME_UNFIT);
    expect(resolve("n0.example")).toBeInstanceOf(Promise);
    expect([asked.length, counters.refusedBusy, counters.givenUp]).toEqual([4096, 1, 0]);
    endAll(FAILURE);
    await Promise.all(under);
    expect(resolve("one-more.example")).toBeInstanceOf(Promise);
    endAll(FAILURE);
  });

  it("gives names that are answered a place beside as many as there may be that are not, whoever asks for those", async () => {
    vi.useFakeTimers({ toFake: ["hrtime"] });
    const { resolve, take, counters } = resolver();
    const flood = Array.from({ length: 4096 }, (_, i) => resolve(`n${i}.flood.example`));
    vi.advanceTimersByTime(60);
    const honest = Array.from({ length: 50 }, (_, i) => resolve(`n${i}.example`));
    const askedAnew = resolve("n0.flood.example"); // it has been left to libc a moment ago
    expect([outcomeOf(askedAnew as Uint8Array), counters.givenUp]).toEqual([OUTCOME_UNFIT, 50]);
    expect((await Promise.all(flood.slice(0, 50))).map(outcomeOf)).toEqual(Array(50).fill(OUTCOME_UNFIT));
    const all = Array.from({ length: 4146 }, () => take());
    for (const { name, end } of all.slice(4096)) end(found(name));
    expect((await Promise.all(honest)).map(outcomeOf)).toEqual(Array(50).fill(OUTCOME_DATA));
    all[0]?.end(found("n0.flood.example")); // late, but not in vain
    await ended();
    expect(outcomeOf(resolve("n0.flood.example") as Uint8Array)).toBe(OUTCOME_DATA);
  });

  it("takes nobody's place before upstreams have had four times as long as they usually take", () => {
    vi.useFakeTimers({ toFake: ["hrtime"] });
    const { resolve, usual } = resolver();
    usual.took(100);
    for (let i = 0; i < 4096; i++) void resolve(`n${i}.example`);
    vi.advanceTimersByTime(399);
    expect(resolve("one-more.example")).not.toBeInstanceOf(Promise);
    vi.advanceTimersByTime(2);
    expect(resolve("one-more.example")).toBeInstanceOf(Promise);
  });

  it("puts no more than 16,384 questions to upstreams, those included that are given up", () => {
    vi.useFakeTimers({ toFake: ["hrtime"] });
    const { resolve, asked } = resolver();
    for (let i = 0; i < 20_000; i++) {
      if (i % 4096 === 0) vi.advanceTimersByTime(60);
      void resolve(`n${i}.example`);
    }
    expect(asked).toHaveLength(16_384);
  });

  describe("what servers that are there do not answer", () => {
    const UNFIT = [OUTCOME_UNFIT, RECORD_FLAG_SILENT];
    const SILENT = [OUTCOME_TEMPORARY, RECORD_FLAG_SILENT];
    const DATA = [OUTCOME_DATA, 0];

    it("is left to libc, which may wait longer, and again for a second", async () => {
      vi.useFakeTimers({ toFake: ["hrtime"] });
      const { both, asked, endAll } = resolver();
      const first = both("a.example");
      endAll(UNANSWERED);
      expect(await first).toEqual([UNFIT, UNFIT]);
      vi.advanceTimersByTime(999);
      expect(await both("a.example")).toEqual([UNFIT, UNFIT]);
      vi.advanceTimersByTime(2);
      void both("a.example");
      expect(asked).toHaveLength(2);
    });

    it("keeps nobody from the addresses of the other family, and is asked again ever more seldom", async () => {
      vi.useFakeTimers({ toFake: ["hrtime"] });
      const { both, take, asked } = resolver();
      const first = both("a.example");
      take().end(found("a.example"));
      await ended();
      take(TYPE_AAAA).end(UNANSWERED);
      expect(await first).toEqual([DATA, SILENT]);
      for (const seconds of [1, 2, 4, 8, 16, 32]) {
        vi.advanceTimersByTime(seconds * 1000 - 1);
        const known = both("a.example");
        await ended();
        if (asked.some(({ type }) => type === TYPE_A)) take().end(found("a.example"));
        expect(await known).toEqual([DATA, SILENT]);
        expect(asked).toEqual([]);
        vi.advanceTimersByTime(2);
        const again = both("a.example");
        expect(asked).toHaveLength(1);
        take(TYPE_AAAA).end(UNANSWERED);
        expect(await again).toEqual([DATA, SILENT]);
      }
    });

    it.each([0, 60])("is asked again ever more seldom where the other family's ttl is %d s", async (ttl) => {
      vi.useFakeTimers({ toFake: ["hrtime"] });
      const { both, resolve, take } = resolver();
      for (const untilMs of [1000, 2000, 4000]) {
        const each = both("a.example");
        await ended();
        if (ttl === 0 || untilMs === 1000) take().end(found("a.example", TYPE_A, ttl));
        await ended();
        take(TYPE_AAAA).end(UNANSWERED);
        await each;
        vi.advanceTimersByTime(untilMs - 1);
        expect(resolve("a.example", TYPE_AAAA)).not.toBeInstanceOf(Promise);
        vi.advanceTimersByTime(2);
      }
    });

    it("is left to libc once where nothing else is asked, then it fails", async () => {
      vi.useFakeTimers({ toFake: ["hrtime"] });
      const { both, resolve, take } = resolver();
      const first = both("a.example");
      take().end(found("a.example"));
      await ended();
      take(TYPE_AAAA).end(UNANSWERED);
      await first;
      expect(outcomeOf(resolve("a.example", TYPE_AAAA) as Uint8Array)).toBe(OUTCOME_UNFIT);
      vi.advanceTimersByTime(1001);
      const again = resolve("a.example", TYPE_AAAA);
      take(TYPE_AAAA).end(UNANSWERED);
      expect(outcomeOf(await again)).toBe(OUTCOME_TEMPORARY);
      expect(outcomeOf(resolve("a.example", TYPE_AAAA) as Uint8Array)).toBe(OUTCOME_TEMPORARY);
    });

    it("is not longer remembered where the other family's answer is older than the silence, or it was answered before", async () => {
      vi.useFakeTimers({ toFake: ["hrtime"] });
      const { both, resolve, take } = resolver();
      for (const name of ["a.example", "b.example"]) {
        const first = both(name);
        take().end(found(name, TYPE_A, name === "a.example" ? 60 : 1));
        await ended();
        take(TYPE_AAAA).end(name === "a.example" ? missing(name, 1) : found(name, TYPE_AAAA, 1));
        await first;
      }
      vi.advanceTimersByTime(1001);
      for (let i = 0; i < 4; i++) {
        for (const name of ["a.example", "b.example"]) {
          const each = resolve(name, TYPE_AAAA);
          expect(each).toBeInstanceOf(Promise);
          take(TYPE_AAAA).end({ ...UNANSWERED, why: i % 2 === 0 ? "silent" : "unanswered" });
          await each;
        }
        vi.advanceTimersByTime(1001);
      }
    });

    it("is not longer remembered where it was answered before, though the other family is now", async () => {
      vi.useFakeTimers({ toFake: ["hrtime"] });
      const { both, take, asked } = resolver();
      const first = both("a.example");
      take().end(found("a.example", TYPE_A, 0));
      take(TYPE_AAAA).end(found("a.example", TYPE_AAAA, 1));
      await first;
      for (let i = 0; i < 4; i++) {
        vi.advanceTimersByTime(1001);
        const each = both("a.example");
        expect(asked).toHaveLength(2);
        take().end(found("a.example", TYPE_A, 0));
        await ended();
        take(TYPE_AAAA).end(UNANSWERED);
        await each;
      }
    });

    it("is denied with the name, when IPv4 is, from the second time on", async () => {
      vi.useFakeTimers({ toFake: ["hrtime"] });
      const { both, take } = resolver();
      const first = both("a.example");
      take().end(missing("a.example", 30));
      await ended();
      take(TYPE_AAAA).end(UNANSWERED);
      expect(await first).toEqual([[OUTCOME_NO_NAME, 0], UNFIT]);
      vi.advanceTimersByTime(1001);
      const again = both("a.example");
      take(TYPE_AAAA).end(UNANSWERED);
      const denied = [OUTCOME_NO_NAME, 0];
      expect([await again, await both("a.example")]).toEqual([
        [denied, denied],
        [denied, denied],
      ]);
    });
  });

  describe("a reply that comes after its question has failed", () => {
    it("is there for the next lookup, and for those that wait by then", async () => {
      vi.useFakeTimers({ toFake: ["hrtime"] });
      const { resolve, take, asked, counters } = resolver();
      const first = resolve("a.example");
      const { end, late } = take();
      end(UNANSWERED);
      await first;
      vi.advanceTimersByTime(1001);
      const second = resolve("a.example");
      expect(asked).toHaveLength(1);
      late(found("a.example").record);
      expect(outcomeOf(await second)).toBe(OUTCOME_DATA);
      take().end(UNANSWERED);
      await ended();
      expect(outcomeOf(resolve("a.example") as Uint8Array)).toBe(OUTCOME_DATA);
      expect(counters.answersLate).toBe(1);
    });

    it("ends the failure that is remembered", async () => {
      const { resolve, take } = resolver();
      const first = resolve("a.example");
      const { end, late } = take();
      end(UNANSWERED);
      await first;
      late(found("a.example", TYPE_A, 0).record);
      expect(resolve("a.example")).toBeInstanceOf(Promise);
    });

    it("changes nothing where a newer one is known, servers have changed, or the clock stood still", async () => {
      vi.useFakeTimers({ toFake: ["hrtime"] });
      for (const change of ["answer", "servers", "clock"]) {
        const { resolve, take, counters, changeServers, standStill } = resolver();
        const first = resolve("a.example");
        const { end, late } = take();
        end(UNANSWERED);
        await first;
        vi.advanceTimersByTime(1001);
        if (change === "servers") changeServers();
        if (change === "clock") standStill();
        const second = resolve("a.example");
        if (change === "answer") {
          take().end(missing("a.example", 30));
          await second;
        }
        late(found("a.example").record);
        const known = resolve("a.example");
        if (change === "answer") expect(outcomeOf(known as Uint8Array)).toBe(OUTCOME_NO_NAME);
        else expect(known).toBeInstanceOf(Promise);
        expect(counters.answersLate).toBe(0);
      }
    });
  });

  describe("where the servers have changed", () => {
    it("a question to the last ones is joined by nobody, and its answer changes nothing", async () => {
      const { resolve, changeServers, asked } = resolver();
      const before = resolve("a.example");
      changeServers();
      const after = resolve("a.example");
      const joined = resolve("a.example");
      expect(asked).toHaveLength(2);
      asked[1]?.end(found("a.example"));
      expect(outcomeOf(await after)).toBe(OUTCOME_DATA);
      asked[0]?.end(missing("a.example", 30));
      expect([await before, await joined].map(outcomeOf)).toEqual([OUTCOME_NO_NAME, OUTCOME_DATA]);
      expect(outcomeOf(resolve("a.example") as Uint8Array)).toBe(OUTCOME_DATA);
    });

    it("no failure of the last ones counts", async () => {
      const { resolve, changeServers, endAll } = resolver();
      const before = resolve("a.example");
      endAll(FAILURE);
      await before;
      changeServers();
      expect(resolve("a.example")).toBeInstanceOf(Promise);
    });
  });
});

describe("a refresh", () => {
  const answer = (name: string, value = 1, count = 1) => ({
    record: makeRecord({ name, ttl: 10, data: Array.from({ length: count }, (_, i) => address(value + i)) }),
  });
  /** A resolver with one entry, made a moment ago. */
  async function warm({ count = 1, ...options }: { count?: number; prefetch?: boolean } = {}) {
    vi.useFakeTimers({ toFake: ["hrtime"] });
    const one = resolver(options);
    const first = one.resolve("a.example");
    one.endAll(answer("a.example", 1, count));
    await first;
    return { ...one, addresses: () => addressesOf(one.resolve("a.example") as Uint8Array) };
  }

  it.each([
    ["a slot", 1],
    ["no slot", 150],
  ])("is asked for by the second hit past its refresh time, for what fits %s", async (_what, count) => {
    const { addresses, asked, endAll, counters } = await warm({ count });
    vi.advanceTimersByTime(8990);
    addresses();
    addresses();
    expect(asked).toHaveLength(0);
    vi.advanceTimersByTime(11);
    expect(addresses()).toHaveLength(count);
    expect(asked).toHaveLength(1);
    expect(addresses()).toHaveLength(count);
    expect([asked.length, counters.refreshes, counters.misses]).toEqual([1, 1, 1]);
    endAll(answer("a.example", 7));
    await ended();
    vi.advanceTimersByTime(8990);
    expect(addresses()).toEqual(["10.0.0.7"]);
    expect(addresses()).toEqual(["10.0.0.7"]);
    expect(asked).toHaveLength(0);
  });

  it("is not asked for by one hit, though it is late", async () => {
    const { addresses, asked } = await warm();
    vi.advanceTimersByTime(9500);
    addresses();
    expect(asked).toHaveLength(0);
    addresses();
    expect(asked).toHaveLength(1);
  });

  it("is asked for by a touch where it is due, and not with less than two hits or before its time", async () => {
    const { refresh, asked } = await warm();
    refresh("a.example", 1);
    refresh("a.example", 2, nowMs() + 1);
    expect(asked).toHaveLength(0);
    refresh("a.example", 2, nowMs());
    expect(asked).toHaveLength(1);
  });

  it("is never asked for where it is switched off", async () => {
    const { addresses, refresh, asked } = await warm({ prefetch: false });
    vi.advanceTimersByTime(9500);
    for (let i = 0; i < 5; i++) addresses();
    refresh("a.example", 99, 0);
    expect(asked).toHaveLength(0);
  });

  it("is one for all who ask, and whoever finds nothing joins it", async () => {
    const { refresh, addresses, resolve, asked, endAll, counters } = await warm();
    for (let i = 0; i < 5; i++) refresh("a.example");
    vi.advanceTimersByTime(9500);
    addresses();
    addresses();
    vi.advanceTimersByTime(600); // it has expired
    const joined = resolve("a.example");
    expect([asked.length, counters.refreshes, counters.joined]).toEqual([1, 1, 1]);
    endAll(answer("a.example", 9));
    expect(addressesOf(await joined)).toEqual(["10.0.0.9"]);
  });

  it("that fails changes nothing in the cache, and is not tried again for a second", async () => {
    const { refresh, addresses, asked, endAll, counters, cache } = await warm();
    refresh("a.example");
    endAll(FAILURE);
    await ended();
    expect([addresses(), cache.stats().entries]).toEqual([["10.0.0.1"], 1]);
    expect(counters.refreshesFailed).toBe(1);
    vi.advanceTimersByTime(990);
    refresh("a.example");
    expect(asked).toHaveLength(0);
    vi.advanceTimersByTime(11);
    refresh("a.example");
    expect([asked.length, counters.refreshes, counters.refreshesRefused]).toEqual([1, 2, 0]);
  });

  it.each([OUTCOME_TEMPORARY, OUTCOME_UNFIT])("that ends in outcome %d counts as failed too", async (outcome) => {
    const { refresh, addresses, endAll, counters } = await warm();
    refresh("a.example");
    endAll({ record: makeRecord({ name: "a.example", outcome }) });
    await ended();
    expect([addresses(), counters.refreshesFailed]).toEqual([["10.0.0.1"], 1]);
  });

  it("learns that a name is gone", async () => {
    const { refresh, resolve, endAll } = await warm();
    refresh("a.example");
    endAll(missing("a.example"));
    await ended();
    expect(outcomeOf(resolve("a.example") as Uint8Array)).toBe(OUTCOME_NO_NAME);
  });

  it("is refused above 500 a second, and above the bound of questions under way", async () => {
    const { refresh, resolve, asked, endAll, counters } = await warm();
    for (let i = 0; i < 600; i++) refresh(`n${i}.example`);
    expect([asked.length, counters.refreshesRefused]).toEqual([500, 100]);
    vi.advanceTimersByTime(101);
    for (let i = 600; i < 700; i++) refresh(`n${i}.example`);
    expect([asked.length, counters.refreshesRefused]).toEqual([550, 150]);
    vi.advanceTimersByTime(60_000); // no more than a second's worth is saved up
    for (let i = 700; i < 1300; i++) refresh(`n${i}.example`);
    expect([asked.length, counters.refreshesRefused]).toEqual([1050, 250]);
    vi.advanceTimersByTime(1000);
    for (let i = 0; i < 4096 - 1050; i++) void resolve(`m${i}.example`);
    refresh("one-more.example");
    expect([asked.length, counters.refreshesRefused]).toEqual([4096, 251]);
    endAll(FAILURE);
  });

  it("of many that a client has told of at once leaves half of a second's to others", async () => {
    const { refresh, asked, counters } = await warm();
    for (let i = 0; i < 600; i++) refresh(`n${i}.example`, 2, nowMs(), true);
    expect(asked).toHaveLength(250);
    for (let i = 0; i < 300; i++) refresh(`m${i}.example`);
    expect([asked.length, counters.refreshesRefused]).toEqual([500, 400]);
  });

  it("has its time from what the upstreams usually take, from the first answer on", async () => {
    vi.useFakeTimers({ toFake: ["hrtime"] });
    const { resolve, usual, endAll } = resolver();
    const first = resolve("a.example");
    usual.took(2000);
    endAll(answer("a.example"));
    const record = await first;
    expect(refreshAtMsOf(record)).toBe(expiresAtMsOf(record) - 4000);
  });
});
