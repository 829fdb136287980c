// Which names are asked for most, which fail most, and which take longest: for people, in a bounded number of places.
import { type Counted, createTopList } from "./toplist.ts";

export interface SlowName {
  readonly name: string;
  readonly type: string;
  readonly seconds: number;
  /** Since the epoch. */
  readonly atMs: number;
}
export interface NamesReport {
  readonly top: readonly Counted[];
  readonly failing: readonly Counted[];
  readonly slow: readonly SlowName[];
}

export interface Names {
  /** So many lookups of it. */
  used(name: string, count?: number): void;
  failed(name: string): void;
  /** The servers took so long for it. */
  took(name: string, type: string, ms: number): void;
  /** Most first. */
  report(): NamesReport;
}

const PLACES = 1000;
const SHOWN = 100;
const SLOW_PLACES = 50;
const SLOW_FOR_MS = 15 * 60_000;

/** @param realMs milliseconds since the epoch */
export function createNames(realMs: () => number = Date.now): Names {
  const top = createTopList(PLACES);
  const failing = createTopList(PLACES);
  let slow: SlowName[] = []; // slowest first
  let leastSeconds = 0; // to be among them, until then
  let leastUntilMs = 0;

  return {
    used: (name, count) => top.add(name, count),
    failed: (name) => failing.add(name),
    took(name, type, ms) {
      const seconds = ms / 1000;
      const now = realMs();
      if (seconds <= leastSeconds && now < leastUntilMs) return;
      const same = slow.find((each) => each.name === name && each.type === type);
      if (same !== undefined && same.seconds > seconds && isRecent(same, now)) return;
      slow = slow.filter((each) => each !== same && isRecent(each, now));
      slow.push({ name, type, seconds, atMs: now });
      slow.sort((one, other) => other.seconds - one.seconds);
      slow.length = Math.min(slow.length, SLOW_PLACES);
      leastSeconds = slow.length < SLOW_PLACES ? 0 : (slow.at(-1) as SlowName).seconds;
      leastUntilMs = Math.min(...slow.map((each) => each.atMs)) + SLOW_FOR_MS;
    },
    report() {
      const now = realMs();
      return {
        top: top.list(SHOWN),
        failing: failing.list(SHOWN),
        slow: slow.filter((each) => isRecent(each, now)),
      };
    },
  };
}

function isRecent({ atMs }: SlowName, now: number): boolean {
  return now - atMs < SLOW_FOR_MS;
}
