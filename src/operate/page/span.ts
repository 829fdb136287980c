// What was counted in a span of time: the difference of two samples.
import type { Durations } from "../../durations.ts";
import { BOUND_SECONDS } from "../../durations.ts";
import type { Sample } from "../history.ts";
import type { Counts } from "../snapshot.ts";

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly tableHits: number;
  readonly socketHits: number;
  readonly misses: number;
  readonly failures: number;
}

/** Between each sample and the next. */
export function spansOf(samples: readonly Sample[]): Span[] {
  return samples.slice(1).map((later, i) => spanOf(samples[i] as Sample, later));
}

export function spanOf(earlier: Sample, later: Sample): Span {
  const grown = (of: (counts: Counts) => number) => Math.max(0, of(later.counts) - of(earlier.counts));
  return {
    fromMs: earlier.atMs,
    toMs: later.atMs,
    tableHits: grown(({ hits }) => hits.table.success + hits.table.denial),
    socketHits: grown(({ hits }) => hits.socket.success + hits.socket.denial + hits.dns.success + hits.dns.denial),
    misses: grown(({ misses }) => sum(misses)),
    failures: grown(({ outcomes }) => outcomes.temporary + outcomes.unfit),
  };
}

export function lookupsIn({ tableHits, socketHits, misses }: Span): number {
  return tableHits + socketHits + misses;
}

export function perSecond(value: number, { fromMs, toMs }: Span): number {
  return toMs > fromMs ? (1000 * value) / (toMs - fromMs) : 0;
}

export function sum(counts: object): number {
  return Object.values(counts).reduce((all: number, each: number) => all + each, 0);
}

/** Of several counts of durations, all in one. */
export function added(all: readonly Durations[]): Durations {
  const buckets = Array.from({ length: BOUND_SECONDS.length + 1 }, (_, i) =>
    all.reduce((sum, { buckets }) => sum + (buckets[i] ?? 0), 0),
  );
  return { buckets, sumSeconds: all.reduce((sum, { sumSeconds }) => sum + sumSeconds, 0) };
}

/** What was counted since. */
export function since(later: Durations, earlier: Durations | undefined): Durations {
  if (earlier === undefined) return later;
  return {
    buckets: later.buckets.map((count, i) => Math.max(0, count - (earlier.buckets[i] ?? 0))),
    sumSeconds: Math.max(0, later.sumSeconds - earlier.sumSeconds),
  };
}

/** The bound below which that share of all lies: no more is known. Undefined where there are none; infinite above the last bound. */
export function quantile({ buckets }: Durations, q: number): number | undefined {
  const all = buckets.reduce((sum, count) => sum + count, 0);
  if (all === 0) return undefined;
  let seen = 0;
  for (const [i, bucket] of buckets.entries()) {
    seen += bucket;
    if (seen >= q * all) return BOUND_SECONDS[i] ?? Number.POSITIVE_INFINITY;
  }
  return Number.POSITIVE_INFINITY;
}
