// How fast a server is, and whether it is there: from the times of its replies (RFC 6298), and from its silence. A question
// that gets no reply says little, since packets get lost; that nothing at all has come since it was put says much.

export interface Health {
  /** A question goes out to it. */
  asked(nowMs: number): void;
  /** Something came from it, whatever it says; `sentAtMs` is when that was asked for. */
  replied(sentAtMs: number, nowMs: number): void;
  /** It cannot be reached: nobody listens, no route, not the right certificate. True where that is news. */
  refused(nowMs: number): boolean;
  /** How long to wait for a reply before somebody else is asked too. */
  waitMs(): number;
  /** In doubles of a millisecond, so that small differences do not count; infinite where it never replied. */
  slowness(): number;
  /** Silent since a while ago: others come first. */
  isAside(nowMs: number): boolean;
  /** Silent for long, and asked more than once meanwhile. */
  isDead(nowMs: number): boolean;
  /** Whether it is time to find out how a server is that nobody asks. */
  isDue(nowMs: number): boolean;
  /** Since when it has not replied to anything; undefined where nothing is waited for. */
  silentSinceMs(): number | undefined;
  lastAskedAtMs(): number;
}

const SMOOTH_GAIN = 1 / 8;
const VARIANCE_GAIN = 1 / 4;
const WAIT_MIN_MS = 100; // recursion takes a server longer than its cache does, and a busy machine delays both ends
const WAIT_MAX_MS = 1000;
const WAIT_UNKNOWN_MS = 300; // with a server behind a dead one, a first lookup is to take less than half a second
const ASIDE_AFTER_MS = 300;
const DEAD_AFTER_MS = 1800; // as long as a question is waited for before an old answer is given (src/resolver.ts)
const DEAD_AFTER_QUESTIONS = 3;
const MEASURE_EVERY_MS = 30_000;
const PROBE_FIRST_MS = 1000; // doubled each time, up to MEASURE_EVERY_MS

export function createHealth(nowMs: number): Health {
  let smoothMs: number | undefined;
  let variationMs = 0;
  let silentSinceMs: number | undefined;
  let askedInVain = 0;
  let isRefusing = false;
  let lastAskedAtMs = 0;
  let dueAtMs = nowMs + MEASURE_EVERY_MS;
  let probeMs = 0;

  function waitMs(): number {
    if (smoothMs === undefined) return WAIT_UNKNOWN_MS;
    return Math.min(Math.max(smoothMs + 4 * variationMs, WAIT_MIN_MS), WAIT_MAX_MS);
  }

  function isAside(now: number): boolean {
    return silentSinceMs !== undefined && (isRefusing || now - silentSinceMs >= Math.max(ASIDE_AFTER_MS, waitMs()));
  }

  function isDueAt(now: number): boolean {
    const silentMs = silentSinceMs === undefined ? 0 : now - silentSinceMs;
    return now >= dueAtMs || (probeMs === 0 && isAside(now) && silentMs >= PROBE_FIRST_MS);
  }

  return {
    asked(now) {
      lastAskedAtMs = now;
      askedInVain++;
      silentSinceMs ??= now;
      const isDue = isDueAt(now);
      if (isAside(now) && isDue) probeMs = Math.min(probeMs === 0 ? PROBE_FIRST_MS : 2 * probeMs, MEASURE_EVERY_MS);
      if (isDue) dueAtMs = now + (probeMs || MEASURE_EVERY_MS);
    },
    replied(sentAtMs, now) {
      const tookMs = Math.max(0, now - sentAtMs);
      if (smoothMs === undefined) {
        smoothMs = tookMs;
        variationMs = tookMs / 2;
      } else {
        variationMs += (Math.abs(smoothMs - tookMs) - variationMs) * VARIANCE_GAIN;
        smoothMs += (tookMs - smoothMs) * SMOOTH_GAIN;
      }
      silentSinceMs = undefined;
      askedInVain = 0;
      isRefusing = false;
      probeMs = 0;
      dueAtMs = now + MEASURE_EVERY_MS;
    },
    refused(now) {
      const isNews = !isRefusing;
      silentSinceMs ??= now;
      isRefusing = true;
      return isNews;
    },
    waitMs,
    slowness: () => (smoothMs === undefined ? Number.POSITIVE_INFINITY : Math.floor(Math.log2(Math.max(1, smoothMs)))),
    isAside,
    isDead: (now) =>
      silentSinceMs !== undefined && now - silentSinceMs >= DEAD_AFTER_MS && askedInVain >= DEAD_AFTER_QUESTIONS,
    isDue: isDueAt,
    silentSinceMs: () => silentSinceMs,
    lastAskedAtMs: () => lastAskedAtMs,
  };
}
