// While none of a group's servers is there one query goes out at a time, whatever is asked (RFC 9520 section 3.1): the newest
// question's first, for it may be the one that is answered. When something comes, all go on.
import type { Wheel } from "../wheel.ts";

export interface Gate {
  /** Calls `go` at once while a server is there, else when its turn has come; gives what takes that back. */
  pass(go: () => void): () => void;
  /** Something has changed: a server may be there again. */
  look(): void;
}

const TURN_MS = 250;

export function createGate(isShut: () => boolean, wheel: Wheel): Gate {
  const waiting: Array<() => void> = [];
  let isTaken = false;

  function giveTurn(): void {
    if (isTaken) return;
    const go = waiting.pop();
    if (go === undefined) return;
    isTaken = true;
    wheel.after(TURN_MS, () => {
      isTaken = false;
      look();
    });
    go();
  }

  function look(): void {
    if (isShut()) giveTurn();
    else for (const go of waiting.splice(0)) go();
  }

  return {
    pass(go) {
      if (!isShut()) {
        go();
        return () => undefined;
      }
      waiting.push(go);
      giveTurn();
      return () => {
        const at = waiting.lastIndexOf(go);
        if (at >= 0) waiting.splice(at, 1);
      };
    },
    look,
  };
}
