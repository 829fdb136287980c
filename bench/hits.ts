// How long a warm lookup takes: one process, one name over and over.
import { type Contender, type ContenderName, isKept } from "./contenders.ts";
import { CALLS, type Call, type Libc, measure, type Times } from "./lookups.ts";
import { type Findings, microseconds, ratioText, type Section, speedGoal } from "./report.ts";
import { inRounds, medianTimes } from "./rounds.ts";
import type { Setting } from "./setting.ts";

interface Cell {
  readonly libc: Libc;
  readonly call: Call;
  readonly label: keyof typeof ADDRESSES;
  readonly contender: Contender;
}
type Find = (libc: Libc, call: Call, label: Cell["label"], title: ContenderName) => Times | undefined;

const MILLIS = 100;
const ADDRESSES = { n: "1", m: "4" };
const LABELS = ["n", "m"] as const;

/** DESIGN.md section 6, and for IPv4 alone what the table's issue asks. */
const GOALS: ReadonlyArray<readonly [Call, ContenderName, number]> = [
  ["gethostbyname_r", "nscd", 8],
  ["gethostbyname_r", "unbound", 200],
  ["getaddrinfo-v4", "nscd", 5],
  ["getaddrinfo", "nscd", 40],
  ["getaddrinfo", "unbound", 200],
];

export async function hits({ programs, contenders, rounds }: Setting): Promise<Findings> {
  const libcs = [...programs.keys()];
  const cells = libcs.flatMap((libc) =>
    CALLS.flatMap((call) =>
      LABELS.flatMap((label) =>
        contenders
          .filter((contender) => contender.libcs.includes(libc) && isKept(contender, call, label))
          .map((contender): Cell => ({ libc, call, label, contender })),
      ),
    ),
  );
  const measured = await inRounds(rounds, cells, ({ libc, call, label, contender }, round) =>
    measure(programs.get(libc) as string, contender, { call, label, first: 8, millis: MILLIS, seed: round }),
  );
  const find: Find = (libc, call, label, title) => {
    const isIt = (cell: Cell) => cell.libc === libc && cell.call === call && cell.label === label;
    const cell = cells.find((each) => isIt(each) && each.contender.title === title);
    return cell && medianTimes(measured.get(cell) as Times[]);
  };
  return {
    sections: libcs.map((libc) =>
      section(
        libc,
        cells.filter((cell) => cell.libc === libc),
        find,
      ),
    ),
    goals: libcs.flatMap((libc) =>
      GOALS.flatMap(([call, rival, times]) =>
        LABELS.flatMap((label) =>
          speedGoal(
            `hit, ${call}, ${ADDRESSES[label]} a family, ${libc}, against ${rival}`,
            find(libc, call, label, "client.so")?.medianNs,
            find(libc, call, label, rival)?.medianNs,
            times,
          ),
        ),
      ),
    ),
  };
}

function section(libc: Libc, cells: readonly Cell[], find: Find): Section {
  return {
    title: `Hits, ${libc}: µs per lookup`,
    notes: [
      "One process, one name over and over, with so many addresses a family. `x`: how many times client.so's median.",
      "`calls`: lookups in one sample, 16 where one alone is too short for the clock; p90 and p99 are of samples.",
      libc === "musl"
        ? "musl does not ask nscd."
        : "nscd keeps no IPv4 entry with several addresses: it asks its upstream each time, so it has no line there.",
    ],
    head: ["call", "addresses", "answered by", "median", "p90", "p99", "x", "calls"],
    rows: cells.map(({ call, label, contender: { title } }) => {
      const times = find(libc, call, label, title) as Times;
      const own = find(libc, call, label, "client.so");
      return [
        call,
        ADDRESSES[label],
        title,
        microseconds(times.medianNs),
        microseconds(times.p90Ns),
        microseconds(times.p99Ns),
        own === undefined ? "" : ratioText(times.medianNs / own.medianNs),
        String(times.batch),
      ];
    }),
  };
}
