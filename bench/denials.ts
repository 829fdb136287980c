// Names with an IPv4 address alone, of a server that gives its denials no SOA: the denial of IPv6 counts at each lookup, and
// behind a search list four more. No lookup may take longer than with libc alone, which asks the same server each time.
import type { Contender } from "./contenders.ts";
import { type Libc, measure, type Times } from "./lookups.ts";
import { type Findings, type Goal, microseconds, ratioText, type Section } from "./report.ts";
import { inRounds, medianTimes } from "./rounds.ts";
import type { Setting } from "./setting.ts";

interface Cell {
  readonly libc: Libc;
  readonly way: Way;
  readonly contender: Contender;
}
type Way = keyof typeof SUFFIXES;

/** With a dot at its end a name is looked up as it is; resolv.conf is that of search.ts. */
const SUFFIXES = { alone: "bench.example.", "behind a search list of four domains": "bench.example" };
const MILLIS = 100;

export async function denials({ programs, contenders, rounds }: Setting): Promise<Findings> {
  const cells: Cell[] = [...programs.keys()].flatMap((libc) =>
    (Object.keys(SUFFIXES) as Way[]).flatMap((way) => contenders.map((contender) => ({ libc, way, contender }))),
  );
  const measured = await inRounds(rounds, cells, ({ libc, way, contender }, round) =>
    measure(programs.get(libc) as string, contender, {
      call: "getaddrinfo",
      label: "o",
      first: 8,
      suffix: SUFFIXES[way],
      millis: MILLIS,
      seed: round,
    }),
  );
  const timesOf = (cell: Cell) => medianTimes(measured.get(cell) as Times[]);
  const rivalOf = (own: Cell) =>
    cells.find((each) => each.libc === own.libc && each.way === own.way && each !== own) as Cell;
  const own = cells.filter(({ contender }) => contender.title === "client.so");
  return {
    sections: [section(cells, timesOf)],
    goals: own.map((cell) => goal(cell, timesOf(cell), timesOf(rivalOf(cell)))),
  };
}

function section(cells: readonly Cell[], timesOf: (cell: Cell) => Times): Section {
  return {
    title: "Denials without a SOA, warm: µs per lookup",
    notes: ["getaddrinfo, AF_UNSPEC, one name over and over that has one IPv4 address and nothing else."],
    head: ["libc", "name", "answered by", "median", "p90", "p99"],
    rows: cells.map((cell) => {
      const { medianNs, p90Ns, p99Ns } = timesOf(cell);
      return [cell.libc, cell.way, cell.contender.title, ...[medianNs, p90Ns, p99Ns].map(microseconds)];
    }),
  };
}

function goal({ libc, way }: Cell, own: Times, alone: Times): Goal {
  return {
    what: `denials without a SOA, ${way}, ${libc}, against libc alone`,
    wanted: "no slower, in the median and in 99 of 100",
    measured: `${ratioText(alone.medianNs / own.medianNs)} faster, ${ratioText(alone.p99Ns / own.p99Ns)} in p99`,
    isMet: own.medianNs <= alone.medianNs && own.p99Ns <= alone.p99Ns,
  };
}
