// While none of a group's servers is there one query goes out at a time, whatever is asked (RFC 9520 section 3.1): the newest
// question's first, for it may be the one that is answered. When something comes, all go on.
import type { Wheel } from "../wheel.ts";

export interface Gate {
  /** Calls `go` at once while a server is there, else when its turn has come, and once more when one is; gives what takes that back. */
  pass(go: () => void): () => void;
  /** Something has changed: a server may be there again. */
  look(): void;
}

const TURN_MS = 250;

export function createGate(isShut: () => boolean, wheel: Wheel): Gate {
  const waiting = new Set<() => void>(); // the newest last
  const sent = new Set<() => void>(); // had their turn, in vain so far
  let isTaken = false;

  function giveTurn(): void {
    if (isTaken) return;
    const go = [...waiting].at(-1);
    if (go === undefined) return;
    waiting.delete(go);
    sent.add(go);
    isTaken = true;
    wheel.after(TURN_MS, () => {
      isTaken = false;
      look();
    });
    go();
  }

  function look(): void {
    if (isShut()) {
      giveTurn();
      return;
    }
    const all = [...sent, ...waiting];
    sent.clear();
    waiting.clear();
    for (const go of all) go();
  }

  return {
    pass(go) {
      if (!isShut()) {
        go();
        return () => undefined;
      }
      waiting.add(go);
      giveTurn();
      return () => {
        waiting.delete(go);
        sent.delete(go);
      };
    },
    look,
  };
}
