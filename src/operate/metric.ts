// What one metric is, and how its samples are read from the numbers.
import type { Durations } from "../durations.ts";
import type { SideState } from "./sidestate.ts";
import type { PlaceCounts, Snapshot } from "./snapshot.ts";

export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** With what the number cannot know. */
  readonly help: string;
  readonly labels: readonly string[];
  /** Each value that a label can have is there from the start: or else rate() misses its first event. */
  read(seen: Seen): readonly Sample[];
}

export interface Seen {
  readonly snapshot: Snapshot;
  readonly side: SideState;
}

/** A value after those of its labels. */
export type Sample = readonly [...labels: string[], value: number | Durations];

export const counter = metric("counter");
export const gauge = metric("gauge");
export const histogram = metric("histogram");

function metric(type: Metric["type"]) {
  return (name: string, labels: readonly string[], help: string, read: Metric["read"]): Metric => ({
    name: `namewell_${name}`,
    type,
    help,
    labels,
    read,
  });
}

/** A sample for each, in the order that they have there. */
export function byKey(values: Readonly<Record<string, number | Durations>>): readonly Sample[] {
  return Object.entries(values);
}

/** None of what is not known: 0 would be a statement. */
export function known(value: number | boolean | undefined, ...labels: readonly string[]): readonly Sample[] {
  return value === undefined ? [] : [[...labels, Number(value)]];
}

export function places(
  { table }: Snapshot,
  samplesOf: (place: string, counts: PlaceCounts) => readonly Sample[],
): readonly Sample[] {
  return Object.entries(table.places).flatMap(([place, counts]) => samplesOf(place, counts));
}
