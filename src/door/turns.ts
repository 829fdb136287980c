// Who sends much at once is answered in turns: a millisecond of such work in each round of the event loop, so that the
// heartbeat, new clients and upstreams never wait for all of it.

const ROUND_MS = 1; // a round also accepts one connection only, so a longer one would keep new clients out

const waiting = new Set<() => void>();

/** Calls `work`, a piece that takes microseconds, in a later round; whoever has more asks again, and comes after all others. */
export function inTurn(work: () => void): void {
  if (waiting.size === 0) setImmediate(takeRound);
  waiting.add(work);
}

function takeRound(): void {
  const endMs = performance.now() + ROUND_MS;
  for (const work of waiting) {
    work(); // may add to the end of what is walked here
    waiting.delete(work);
    if (performance.now() >= endMs) break;
  }
  if (waiting.size > 0) setImmediate(takeRound);
}
