// /metrics: the table of metrics in Prometheus' text format. The numbers stay plain in the main thread and are copied when
// somebody asks; the library writes them, and reads what the kernel knows of the process.
import { collectDefaultMetrics, type Metric as LibraryMetric, Registry } from "@prometheus-io/client";
import { BOUND_SECONDS } from "../durations.ts";
import type { Metric, Sample, Seen } from "./metric.ts";
import { METRICS } from "./metrics.ts";

export interface Exposition {
  readonly contentType: string;
  /** Made once for all who wait for it with the same snapshot. */
  text(seen: Seen): Promise<string>;
}

interface Value {
  readonly metricName?: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

type ProcessMetric = LibraryMetric & { readonly name: string; readonly help: string; readonly type: string };

const NEVER_MS = 2 ** 30; // of its watch of the event loop, which is this thread's, and nobody's interest

export function createExposition(): Exposition {
  const registry = new Registry();
  let seen: Seen;
  let underWay: { readonly snapshot: Seen["snapshot"]; readonly text: Promise<string> } | undefined;
  for (const metric of METRICS) {
    const { name, help, type } = metric;
    const get = async () => ({ name, help, type, values: metric.read(seen).flatMap((each) => valuesOf(metric, each)) });
    registry.registerMetric({ name, get } as unknown as LibraryMetric);
  }
  for (const metric of processMetrics()) registry.registerMetric(metric);
  return {
    contentType: registry.contentType,
    async text(next) {
      if (underWay?.snapshot === next.snapshot) return await underWay.text;
      seen = next;
      const own = { snapshot: next.snapshot, text: registry.metrics() };
      underWay = own;
      try {
        return await own.text;
      } finally {
        if (underWay === own) underWay = undefined;
      }
    },
  };
}

/** Its others are of this thread's event loop and heap. */
export function processMetrics(): readonly ProcessMetric[] {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS });
  return registry.getMetricsAsArray().filter(({ name }) => name.startsWith("process_")) as unknown as ProcessMetric[];
}

function valuesOf({ name, labels: names }: Metric, sample: Sample): readonly Value[] {
  const labels = Object.fromEntries(names.map((label, at) => [label, sample[at] as string]));
  const value = sample.at(-1);
  if (typeof value === "number") return [{ labels, value }];
  if (typeof value !== "object") return [];
  let count = 0;
  const buckets = value.buckets.map((own, at): Value => {
    count += own;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: BOUND_SECONDS[at] ?? "+Inf" }, value: count };
  });
  const sum = { metricName: `${name}_sum`, labels, value: value.sumSeconds };
  return [...buckets, sum, { metricName: `${name}_count`, labels, value: count }];
}
