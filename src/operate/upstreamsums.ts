// What is counted of upstreams, under labels whose number is bounded. A server that several views have counts once, since its
// queries are told of by each of them in part.
import type { Durations } from "../durations.ts";
import type { ViewedGroup } from "../resolve/views.ts";
import type { UpstreamState } from "../upstream/group.ts";
import type { WayCounts } from "../upstream/tally.ts";
import type { Sample } from "./metric.ts";

export const UPSTREAM_LABELS_MAX = 64;
const VIEW_LABELS_MAX = 64;
const OTHER = "other";

/** Upstream, transport, and then the labels and value that `read` gives. */
export function byWay(groups: readonly ViewedGroup[], read: (way: WayCounts) => readonly Sample[]): readonly Sample[] {
  const ways = labelled(groups).flatMap(([label, { ways }]) =>
    ways.flatMap((way) => read(way).map((sample): Sample => [label, way.transport, ...sample])),
  );
  const sums = new Map<string, Sample>();
  for (const sample of ways) {
    const key = sample.slice(0, -1).join("\0");
    const before = sums.get(key);
    sums.set(key, before === undefined ? sample : added(before, sample));
  }
  return [...sums.values()];
}

/** Of those that share a label the worst: a low one for up, a high one for how long. */
export function byUpstream(
  groups: readonly ViewedGroup[],
  read: (upstream: UpstreamState) => number | undefined,
  worst: (one: number, other: number) => number,
): readonly Sample[] {
  const values = new Map<string, number>();
  for (const [label, upstream] of labelled(groups)) {
    const value = read(upstream);
    if (value === undefined) continue;
    const before = values.get(label);
    values.set(label, before === undefined ? value : worst(before, value));
  }
  return [...values];
}

export function viewsUp(groups: readonly ViewedGroup[]): readonly Sample[] {
  const up = new Map<string, number>();
  groups.forEach(({ suffixes: [first = OTHER], upstreams }, at) => {
    const label = at < VIEW_LABELS_MAX ? first : OTHER;
    up.set(label, Math.min(up.get(label) ?? 1, Number(upstreams.some(({ isUp }) => isUp))));
  });
  return [...up];
}

function labelled(groups: readonly ViewedGroup[]): ReadonlyArray<readonly [string, UpstreamState]> {
  const all = groups.flatMap(({ upstreams }) => upstreams);
  const own = new Set([...new Set(all.map(({ text }) => text))].slice(0, UPSTREAM_LABELS_MAX));
  return all.map((upstream) => [own.has(upstream.text) ? upstream.text : OTHER, upstream]);
}

function added(one: Sample, other: Sample): Sample {
  const labels = one.slice(0, -1) as string[];
  const [a, b] = [one.at(-1), other.at(-1)] as [number | Durations, number | Durations];
  if (typeof a === "number" || typeof b === "number") return [...labels, (a as number) + (b as number)];
  const buckets = a.buckets.map((count, at) => count + (b.buckets[at] ?? 0));
  return [...labels, { buckets, sumSeconds: a.sumSeconds + b.sumSeconds }];
}
