// CLOCK_MONOTONIC, by which everything that is known ends, stands still while the machine sleeps and where it is restored from
// a snapshot, and then nobody knows how old an answer is. CLOCK_REALTIME runs ahead of it, as where somebody has set it: the
// two cannot be told apart, since Node has no CLOCK_BOOTTIME. One that is set back, or corrected little by little, says nothing.
import { HEARTBEAT_EVERY_MS } from "../../assembly/layout.ts";
import { nowMs, realMs } from "../clock.ts";

export interface Standstill {
  /** How many there have been; asked for at any time, it is right up to a heartbeat ago. */
  count(): number;
  /** What CLOCK_REALTIME was at that time, by the last look at both; less what it has run ahead since answers were forgotten. */
  realMsAt(nowMs: number): number;
  /** Looks at each heartbeat, too. */
  watch(): void;
}

/** So far CLOCK_REALTIME may run ahead of CLOCK_MONOTONIC, … */
export const AHEAD_MS_MAX = 2000;
/** … and so much more a millisecond, in small steps: no answer outlives its ttl by a larger share. */
const CORRECTED_MS = 0.1;

/** @param forget is called at each, with the time that was not counted */
export function createStandstill(forget: (lostMs: number) => void): Standstill {
  let count = 0;
  let seenRealMs = realMs();
  let seenMs = nowMs();
  let aheadMs = seenRealMs - seenMs; // as far as it is made up for

  function look(): void {
    seenRealMs = realMs();
    const now = nowMs();
    const lostMs = seenRealMs - now - aheadMs;
    const isStandstill = lostMs > AHEAD_MS_MAX;
    aheadMs += isStandstill ? lostMs : Math.min(lostMs, (now - seenMs) * CORRECTED_MS);
    seenMs = now;
    if (!isStandstill) return;
    count++;
    forget(lostMs);
  }

  return {
    count() {
      // By the clock that went on: the other one may say that it was a moment ago.
      if (Math.abs(realMs() - seenRealMs) >= HEARTBEAT_EVERY_MS) look();
      return count;
    },
    realMsAt: (nowMs) => nowMs + aheadMs,
    watch: () => void setInterval(look, HEARTBEAT_EVERY_MS).unref(),
  };
}
