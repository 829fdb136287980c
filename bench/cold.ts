// What a miss costs: different names, each asked once, beside libc asking the same upstream itself.
import type { Contender } from "./contenders.ts";
import { measure, type Times } from "./lookups.ts";
import { type Findings, type Goal, microseconds } from "./report.ts";
import { inRounds, median, medianTimes } from "./rounds.ts";
import type { Setting } from "./setting.ts";

const DISTANCES = [
  { text: "0 ms", suffix: "bench.example", names: 520 },
  { text: "5 ms", suffix: "far.bench.example", names: 120 },
] as const;
type Distance = (typeof DISTANCES)[number];
interface Cell {
  readonly contender: Contender;
  readonly distance: Distance;
}

const FIRST = 10_000_000; // of numbers that no other run uses
const NUMBERS_A_ROUND = 1000;
const ADDED_MAX_NS = 150_000;

export async function cold({ programs, contenders, rounds }: Setting): Promise<Findings> {
  const program = programs.get("glibc");
  const direct = contenders.find(({ title }) => title === "upstream itself");
  if (program === undefined || direct === undefined) return { sections: [], goals: [] };
  const cells: Cell[] = DISTANCES.flatMap((distance) => contenders.map((contender) => ({ contender, distance })));
  const measured = await inRounds(rounds, cells, ({ contender, distance }, round) =>
    measure(program, contender, {
      call: "gethostbyname_r",
      order: "each",
      suffix: distance.suffix,
      first: FIRST + round * NUMBERS_A_ROUND,
      names: distance.names,
      millis: 30_000,
    }),
  );
  const own = (cell: Cell) => measured.get(cell) as Times[];
  const added = (cell: Cell, field: "medianNs" | "p99Ns") => {
    const base = cells.find(({ contender, distance }) => contender === direct && distance === cell.distance) as Cell;
    return median(own(cell).map((times, i) => times[field] - (own(base)[i] as Times)[field]));
  };
  const goals: Goal[] = cells
    .filter(({ contender }) => contender.title === "client.so")
    .map((cell) => ({
      what: `added by a miss, upstream ${cell.distance.text} away, median`,
      wanted: `at most ${microseconds(ADDED_MAX_NS)} µs`,
      measured: `${microseconds(added(cell, "medianNs"))} µs`,
      isMet: added(cell, "medianNs") <= ADDED_MAX_NS,
    }));
  return {
    sections: [
      {
        title: "Misses, glibc, gethostbyname_r: µs per lookup",
        notes: [
          "Each name is asked once. `added`: more than libc needs that asks the same upstream itself, in the same round.",
        ],
        head: ["upstream", "answered by", "median", "p99", "added, median", "added, p99"],
        rows: cells.map((cell) => {
          const times = medianTimes(own(cell));
          const more = (["medianNs", "p99Ns"] as const).map((field) => microseconds(added(cell, field)));
          return [
            `${cell.distance.text} away`,
            cell.contender.title,
            microseconds(times.medianNs),
            microseconds(times.p99Ns),
            ...(cell.contender === direct ? ["", ""] : more),
          ];
        }),
      },
    ],
    goals,
  };
}
