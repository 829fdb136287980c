// Names that are given out past their end because no upstream is there: one of them is asked for every second, until somebody
// answers; then all of them are. Otherwise clients would go on with old answers until the end of those 30 seconds.
import { STALE_FOR_MS } from "../../assembly/layout.ts";
import { nowMs } from "../clock.ts";
import type { Question } from "../table/cache.ts";
import type { Wheel } from "../wheel.ts";
import type { View } from "./views.ts";

export interface Recovery {
  /** This one has just been given out. */
  await(key: string, question: Question, view: View): void;
}

export interface RecoveryOptions {
  /** Asks for it anew in the background; false where that may not be now. */
  readonly refresh: (question: Question) => boolean;
  readonly wheel: Wheel;
}

const LOOK_EVERY_MS = 1000;
const AWAITED_MAX = 4096;

export function createRecovery({ refresh, wheel }: RecoveryOptions): Recovery {
  const awaited = new Map<string, { question: Question; view: View; untilMs: number }>();
  let isLooking = false;

  function look(): void {
    isLooking = false;
    const now = nowMs();
    const probed = new Set<View>();
    for (const [key, { question, view, untilMs }] of [...awaited]) {
      if (untilMs <= now) awaited.delete(key);
      else if (!view.isDown()) {
        if (!refresh(question)) break; // the rest at the next look
        awaited.delete(key);
      } else if (!probed.has(view) && refresh(question)) {
        probed.add(view);
        awaited.delete(key);
        awaited.set(key, { question, view, untilMs }); // others have their turn before it
      }
    }
    lookLater();
  }

  function lookLater(): void {
    if (isLooking || awaited.size === 0) return;
    isLooking = true;
    wheel.after(LOOK_EVERY_MS, look);
  }

  return {
    await(key, question, view) {
      if (awaited.size >= AWAITED_MAX && !awaited.has(key)) return;
      awaited.set(key, { question, view, untilMs: nowMs() + STALE_FOR_MS });
      lookLater();
    },
  };
}
