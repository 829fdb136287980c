// Two processes against one: do lookups grow with the cores, and what do they cost the daemon?
import { type Contender, cpuMs } from "./contenders.ts";
import { type Libc, measure, type Times } from "./lookups.ts";
import { digits, type Findings, type Goal, microseconds, ratioText } from "./report.ts";
import { inRounds, medianTimes } from "./rounds.ts";
import type { Setting } from "./setting.ts";

interface Cell {
  readonly libc: Libc;
  readonly call: keyof typeof LABELS;
  readonly contender: Contender;
  readonly processes: 1 | 2;
}

const MILLIS = 250;
const LABELS = { gethostbyname_r: "n", getaddrinfo: "m" } as const;
const GROWTH_WANTED = 1.8; // "nearly twice"
const DAEMON_SHARE_MAX = 0.02; // of one core; a heartbeat and timers are not none

export async function cores({ programs, contenders, rounds }: Setting): Promise<Findings> {
  const pairs = [...programs.keys()].flatMap((libc) =>
    (Object.keys(LABELS) as (keyof typeof LABELS)[]).flatMap((call) =>
      contenders
        .filter(({ libcs }) => libcs.includes(libc))
        .map((contender) => ({
          one: { libc, call, contender, processes: 1 } as Cell,
          two: { libc, call, contender, processes: 2 } as Cell,
        })),
    ),
  );
  const daemonMs = new Map<Cell, number>();
  const cells = pairs.flatMap(({ one, two }) => [one, two]);
  const measured = await inRounds(rounds, cells, async (cell, round) => {
    const { libc, call, contender, processes } = cell;
    const before = await cpuMs(contender);
    const times = await measure(programs.get(libc) as string, contender, {
      call,
      label: LABELS[call],
      first: 8,
      millis: MILLIS,
      processes,
      seed: round,
    });
    daemonMs.set(cell, (daemonMs.get(cell) ?? 0) + (await cpuMs(contender)) - before);
    return times;
  });

  const goals: Goal[] = [];
  const rows = pairs.map(({ one, two }) => {
    const best = (cell: Cell) => Math.max(...(measured.get(cell) as Times[]).map(({ perSecond }) => perSecond));
    const [alone, both] = [best(one), best(two)];
    const times = medianTimes(measured.get(two) as Times[]);
    const growth = both / alone;
    const ms = (daemonMs.get(one) ?? 0) + (daemonMs.get(two) ?? 0);
    const lookups = [one, two].flatMap((cell) => measured.get(cell) ?? []).reduce((sum, each) => sum + each.lookups, 0);
    const share = ms / (MILLIS * rounds * 2);
    const { libc, call, contender } = one;
    if (contender.title === "client.so") {
      goals.push(
        {
          what: `lookups a second of two processes against one, ${call}, ${libc}`,
          wanted: `${GROWTH_WANTED} x`,
          measured: ratioText(growth),
          isMet: growth >= GROWTH_WANTED,
        },
        {
          what: `the server's CPU while clients hit, ${call}, ${libc}`,
          wanted: "none",
          measured: `${digits(share * 100)} % of a core`,
          isMet: share <= DAEMON_SHARE_MAX,
        },
      );
    }
    return [
      libc,
      call,
      contender.title,
      thousands(alone),
      thousands(both),
      ratioText(growth),
      microseconds(times.medianNs),
      microseconds(times.p99Ns),
      digits((ms * 1000) / lookups),
    ];
  });
  return {
    sections: [
      {
        title: "Two processes at once",
        notes: [
          "One address, or with getaddrinfo four of each family. Lookups a second of one process and of two together, in the best",
          "round, since other work on the machine can only take from them; median and p99 with two, in µs;",
          "CPU that the daemon had, in µs per lookup (in ticks of 10 ms over the whole run: below some 0.01 it is none).",
        ],
        head: ["libc", "call", "answered by", "one, 1000/s", "two, 1000/s", "growth", "median", "p99", "daemon's CPU"],
        rows,
      },
    ],
    goals,
  };
}

function thousands(perSecond: number): string {
  return digits(perSecond / 1000);
}
