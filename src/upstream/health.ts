// How fast a server is, and whether it is there: from the times of its replies (RFC 6298), and from its silence. A question
// that gets no reply says little, since packets get lost, and some names are answered by nobody; that nothing at all has come
// while several names were asked for, or after probes, says much.

export interface Health {
  /** A question of this name goes out to it. */
  asked(nowMs: number, name: string): void;
  /** A probe does (probe.ts). */
  probed(nowMs: number): void;
  answeredProbe(): void;
  /** Something came from it, whatever it says; `sentAtMs` is when that was asked for, undefined where that tells no time. */
  replied(sentAtMs: number | undefined, nowMs: number): void;
  /** It has given data. */
  answered(nowMs: number): void;
  /** It has done so in the last seconds. */
  hasAnswered(nowMs: number): boolean;
  /** A query that was sent then has been waited for in vain: all are waited for longer where nothing else came either. */
  waited(sentAtMs: number, nowMs: number): void;
  /** It cannot be reached: nobody listens, no route, not the right certificate. True where that is news. */
  refused(nowMs: number): boolean;
  /** A query has not been let out. True where that has been so for many, with no reply between. */
  keptBack(): boolean;
  /** It has been so for longer than a moment. */
  isClosed(nowMs: number): boolean;
  /** How long to wait for a reply before it is asked again, or somebody else is too. */
  waitMs(): number;
  /** Infinite where it never replied. */
  usualMs(): number;
  /** Silent since a while ago: others come first. */
  isAside(nowMs: number): boolean;
  /** Not there as far as libc could find out, which waits for seconds: where the order of servers counts. */
  isGone(nowMs: number): boolean;
  /** Silent for long, to several names or probes. */
  isDead(nowMs: number): boolean;
  /** Whether it has replied since then, or has taken longer before than it is silent now. */
  isLiving(sinceMs: number, nowMs: number): boolean;
  /** Nothing is known of it yet: it may only be slow. */
  isUnheard(nowMs: number): boolean;
  /** Whether it is time for a probe: it is silent, or nobody has asked it for long. */
  isDue(nowMs: number): boolean;
  /** No probe has ever been answered, and some were not: only a question can tell how it is. */
  isDeafToProbes(): boolean;
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
const DEAD_AFTER_MS = 1800; // as long as a question is waited for before an old answer is given (src/resolve/resolver.ts)
const DEAD_AFTER_SIGNS = 3; // names and probes; a probe counts for two where it has been answered before
const KEPT_BACK_MANY = 8; // more than chance keeps back in a row
const CLOSED_AFTER_MS = 50; // refused again, after a wait
const SLOWEST_MS = 6000; // that servers take for what they do not know yet, where nobody has seen them dead
const SLOW_MS = 1500; // a server that has taken so long for a reply is not dead for being late
const ANSWERED_MS = 10_000;
const BACK_OFF_MAX = 8;
const MEASURE_EVERY_MS = 30_000;
const PROBE_FIRST_MS = 1000; // doubled each time, up to MEASURE_EVERY_MS

export function createHealth(nowMs: number): Health {
  let smoothMs: number | undefined;
  let variationMs = 0;
  let longestMs = 0; // slowly forgotten
  let backOff = 1;
  let backedOffAtMs = 0;
  let repliedAtMs = Number.NEGATIVE_INFINITY;
  let answeredAtMs = Number.NEGATIVE_INFINITY;
  let silentSinceMs: number | undefined;
  const namesInVain = new Set<string>();
  let probesInVain = 0;
  let hasAnsweredProbes = false;
  let refusedSinceMs: number | undefined;
  let timesRefused = 0;
  let timesKeptBack = 0;
  let lastAskedAtMs = 0;
  let dueAtMs = nowMs + MEASURE_EVERY_MS;
  let probeMs = 0;

  function usualWaitMs(): number {
    if (smoothMs === undefined) return WAIT_UNKNOWN_MS;
    return Math.max(smoothMs + Math.max(4 * variationMs, smoothMs / 2), WAIT_MIN_MS);
  }

  function isSilentFor(ms: number, now: number): boolean {
    return silentSinceMs !== undefined && now - silentSinceMs >= ms;
  }

  function isAside(now: number): boolean {
    if (silentSinceMs === undefined) return false;
    return refusedSinceMs !== undefined || isSilentFor(Math.max(ASIDE_AFTER_MS, usualWaitMs()), now);
  }

  function isClosed(now: number): boolean {
    return timesRefused > 1 && now - (refusedSinceMs as number) >= CLOSED_AFTER_MS;
  }

  function isDead(now: number): boolean {
    const afterMs = longestMs >= SLOW_MS ? Math.max(DEAD_AFTER_MS, 2 * longestMs) : DEAD_AFTER_MS;
    const signs = namesInVain.size + probesInVain * (hasAnsweredProbes ? 2 : 1);
    return isSilentFor(afterMs, now) && signs >= DEAD_AFTER_SIGNS;
  }

  function isUnheard(now: number): boolean {
    return smoothMs === undefined && refusedSinceMs === undefined && !isSilentFor(SLOWEST_MS, now);
  }

  function measure(tookMs: number): void {
    longestMs = Math.max(tookMs, longestMs * (1 - SMOOTH_GAIN));
    if (smoothMs === undefined) {
      smoothMs = tookMs;
      variationMs = tookMs / 2;
    } else {
      variationMs += (Math.abs(smoothMs - tookMs) - variationMs) * VARIANCE_GAIN;
      smoothMs += (tookMs - smoothMs) * SMOOTH_GAIN;
    }
  }

  return {
    asked(now, name) {
      lastAskedAtMs = now;
      silentSinceMs ??= now;
      if (namesInVain.size < DEAD_AFTER_SIGNS) namesInVain.add(name);
    },
    probed(now) {
      silentSinceMs ??= now;
      probesInVain++;
      probeMs = Math.min(probeMs === 0 ? PROBE_FIRST_MS : 2 * probeMs, MEASURE_EVERY_MS);
      dueAtMs = now + probeMs;
    },
    answeredProbe() {
      hasAnsweredProbes = true;
    },
    replied(sentAtMs, now) {
      if (sentAtMs !== undefined) measure(Math.max(0, now - sentAtMs));
      repliedAtMs = now;
      backOff = 1;
      silentSinceMs = undefined;
      namesInVain.clear();
      probesInVain = 0;
      timesKeptBack = 0;
      refusedSinceMs = undefined;
      timesRefused = 0;
      probeMs = 0;
      dueAtMs = now + MEASURE_EVERY_MS;
    },
    answered(now) {
      answeredAtMs = now;
    },
    hasAnswered: (now) => now - answeredAtMs < ANSWERED_MS,
    waited(sentAtMs, now) {
      if (repliedAtMs >= sentAtMs || backedOffAtMs >= sentAtMs) return; // one step for all that were sent before it
      backedOffAtMs = now;
      backOff = Math.min(2 * backOff, BACK_OFF_MAX);
    },
    refused(now) {
      const isNews = refusedSinceMs === undefined;
      silentSinceMs ??= now;
      refusedSinceMs ??= now;
      timesRefused++;
      return isNews;
    },
    keptBack: () => ++timesKeptBack > KEPT_BACK_MANY,
    isClosed,
    waitMs: () => Math.min(usualWaitMs() * backOff, WAIT_MAX_MS),
    usualMs: () => smoothMs ?? Number.POSITIVE_INFINITY,
    isAside,
    isGone: (now) => isClosed(now) || (isDead(now) && !isUnheard(now)),
    isDead,
    isLiving(sinceMs, now) {
      return repliedAtMs > sinceMs || (longestMs >= SLOW_MS && !isSilentFor(2 * longestMs, now));
    },
    isUnheard,
    isDue: (now) => now >= dueAtMs || (probeMs === 0 && isAside(now)),
    isDeafToProbes: () => !hasAnsweredProbes && probesInVain > 1,
    silentSinceMs: () => silentSinceMs,
    lastAskedAtMs: () => lastAskedAtMs,
  };
}
