// One question put to the upstreams until one answers: the next server when one is late or fails, all within one deadline.
// A late server's reply still counts while the question is open.
import type { Question } from "../cache.ts";
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import { type UpstreamAddress, upstreamText } from "./address.ts";
import type { Exchange, Server } from "./exchange.ts";
import type { Usual } from "./usual.ts";

export type Asked =
  | { readonly record: Uint8Array }
  | {
      readonly failure: string;
      /** Nothing was learned of the name, since this machine lacks descriptors or memory. */
      readonly isOwnLack: boolean;
    };
/** Never rejects. */
export type Ask = (question: Question) => Promise<Asked>;

export interface AskOptions {
  readonly upstreams: readonly UpstreamAddress[];
  /** For the whole question. */
  readonly timeoutMs: number;
  readonly exchange: Exchange;
  /** Learns how long answers took; what failed says nothing of that. */
  readonly usual: Usual;
  readonly counters: Counters;
}

// The wait before the next attempt doubles with each round over the servers, as libc's does. It is shorter where there are
// so many servers that the last would not get its turn.
const FIRST_WAIT_MS = 400;

export function createAsk({ upstreams, timeoutMs, exchange, usual, counters }: AskOptions): Ask {
  const servers: Server[] = upstreams.map((address) => ({ ...address, withoutEdnsUntilMs: 0 }));
  const firstWaitMs = Math.min(FIRST_WAIT_MS, timeoutMs / (servers.length + 1));
  let preferred = 0;

  return function ask(question) {
    const open = new AbortController();
    const failed = new Map<Server, string>();
    const first = preferred;
    const askedAtMs = nowMs();
    let attempts = 0;
    let index = first;
    let isOwnLack = false;
    return new Promise((resolve) => {
      let late: NodeJS.Timeout | undefined;
      const deadline = setTimeout(() => {
        preferred = (index + 1) % servers.length; // the next question begins with one that had no turn
        fail();
      }, timeoutMs);
      tryNext();

      function tryNext(): void {
        clearTimeout(late);
        if (failed.size === servers.length) {
          fail();
          return;
        }
        do index = (first + attempts++) % servers.length;
        while (failed.has(servers[index] as Server));
        attempt(servers[index] as Server, index, attempts);
      }

      function attempt(server: Server, ownIndex: number, number: number): void {
        late = setTimeout(
          () => {
            counters.upstreamTimeouts++;
            tryNext();
          },
          firstWaitMs * 2 ** Math.floor((number - 1) / servers.length),
        );
        void exchange(server, question, open.signal).then((ending) => {
          if (open.signal.aborted) return;
          if ("record" in ending) {
            preferred = ownIndex;
            usual.took(nowMs() - askedAtMs);
            finish(ending);
          } else {
            failed.set(server, ending.failed);
            isOwnLack ||= ending.isOwnLack === true;
            if (number === attempts || failed.size === servers.length) tryNext();
          }
        });
      }

      function fail(): void {
        const reasons = servers.map((server) => `${upstreamText(server)}: ${failed.get(server) ?? "no reply in time"}`);
        finish({ failure: reasons.join("; "), isOwnLack });
      }

      function finish(asked: Asked): void {
        clearTimeout(late);
        clearTimeout(deadline);
        open.abort();
        resolve(asked);
      }
    });
  };
}
