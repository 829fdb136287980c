// `namewell watch`: what goes on, a line for each interval, until Ctrl-C.
import { setTimeout as sleep } from "node:timers/promises";
import type { Counts, Snapshot } from "../operate/snapshot.ts";
import { ask } from "./ask.ts";
import { CliError } from "./failures.ts";
import type { Session } from "./session.ts";
import { count, jsonText, share } from "./terminal.ts";
import { wholeNumber } from "./words.ts";

export interface WatchOptions {
  readonly interval: string;
  readonly count?: string;
}

interface Interval {
  readonly atMs: number;
  readonly seconds: number;
  readonly lookups: number;
  readonly hits: number;
  readonly hitsInTable: number;
  readonly misses: number;
  readonly failed: number;
  readonly evictions: number;
  readonly waiting: number;
}

const INTERVAL_MAX = 3600;
const COUNT_MAX = 999_999_999;
const HEAD_EVERY = 20;
const COLUMNS = ["time", "lookups/s", "from cache", "in table/s", "misses/s", "failed/s", "evicted/s", "waiting"];
const WIDTHS = [8, 10, 10, 10, 10, 10, 10, 8];

export async function watch(session: Session, options: WatchOptions): Promise<void> {
  const intervalMs = wholeNumber("--interval", options.interval, 1, INTERVAL_MAX) * 1000;
  const most =
    options.count === undefined ? Number.POSITIVE_INFINITY : wholeNumber("--count", options.count, 1, COUNT_MAX);
  const stopped = new AbortController();
  const { signal } = stopped;
  const read = async () => (await ask<Snapshot>(session.doors, { method: "GET", path: "/status", signal })).value;
  process.once("SIGINT", () => stopped.abort());
  process.once("SIGTERM", () => stopped.abort());

  try {
    await follow(session, intervalMs, most, read, signal);
  } catch (error) {
    if (!signal.aborted) throw error; // Ctrl-C is how it ends
  }
}

async function follow(
  session: Session,
  intervalMs: number,
  most: number,
  read: () => Promise<Snapshot>,
  signal: AbortSignal,
): Promise<void> {
  let last = await read();
  let isAway = false;
  for (let lines = 0; lines < most; ) {
    await sleep(intervalMs, undefined, { signal });
    let now: Snapshot;
    try {
      now = await read();
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      if (!isAway) session.remark(`${error.message} (waiting for it)`);
      isAway = true;
      continue;
    }
    isAway = false;
    if (now.startedAtMs !== last.startedAtMs) {
      session.remark("The server was started anew");
    } else {
      const interval = intervalOf(last, now);
      if (session.isJson) session.print(jsonText(interval));
      else
        session.print(...(lines % HEAD_EVERY === 0 ? [session.paint("dim", row(COLUMNS))] : []), row(cells(interval)));
      lines++;
    }
    last = now;
  }
}

export function intervalOf(last: Snapshot, now: Snapshot): Interval {
  const grown = (of: (counts: Counts) => number) => of(now.counts) - of(last.counts);
  const hits = grown(({ lookups }) => sum(lookups.hits));
  const misses = grown(({ lookups }) => sum(lookups.misses));
  return {
    atMs: now.atMs,
    seconds: (now.atMs - last.atMs) / 1000,
    lookups: hits + misses,
    hits,
    hitsInTable: grown(({ hits: ways }) => sum(ways.table)),
    misses,
    failed: grown(({ outcomes }) => outcomes.temporary + outcomes.unfit),
    evictions: grown(({ evictions }) => evictions),
    waiting: now.counts.waiting,
  };
}

function cells({ atMs, seconds, lookups, hits, hitsInTable, misses, failed, evictions, waiting }: Interval): string[] {
  const rate = (number: number) => count(Math.round(number / Math.max(seconds, 0.001)));
  const time = new Date(atMs).toTimeString().slice(0, 8);
  return [
    time,
    rate(lookups),
    share(hits, lookups),
    rate(hitsInTable),
    rate(misses),
    rate(failed),
    rate(evictions),
    count(waiting),
  ];
}

function row(texts: readonly string[]): string {
  return texts.map((text, i) => text.padStart(WIDTHS[i] ?? 0)).join("  ");
}

function sum(counts: object): number {
  return Object.values(counts).reduce((all: number, value: number) => all + value, 0);
}
