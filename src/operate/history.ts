// The last 15 minutes, for the status page: a sample each 10 s, taken by the worker thread.
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
