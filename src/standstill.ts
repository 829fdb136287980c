// CLOCK_MONOTONIC, by which everything that is known ends, stands still while the machine sleeps and where it is restored from
// a snapshot, and then nobody knows how old an answer is. CLOCK_REALTIME runs ahead of it, as where somebody has set it: the
// two cannot be told apart, since Node has no CLOCK_BOOTTIME. One that is set back, or corrected little by little, says nothing.
import { HEARTBEAT_EVERY_MS } from "../assembly/layout.ts";
import { nowMs, realMs } from "./clock.ts";

export interface Standstill {
  /** How many there have been; asked for at any time, it is right up to a heartbeat ago. */
  count(): number;
  /** What CLOCK_REALTIME was at that time, by the last look at both. */
  realMsAt(nowMs: number): number;
  /** Looks at each heartbeat, too. */
  watch(): void;
}

/** So far CLOCK_REALTIME may run ahead of CLOCK_MONOTONIC between two heartbeats. */
export const AHEAD_MS_MAX = 2000;

/** @param forget is called at each, with the time that was not counted */
export function createStandstill(forget: (lostMs: number) => void): Standstill {
  let count = 0;
  let seenRealMs = realMs();
  let aheadMs = seenRealMs - nowMs();

  function look(): void {
    const lastAheadMs = aheadMs;
    seenRealMs = realMs();
    aheadMs = seenRealMs - nowMs();
    if (aheadMs - lastAheadMs <= AHEAD_MS_MAX) return;
    count++;
    forget(aheadMs - lastAheadMs);
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
