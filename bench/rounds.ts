// Rounds: every cell is measured once in each, so that what disturbs the machine for a while falls on all of them; what
// counts is the median of the rounds.
import type { Times } from "./lookups.ts";

export async function inRounds<Cell>(
  rounds: number,
  cells: readonly Cell[],
  measure: (cell: Cell, round: number) => Promise<Times>,
): Promise<Map<Cell, Times[]>> {
  const measured = new Map<Cell, Times[]>(cells.map((cell) => [cell, []]));
  for (let round = 0; round < rounds; round++) {
    for (const cell of cells) measured.get(cell)?.push(await measure(cell, round));
  }
  return measured;
}

export function medianTimes(all: readonly Times[]): Times {
  const of = (field: keyof Times) => median(all.map((times) => times[field]));
  return {
    batch: of("batch"),
    lookups: of("lookups"),
    perSecond: of("perSecond"),
    medianNs: of("medianNs"),
    p90Ns: of("p90Ns"),
    p99Ns: of("p99Ns"),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
