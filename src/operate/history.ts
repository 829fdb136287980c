// The last 15 minutes, for the status page: a sample each 10 s, taken by the worker thread.
import { createCounters } from "../counters.ts";
import { countsOf } from "./counts.ts";
import type { Snapshot } from "./snapshot.ts";

export type Sample = Pick<Snapshot, "atMs" | "counts" | "groups">;
/** The latest last. */
export type History = readonly Sample[];

export const HISTORY_EVERY_MS = 10_000;
const SAMPLES_MAX = (15 * 60_000) / HISTORY_EVERY_MS + 1; // both ends

export function createHistory() {
  let samples: Sample[] = [];
  return {
    samples: (): History => samples,
    add({ atMs, counts, groups }: Snapshot): void {
      samples = [...samples.slice(1 - SAMPLES_MAX), { atMs, counts, groups }];
    },
  };
}

const NOTHING = countsOf(createCounters(), 0);
const SPAN_MS = (SAMPLES_MAX - 1) * HISTORY_EVERY_MS;

/** From the start, where that lies in the time that is shown. */
export function samplesOf(snapshot: Snapshot, history: History): Sample[] {
  const { atMs, startedAtMs } = snapshot;
  const isYoung = atMs - startedAtMs < SPAN_MS;
  const start = isYoung ? [{ atMs: startedAtMs, counts: NOTHING, groups: [] }] : [];
  return [...start, ...history.filter((sample) => sample.atMs < atMs), snapshot];
}
