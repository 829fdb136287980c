import { afterEach, describe, expect, it, vi } from "vitest";
import {
  OUTCOME_NO_NAME,
  OUTCOME_TEMPORARY,
  OUTCOME_UNFIT,
  RECORD_FLAG_FIXED_ORDER,
  RECORD_FLAG_SILENT,
  TYPE_A,
  TYPE_AAAA,
} from "../../assembly/layout.ts";
import { createCache } from "../../src/cache.ts";
import { nowMs } from "../../src/clock.ts";
import { createCounters } from "../../src/counters.ts";
import { createLog } from "../../src/log.ts";
import { addressesOf, expiresAtMsOf, flagsOf, namesOf, outcomeOf, refreshAtMsOf, typeOf } from "../../src/record.ts";
import { createResolver } from "../../src/resolver.ts";
import type { Ask } from "../../src/upstream/ask.ts";
import { createUsual } from "../../src/upstream/usual.ts";
import type { View } from "../../src/views.ts";
import { loadWasm } from "../../src/wasm.ts";
import { createWheel } from "../../src/wheel.ts";
import { address, makeRecord } from "../support/records.ts";

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
  const asked: Array<{ name: string; end: (outcome: Awaited<ReturnType<Ask>>) => void }> = [];
  const ask: Ask = ({ name }) => new Promise((end) => asked.push({ name, end }));
  const log = createLog("silent");
  const cache = createCache(wasm, () => undefined);
  const usual = createUsual();
  const view: View = {
    ask,
    isDown: () => false,
    usualMs: usual.ms,
    generation: () => 0,
    isBypassed: false,
    limits: { minTtlSeconds: 0, maxTtlSeconds: 3600, maxNegativeTtlSeconds: 30 },
    staleSeconds: 0,
    hasFixedOrder,
  };
  const views = { viewOf: () => view, replaceUpstreams: () => undefined };
  let standstills = 0;
  const standstill = { count: () => standstills };
  const { resolve, refresh, forget } = createResolver({
    cache,
    views,
    prefetch,
    standstill,
    wheel: createWheel(),
    counters,
    log,
  });
  return {
    resolve: (name: string, type = TYPE_A) => resolve({ name, type }),
    /** As for a client's touch of an entry with so many hits. */
    refresh: (name: string, hits = 2, refreshAtMs = nowMs()) =>
      refresh({ hits, refreshAtMs, question: () => ({ name, type: TYPE_A }) }),
    standStill() {
      standstills++;
      forget();
    },
    cache,
    usual,
    counters,
    asked,
    endAll: (outcome: Awaited<ReturnType<Ask>>) => asked.splice(0).forEach(({ end }) => void end(outcome)),
  };
}
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
    const { resolve, asked, endAll, counters } = resolver();
    const under = Array.from({ length: 4096 }, (_, i) => resolve(`n${i}.example`));
    const over = resolve("one-more.example");
    expect(outcomeOf(over as Uint8Array)).toBe(OUTCOME_UNFIT);
    expect(resolve("n0.example")).toBeInstanceOf(Promise);
    expect([asked.length, counters.refusedBusy]).toEqual([4096, 1]);
    endAll(FAILURE);
    await Promise.all(under);
    expect(resolve("one-more.example")).toBeInstanceOf(Promise);
    endAll(FAILURE);
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
  const ended = () => new Promise((resolve) => setImmediate(resolve));

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
