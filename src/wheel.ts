// One timer for all the waits of questions: a wheel of slots, in which to start and to take back a wait costs next to
// nothing. The timer itself sleeps until the next slot that somebody waits in.
import { nowMs } from "./clock.ts";

export interface Wheel {
  /** Calls `wake` once, after so many milliseconds or up to TICK_MS later; the function given back takes that back. */
  after(ms: number, wake: () => void): () => void;
}

interface Wait {
  readonly dueTick: number;
  readonly wake: () => void;
}

export const TICK_MS = 5;
const SLOTS = 1024; // 5 s a turn: longer waits go round more than once

export function createWheel(): Wheel {
  const slots = Array.from({ length: SLOTS }, () => new Set<Wait>());
  let waiting = 0;
  let seenTick = 0; // all slots up to this one have been looked at
  let timer: NodeJS.Timeout | undefined;
  let timerTick = Number.POSITIVE_INFINITY;
  let isTurning = false;

  function tickOf(ms: number): number {
    return Math.floor(ms / TICK_MS);
  }

  function sleepUntil(tick: number): void {
    clearTimeout(timer);
    timerTick = tick;
    timer = setTimeout(turn, Math.max(1, Math.ceil(tick * TICK_MS - nowMs())));
  }

  function turn(): void {
    isTurning = true;
    const nowTick = tickOf(nowMs());
    const due: Wait[] = [];
    for (let tick = Math.max(seenTick + 1, nowTick - SLOTS + 1); tick <= nowTick; tick++) {
      for (const wait of slotOf(tick)) if (wait.dueTick <= nowTick) due.push(wait);
    }
    seenTick = nowTick;
    for (const wait of due.sort((one, other) => one.dueTick - other.dueTick)) {
      if (!slotOf(wait.dueTick).delete(wait)) continue; // taken back by one before it
      waiting--;
      wait.wake();
    }
    isTurning = false;
    timerTick = Number.POSITIVE_INFINITY;
    if (waiting > 0) sleepUntil(nextTick());
  }

  /** The next slot that is not empty, whichever turn its waits are for. */
  function nextTick(): number {
    let tick = seenTick + 1;
    while (slotOf(tick).size === 0 && tick < seenTick + SLOTS) tick++;
    return tick;
  }

  function slotOf(tick: number): Set<Wait> {
    return slots[tick % SLOTS] as Set<Wait>;
  }

  return {
    after(ms, wake) {
      const now = nowMs();
      if (waiting === 0) seenTick = tickOf(now);
      const wait = { dueTick: Math.max(Math.ceil((now + ms) / TICK_MS), seenTick + 1), wake };
      slotOf(wait.dueTick).add(wait);
      waiting++;
      if (!isTurning && wait.dueTick < timerTick) sleepUntil(wait.dueTick);
      return () => {
        if (slotOf(wait.dueTick).delete(wait)) waiting--;
      };
    },
  };
}
