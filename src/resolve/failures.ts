// Questions that have just failed (RFC 9520): not asked again for a second, and known to nobody but the server. Where a server
// answers for a name and never for one of its types, each lookup would wait for that type; so it is left alone for longer
// each time. All else stays at a second, for what libc would resolve by now must not fail here.
import type { Why } from "../upstream/ask.ts";

export interface Failure {
  readonly why: Why;
  /** Not for the first time, while another type of the name was answered. */
  readonly isLasting: boolean;
}

export interface Failing {
  readonly why: Why;
  /** Nobody replied, though another type of the name was answered meanwhile. */
  readonly isOneSided: boolean;
  /** When the question was put. */
  readonly askedAtMs: number;
  /** Of its servers: others may well answer. */
  readonly generation: number;
}

export interface Failures {
  get(key: string, generation: number, nowMs: number): Failure | undefined;
  /** That it was one-sided the last time, so that nobody need wait to hear of it again. */
  standing(key: string, generation: number, nowMs: number): Failure | undefined;
  add(key: string, failing: Failing, nowMs: number): void;
  /** When the first of its failures was asked, where they follow one another; one-sided ones alone. */
  sinceMs(key: string, generation: number, nowMs: number): number | undefined;
  /** It has been answered. */
  forget(key: string): void;
  /** Those that are meant; gives how many they were. */
  forgetAll(isMeant: (name: string) => boolean): number;
}

interface Remembered extends Failing {
  /** So many one after the other. */
  readonly count: number;
  readonly sinceMs: number;
  readonly untilMs: number;
}

const FAILURE_MS = 1000; // RFC 9520 section 3.2: at least a second …
const FAILURE_MS_MAX = 300_000; // … and at most 5 minutes
const FAILURES_MAX = 4096;

export function createFailures(): Failures {
  const failures = new Map<string, Remembered>(); // in the order of their last failure

  /** The failure that another one would follow. */
  function last(key: string, generation: number, nowMs: number): Remembered | undefined {
    const failure = failures.get(key);
    if (failure?.generation !== generation || !failure.isOneSided) return undefined;
    return nowMs < failure.untilMs + FAILURE_MS_MAX ? failure : undefined;
  }

  return {
    get(key, generation, nowMs) {
      const failure = failures.get(key);
      if (failure?.generation !== generation || failure.untilMs <= nowMs) return undefined;
      return { why: failure.why, isLasting: failure.isOneSided && failure.count > 1 };
    },
    standing(key, generation, nowMs) {
      const failure = last(key, generation, nowMs);
      return failure && { why: failure.why, isLasting: true };
    },
    add(key, failing, nowMs) {
      const before = failing.isOneSided ? last(key, failing.generation, nowMs) : undefined;
      const count = (before?.count ?? 0) + 1;
      const forMs = Math.min(FAILURE_MS * 2 ** (count - 1), FAILURE_MS_MAX);
      failures.delete(key);
      failures.set(key, { ...failing, count, sinceMs: before?.sinceMs ?? failing.askedAtMs, untilMs: nowMs + forMs });
      for (const oldest of failures.keys()) {
        if (failures.size <= FAILURES_MAX) break;
        failures.delete(oldest);
      }
    },
    sinceMs: (key, generation, nowMs) => last(key, generation, nowMs)?.sinceMs,
    forget: (key) => void failures.delete(key),
    forgetAll(isMeant) {
      const meant = [...failures.keys()].filter((key) => isMeant(key.slice(key.indexOf(" ") + 1)));
      for (const key of meant) failures.delete(key);
      return meant.length;
    },
  };
}
