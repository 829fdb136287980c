// What a search list costs: four domains and ndots:5, as in Kubernetes, so that a name is asked for as it is only after
// four that do not exist.
import type { Contender, ContenderName } from "./contenders.ts";
import { type Call, type Libc, measure, type Times } from "./lookups.ts";
import { type Findings, type Goal, microseconds, ratioText, type Section } from "./report.ts";
import { inRounds, medianTimes } from "./rounds.ts";
import type { Setting } from "./setting.ts";

export const SEARCH_LIST = `search shop.svc.cluster.example svc.cluster.example cluster.example corp.example
options ndots:5 timeout:2 attempts:2
`;

interface Cell {
  readonly libc: Libc;
  readonly call: Call;
  readonly contender: Contender;
}

const CALLS: readonly Call[] = ["gethostbyname_r", "getaddrinfo"];
const WARM_MILLIS = 100;
const WARM_MAX_NS = 2000;
const COLD: readonly ContenderName[] = ["client.so", "unbound", "upstream itself"];
const COLD_NAMES = 4;
const COLD_MAX_NS = 350_000_000;
const FIRST = 20_000_000; // of numbers that no other run uses

export async function search({ programs, contenders, rounds }: Setting): Promise<Findings> {
  const cells: Cell[] = [...programs.keys()].flatMap((libc) =>
    CALLS.flatMap((call) =>
      contenders.filter(({ libcs }) => libcs.includes(libc)).map((contender) => ({ libc, call, contender })),
    ),
  );
  const warmCells = cells.filter(({ contender }) => contender.title !== "upstream itself");
  const warm = await inRounds(rounds, warmCells, ({ libc, call, contender }, round) =>
    measure(programs.get(libc) as string, contender, { call, first: 8, millis: WARM_MILLIS, seed: round }),
  );
  const coldCells = cells.filter(({ contender }) => COLD.includes(contender.title));
  const cold = await inRounds(1, coldCells, ({ libc, call, contender }) =>
    measure(programs.get(libc) as string, contender, {
      call,
      order: "each",
      suffix: "distant.bench.example",
      first: FIRST + coldCells.findIndex((cell) => cell.libc === libc && cell.call === call) * 100,
      names: 1 + COLD_NAMES,
      uncounted: 1,
      millis: 30_000,
    }),
  );
  return {
    sections: [
      section("Search list of four domains, ndots:5, warm: µs per lookup", warm),
      section("The same, cold, upstream 100 ms away: µs per lookup", cold),
    ],
    goals: [...goals("warm", warm, WARM_MAX_NS), ...goals("cold, upstream 100 ms away", cold, COLD_MAX_NS)],
  };
}

function section(title: string, measured: ReadonlyMap<Cell, Times[]>): Section {
  const median = (cell: Cell) => medianTimes(measured.get(cell) as Times[]).medianNs;
  const cells = [...measured.keys()];
  return {
    title,
    notes: ["One address a family, found at the fifth candidate. `x`: how many times client.so's median."],
    head: ["libc", "call", "answered by", "median", "x"],
    rows: cells.map((cell) => {
      const own = cells.find(
        ({ libc, call, contender }) => libc === cell.libc && call === cell.call && contender.title === "client.so",
      ) as Cell;
      const ratio = ratioText(median(cell) / median(own));
      return [cell.libc, cell.call, cell.contender.title, microseconds(median(cell)), ratio];
    }),
  };
}

function goals(what: string, measured: ReadonlyMap<Cell, Times[]>, mostNs: number): Goal[] {
  return [...measured]
    .filter(([{ contender }]) => contender.title === "client.so")
    .map(([{ libc, call }, times]) => {
      const { medianNs } = medianTimes(times);
      return {
        what: `search list, ${what}, ${call}, ${libc}`,
        wanted: `below ${microseconds(mostNs)} µs`,
        measured: `${microseconds(medianNs)} µs`,
        isMet: medianNs < mostNs,
      };
    });
}
