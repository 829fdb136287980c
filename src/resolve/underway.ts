// The questions that are under way to upstreams, oldest first, and how many may be.

import { nowMs } from "../clock.ts";
import type { Question } from "../table/cache.ts";
import { typeName } from "../type.ts";
import type { View } from "./views.ts";

export interface UnderWay {
  readonly question: Question;
  readonly key: string;
  readonly view: View;
  /** Of the view's servers, when they were asked. */
  readonly generation: number;
  readonly sinceMs: number;
  readonly record: Promise<Uint8Array>;
  /** To all who wait; nobody joins it any more. */
  give(record: Uint8Array): void;
  /** Another type of the name has been answered meanwhile. */
  isOtherAnswered: boolean;
  /** What it brings is for those who wait for it alone. */
  isForgotten: boolean;
}

export interface Questions {
  /** Put to the servers that would be asked now. */
  find(key: string, view: View): UnderWay | undefined;
  begin(question: Question, key: string, view: View): UnderWay;
  /** Upstreams have said all that they will of one that was begun. */
  ended(): void;
  /** For one more. */
  hasRoom(): boolean;
  /** In the place of which another one may begin, since it should have been answered by now. */
  overdue(): UnderWay | undefined;
  /** Nobody joins one of those that are meant any more; gives how many they are. */
  forget(isMeant: (name: string) => boolean): number;
  count(): number;
}

export const IN_FLIGHT_MAX = 4096;
const ASKED_MAX = 4 * IN_FLIGHT_MAX; // with those that gave up their place, of which upstreams have not said all yet
// Who fills all places does so with names that nobody answers, over as many connections as it likes, so that no client can be
// told to have too many. But an answer that comes at all has mostly come by then.
const OVERDUE_MS = 50;
const OVERDUE_USUAL_TIMES = 4;

export function createQuestions(): Questions {
  const underWays = new Map<string, UnderWay>();
  let asked = 0;

  return {
    find(key, view) {
      const underWay = underWays.get(key);
      return underWay?.generation === view.generation() ? underWay : undefined;
    },
    begin(question, key, view) {
      let settle: UnderWay["give"] = () => undefined;
      const record = new Promise<Uint8Array>((resolve) => {
        settle = resolve;
      });
      const underWay: UnderWay = {
        question,
        key,
        view,
        generation: view.generation(),
        sinceMs: nowMs(),
        record,
        give(record) {
          if (underWays.get(key) === underWay) underWays.delete(key);
          settle(record);
        },
        isOtherAnswered: false,
        isForgotten: false,
      };
      underWays.delete(key); // of servers that are not asked any more
      underWays.set(key, underWay);
      asked++;
      return underWay;
    },
    ended() {
      asked--;
    },
    hasRoom: () => underWays.size < IN_FLIGHT_MAX && asked < ASKED_MAX,
    overdue() {
      const [oldest] = underWays.values();
      if (oldest === undefined || asked >= ASKED_MAX) return undefined;
      const waitMs = Math.max(OVERDUE_MS, OVERDUE_USUAL_TIMES * oldest.view.usualMs());
      return nowMs() - oldest.sinceMs < waitMs ? undefined : oldest;
    },
    forget(isMeant) {
      const meant = [...underWays].filter(([, { question }]) => isMeant(question.name));
      for (const [key, underWay] of meant) {
        underWay.isForgotten = true;
        underWays.delete(key);
      }
      return meant.length;
    },
    count: () => underWays.size,
  };
}

export function keyOf({ name, type }: Question): string {
  return `${typeName(type)} ${name}`;
}
