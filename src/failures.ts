// Questions that have just failed (RFC 9520): not asked again for a second, and known to nobody but the server.
import type { Why } from "./upstream/ask.ts";

export interface Failure {
  readonly why: Why;
}

export interface Failures {
  get(key: string, nowMs: number): Failure | undefined;
  add(key: string, failure: Failure, nowMs: number): void;
  clear(): void;
}

const FAILURE_MS = 1000; // RFC 9520 section 3.2: at least a second
const FAILURES_MAX = 4096;

export function createFailures(): Failures {
  const failures = new Map<string, Failure & { readonly untilMs: number }>(); // oldest first, since all last equally long

  return {
    get(key, nowMs) {
      const failure = failures.get(key);
      if (failure === undefined || failure.untilMs > nowMs) return failure;
      failures.delete(key);
      return undefined;
    },
    add(key, { why }, nowMs) {
      failures.delete(key);
      failures.set(key, { why, untilMs: nowMs + FAILURE_MS });
      for (const oldest of failures.keys()) {
        if (failures.size <= FAILURES_MAX) break;
        failures.delete(oldest);
      }
    },
    clear: () => failures.clear(),
  };
}
