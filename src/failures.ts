// Questions that have just failed (RFC 9520): not asked again for a second, and known to nobody but the server.

export interface Failures {
  has(key: string, nowMs: number): boolean;
  add(key: string, nowMs: number): void;
  clear(): void;
}

const FAILURE_MS = 1000; // RFC 9520 section 3.2: at least a second
const FAILURES_MAX = 4096;

export function createFailures(): Failures {
  const untilMs = new Map<string, number>(); // oldest first, since all last equally long

  return {
    has(key, nowMs) {
      const until = untilMs.get(key);
      if (until === undefined) return false;
      if (until > nowMs) return true;
      untilMs.delete(key);
      return false;
    },
    add(key, nowMs) {
      untilMs.delete(key);
      untilMs.set(key, nowMs + FAILURE_MS);
      for (const oldest of untilMs.keys()) {
        if (untilMs.size <= FAILURES_MAX) break;
        untilMs.delete(oldest);
      }
    },
    clear: () => untilMs.clear(),
  };
}
