import { afterEach, describe, expect, it, vi } from "vitest";
import { OUTCOME_NO_NAME, OUTCOME_TEMPORARY, OUTCOME_UNFIT, TYPE_A, TYPE_AAAA } from "../../assembly/layout.ts";
import { createCache } from "../../src/cache.ts";
import { createCounters } from "../../src/counters.ts";
import { createLog } from "../../src/log.ts";
import { namesOf, outcomeOf, typeOf } from "../../src/record.ts";
import { createResolver } from "../../src/resolver.ts";
import type { Ask } from "../../src/upstream/ask.ts";
import { loadWasm } from "../../src/wasm.ts";
import { makeRecord } from "../support/records.ts";

/** A resolver whose upstreams answer when the test says so. */
function resolver() {
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
  const resolve = createResolver({
    cache: createCache(wasm, () => undefined),
    ask,
    counters,
    log: createLog("silent"),
  });
  return {
    resolve: (name: string, type = TYPE_A) => resolve({ name, type }),
    counters,
    asked,
    endAll: (outcome: Awaited<ReturnType<Ask>>) => asked.splice(0).forEach(({ end }) => void end(outcome)),
  };
}
const FAILURE = { failure: "no reply in time", isOwnLack: false };
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

  it("leaves a question to libc where this machine lacks descriptors, and remembers nothing of it", async () => {
    const { resolve, asked, endAll } = resolver();
    const first = resolve("a.example");
    endAll({ failure: "EMFILE", isOwnLack: true });
    expect(outcomeOf(await first)).toBe(OUTCOME_UNFIT);
    void resolve("a.example");
    expect(asked).toHaveLength(1);
    endAll(FAILURE);
  });

  it("keeps a denial under cluster.local for five seconds at most", async () => {
    vi.useFakeTimers({ toFake: ["hrtime"] });
    const { resolve, endAll } = resolver();
    for (const [name, seconds] of [
      ["a.svc.cluster.local", 5],
      ["a.svc.cluster.example", 30],
    ] as const) {
      const first = resolve(name);
      endAll(missing(name, 30));
      await first;
      vi.advanceTimersByTime(seconds * 1000 - 1);
      expect(resolve(name)).not.toBeInstanceOf(Promise);
      vi.advanceTimersByTime(2);
      const again = resolve(name);
      expect(again).toBeInstanceOf(Promise);
      endAll(FAILURE);
      await again;
    }
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
