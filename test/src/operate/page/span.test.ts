import { describe, expect, it } from "vitest";
import { createDurations } from "../../../../src/durations.ts";
import { barsOf, niceTop } from "../../../../src/operate/page/chart.ts";
import { added, lookupsIn, perSecond, quantile, since, spanOf } from "../../../../src/operate/page/span.ts";
import { makeSnapshot } from "../../../support/snapshot.ts";

const durations = (...ms: number[]) => {
  const counter = createDurations();
  for (const each of ms) counter.count(each);
  return counter;
};

describe("a span", () => {
  const earlier = makeSnapshot();
  const { counts } = earlier;
  const later = makeSnapshot({
    atMs: earlier.atMs + 10_000,
    counts: {
      ...counts,
      hits: {
        ...counts.hits,
        table: { success: counts.hits.table.success + 30, denial: counts.hits.table.denial + 1 },
      },
      misses: { ...counts.misses, asked: counts.misses.asked + 9 },
      outcomes: { ...counts.outcomes, temporary: counts.outcomes.temporary + 2 },
    },
  });

  it("has what was counted between two samples", () => {
    const span = spanOf(earlier, later);
    expect(span).toMatchObject({ tableHits: 31, socketHits: 0, misses: 9, failures: 2 });
    expect([lookupsIn(span), perSecond(lookupsIn(span), span)]).toEqual([40, 4]);
  });

  it("is none below nothing, as after a start anew", () => {
    expect(lookupsIn(spanOf(later, earlier))).toBe(0);
    expect(perSecond(5, spanOf(earlier, earlier))).toBe(0);
  });

  it("counts in the bar in which it ends, and older ones in none", () => {
    const span = spanOf(earlier, later);
    const bars = barsOf([span, { ...span, toMs: span.toMs - 20 * 60_000 }], later.atMs, 15);
    expect(bars.map(lookupsIn)).toEqual([...Array(14).fill(0), 40]);
  });
});

describe("durations", () => {
  it("are known to be below a bucket's bound", () => {
    expect(quantile(durations(), 0.5)).toBeUndefined();
    expect(quantile(durations(0.1, 3, 3, 900), 0.5)).toBe(0.004);
    expect(quantile(durations(0.1, 3, 3, 900), 0.99)).toBe(1.024);
    expect(quantile(durations(9000), 0.5)).toBe(Number.POSITIVE_INFINITY);
  });

  it("are added up, and taken apart by time", () => {
    const both = added([durations(1), durations(1, 30)]);
    expect([both.buckets.reduce((sum, each) => sum + each), both.sumSeconds]).toEqual([3, 0.032]);
    expect(quantile(since(both, durations(1, 1)), 0.5)).toBe(0.032);
    expect(since(both, undefined)).toBe(both);
  });
});

it.each([
  [0, 1],
  [0.3, 0.5],
  [1, 1],
  [3, 5],
  [51, 100],
  [Number.NaN, 1],
])("draws %d on a scale up to %d", (value, top) => expect(niceTop(value)).toBeCloseTo(top, 10));
