// Does a hit stay cheap in a large table? Names are looked up at random over the whole of it.
import os from "node:os";
import path from "node:path";
import {
  benchSandbox,
  type CacheServer,
  cacheDirectory,
  datagramsSent,
  removeDirectory,
  startCacheServer,
} from "./contenders.ts";
import { measure, type Place, type Times } from "./lookups.ts";
import { digits, type Findings, type Goal, microseconds, ratioText } from "./report.ts";
import { inRounds, medianTimes } from "./rounds.ts";
import type { Setting } from "./setting.ts";
import { type Filled, fillTable } from "./tablefile.ts";

// Twice as many entries as names, as the README advises: a set that is full would lose some.
const SIZES = [
  { entries: 2_000, names: 1_000 },
  { entries: 200_000, names: 100_000 },
  { entries: 1_000_000, names: 500_000 },
  { entries: 2_000_000, names: 1_000_000 },
] as const;
type Size = (typeof SIZES)[number];

interface Table extends Place {
  readonly size: Size;
  readonly filled: Filled;
  readonly server: CacheServer;
  readonly startMs: number;
  readonly serverMb: number;
}

const MEMORY_PER_ENTRY = 1600; // the table, the server's copy, and ours while it is made
const MILLIS = 300;
const PROBED = 1000;
const FIRST_LOOKUPS = 20_000;
const GOAL = { names: 1_000_000, hitNs: 600, ratio: 5, entries: 1_000_000, mb: 640, startMs: 2000 };

export async function sizes({ programs, rounds }: Setting): Promise<Findings> {
  const program = programs.get("glibc");
  if (program === undefined) return { sections: [], goals: [] };
  const box = await benchSandbox("127.0.0.9");
  const directories: string[] = [];
  const tooLarge: string[] = [];
  try {
    const tables: Table[] = [];
    for (const size of SIZES) {
      if (os.freemem() < size.entries * MEMORY_PER_ENTRY) {
        const gigabytes = (size.entries * MEMORY_PER_ENTRY) / 1e9;
        tooLarge.push(`${size.names} names want ${gigabytes} GB of free memory: left out`);
        continue;
      }
      const directory = cacheDirectory();
      directories.push(directory);
      const settings = { DNS_CACHE_ENTRIES: String(size.entries) };
      await (await startCacheServer(box, directory, settings)).stop();
      const filled = fillTable(directory, size.entries, size.names);
      const began = performance.now();
      const server = await startCacheServer(box, directory, settings);
      const startMs = performance.now() - began;
      const env = { LD_PRELOAD: path.join(directory, "client.so") };
      const place = { title: `${size.names} names`, box, env };
      if (!(await isWarm(program, place, filled))) {
        throw new Error(`${size.names} names: the server did not go on from the table that it found`);
      }
      tables.push({ ...place, size, filled, server, startMs, serverMb: await residentMb(place, server) });
    }
    return { ...(await measureTables(program, tables, rounds)), absent: tooLarge };
  } finally {
    await box.close();
    directories.forEach(removeDirectory);
  }
}

async function measureTables(program: string, tables: Table[], rounds: number): Promise<Findings> {
  const job = { call: "gethostbyname_r", millis: MILLIS } as const;
  const missShare = new Map<Table, number>();
  const first = new Map<Table, Times>();
  for (const table of tables) {
    const before = await datagramsSent(table.box);
    const times = await measure(program, table, {
      ...job,
      numbers: table.filled.numbers,
      lookups: FIRST_LOOKUPS,
      millis: 10_000,
    });
    first.set(table, times);
    missShare.set(table, ((await datagramsSent(table.box)) - before) / 2 / times.lookups);
  }
  const measured = await inRounds(rounds, tables, (table, round) =>
    measure(program, table, { ...job, numbers: table.filled.numbers, sweep: 1, seed: round }),
  );
  const of = (table: Table) => medianTimes(measured.get(table) as Times[]);
  const smallest = tables.find(({ size }) => size === SIZES[0]);
  const ratio = (table: Table) => (smallest ? of(table).medianNs / of(smallest).medianNs : Number.NaN);
  return {
    sections: [
      {
        title: "Tables by size, glibc, gethostbyname_r: µs per lookup",
        notes: [
          "Names at random over the whole table. `x` is against the smallest. `at first`: the first 20,000 lookups of a process,",
          "which meet pages that it has not mapped yet; the others come after it has touched all. `start`: of a server that",
          "goes on from such a table, Node's own start included. `held`: what a table half full has not lost to its full sets.",
        ],
        head: ["names", "entries", "held", "hits", "median", "p90", "p99", "x", "at first", "start, ms", "server, MB"],
        rows: tables.map((table) => {
          const times = of(table);
          return [
            String(table.size.names),
            String(table.size.entries),
            `${digits((table.filled.held / table.size.names) * 100)} %`,
            `${digits((1 - (missShare.get(table) ?? 0)) * 100)} %`,
            microseconds(times.medianNs),
            microseconds(times.p90Ns),
            microseconds(times.p99Ns),
            ratioText(ratio(table)),
            microseconds(first.get(table)?.medianNs ?? Number.NaN),
            digits(table.startMs),
            digits(table.serverMb),
          ];
        }),
      },
    ],
    goals: tables.flatMap((table) => goalsOf(table, of(table), ratio(table))),
  };
}

function goalsOf({ size, startMs, serverMb }: Table, times: Times, ratio: number): Goal[] {
  const goal = (what: string, most: number, measured: number, unit: string): Goal => ({
    what,
    wanted: `at most ${most} ${unit}`,
    measured: `${digits(measured)} ${unit}`,
    isMet: measured <= most,
  });
  return [
    ...(size.names === GOAL.names
      ? [
          goal("hit among 1,000,000 names, median", GOAL.hitNs / 1000, times.medianNs / 1000, "µs"),
          goal("hit among 1,000,000 names against 1,000", GOAL.ratio, ratio, "x"),
        ]
      : []),
    ...(size.entries === GOAL.entries
      ? [
          goal("warm start of a server with 1,000,000 entries", GOAL.startMs, startMs, "ms"),
          goal("memory of a server with 1,000,000 entries", GOAL.mb, serverMb, "MB"),
        ]
      : []),
  ];
}

/** A cold server asks its upstream for each name. */
async function isWarm(program: string, place: Place, { numbers }: Filled): Promise<boolean> {
  const before = await datagramsSent(place.box);
  await measure(program, place, {
    call: "gethostbyname_r",
    order: "each",
    numbers,
    lookups: PROBED,
    millis: 30_000,
  });
  return (await datagramsSent(place.box)) - before < PROBED / 2;
}

async function residentMb({ box }: Place, { pid }: CacheServer): Promise<number> {
  const { stdout } = await box.run(["cat", `/proc/${pid}/status`]);
  return (Number(/^VmRSS:\s+(\d+) kB/m.exec(stdout)?.[1]) * 1024) / 1e6;
}
