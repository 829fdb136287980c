// Notices a connection on which nothing is heard while something is waited for: its server, or the way to it, is gone. What
// this process has slept through is no silence: whatever came meanwhile is heard first, and a timer that is late begins anew.
import { nowMs } from "../clock.ts";

export interface Silence {
  /** Something is waited for from now on, if it was not already. What is no longer waited for changes nothing: only a
   *  sound shows that the other side is there. */
  wait(): void;
  /** Something was heard. */
  hear(isWaiting: boolean): void;
  end(): void;
}

const LATE_SHARE = 1 / 4;

/** Keeps no process alive. */
export function createSilence(ms: number, onSilence: () => void): Silence {
  let timer: NodeJS.Timeout | undefined;
  let sinceMs = 0;
  return {
    wait() {
      if (timer !== undefined) return;
      sinceMs = nowMs();
      timer = setTimeout(look, ms).unref();
    },
    hear(isWaiting) {
      if (!isWaiting) end();
      else if (timer !== undefined) begin(timer);
    },
    end,
  };

  function begin(anew: NodeJS.Timeout): void {
    sinceMs = nowMs();
    anew.refresh();
  }

  function look(): void {
    const seenMs = sinceMs;
    setImmediate(() => {
      if (timer === undefined || sinceMs !== seenMs) return;
      if (nowMs() - seenMs > ms * (1 + LATE_SHARE)) begin(timer);
      else onSilence();
    });
  }

  function end(): void {
    clearTimeout(timer);
    timer = undefined;
  }
}
