// One question put to a group of servers until one answers: the next one when a reply is late or says that there is no
// answer, all within one deadline. Those asked before are not given up: whoever answers first has it.
import type { Question } from "../cache.ts";
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Wheel } from "../wheel.ts";
import type { Ending, Exchange } from "./exchange.ts";
import type { Server } from "./server.ts";

export type Asked = { readonly record: Uint8Array } | { readonly failure: string; readonly why: Why };
/**
 * `said`: a server has said that there is no answer. `silent`: no server has replied at all. `unanswered`: the servers are
 * there, but have not replied to this question, for which libc might wait longer. `lack`: nothing was learned of the name,
 * since this machine lacks descriptors, ports or memory.
 */
export type Why = "said" | "silent" | "unanswered" | "lack";
/** Never rejects. `late` is told of a record that comes when the question has ended without one. */
export type Ask = (question: Question, late: (record: Uint8Array) => void) => Promise<Asked>;

export interface AskOptions {
  /** Best first; one at least. */
  readonly order: () => readonly Server[];
  /** A server that it is time to hear of again, though it is not the first. */
  readonly due: () => Server | undefined;
  /** For the whole question. */
  readonly timeoutMs: number;
  readonly exchange: Exchange;
  readonly wheel: Wheel;
  readonly counters: Counters;
}

interface Attempt {
  readonly server: Server;
  /** Set where this is what the server has been silent to from the beginning. */
  readonly silentSinceMs: number | undefined;
  takeBack(): void;
}

const WAIT_MAX_MS = 400; // the wait doubles with each round over the servers, to here unless replies take longer than that
const WATCH_MS = 2000; // a silent server's reply to an answered question is still of use: it says how the server is

export function createAsk({ order, due, timeoutMs, exchange, wheel, counters }: AskOptions): Ask {
  return function ask(question) {
    return new Promise((resolve) => {
      const servers = order();
      const attempts = new Set<Attempt>();
      const failed = new Map<Server, string>();
      let turns = 0; // servers that have been waited for, again where they were again
      let hasEnded = false;
      let isSilence = true;
      let isOwnLack = false;
      let stopWaiting: () => void = () => undefined;
      const stopDeadline = wheel.after(timeoutMs, fail);
      next();
      const another = due();
      if (another !== undefined && another !== servers[0]) attempt(another);

      /** Asks the next server, and waits for it. */
      function next(): void {
        stopWaiting();
        if (hasNoWay()) {
          fail();
          return;
        }
        let server: Server;
        do server = servers[turns++ % servers.length] as Server;
        while (failed.has(server));
        stopWaiting = wheel.after(waitMs(server), () => {
          counters.upstreamTimeouts++;
          next();
        });
        attempt(server);
      }

      /** Each has its turn before the deadline, however many they are. */
      function waitMs(server: Server): number {
        const round = Math.floor((turns - 1) / servers.length);
        const usualMs = Math.min(server.health.waitMs(), timeoutMs / (servers.length + 1));
        return Math.min(usualMs * 2 ** round, Math.max(usualMs, WAIT_MAX_MS));
      }

      /** All have failed; the dead are not waited for where one has said so itself. */
      function hasNoWay(): boolean {
        const now = nowMs();
        const isLeft = (server: Server) => !failed.has(server) && (failed.size === 0 || !server.health.isDead(now));
        return !servers.some(isLeft);
      }

      function attempt(server: Server): void {
        const isLate = turns > 2 * servers.length;
        const { silentSinceMs } = server.health;
        const isFirst = silentSinceMs() === undefined;
        const takeBack = exchange(server, question, isLate, (ending) => {
          attempts.delete(own);
          if (!hasEnded) take(server, ending);
        });
        const own: Attempt = { server, silentSinceMs: isFirst ? silentSinceMs() : undefined, takeBack };
        attempts.add(own);
      }

      function take(server: Server, ending: Ending): void {
        if ("record" in ending) {
          finish(ending);
          return;
        }
        failed.set(server, ending.failed);
        isSilence &&= ending.isSilence === true;
        isOwnLack ||= ending.isOwnLack === true;
        const isWaitedFor = servers[(turns - 1) % servers.length] === server;
        if (isWaitedFor || hasNoWay()) next();
      }

      function fail(): void {
        const reasons = servers.map((server) => `${server.text}: ${failed.get(server) ?? "no reply in time"}`);
        finish({ failure: reasons.join("; "), why: isOwnLack ? "lack" : isSilence ? "silent" : "said" });
      }

      function finish(asked: Asked): void {
        hasEnded = true;
        stopWaiting();
        stopDeadline();
        for (const own of attempts) {
          const { server, silentSinceMs, takeBack } = own;
          const isWatched = silentSinceMs !== undefined && server.health.silentSinceMs() === silentSinceMs;
          if (isWatched) wheel.after(WATCH_MS, takeBack);
          else takeBack();
        }
        resolve(asked);
      }
    });
  };
}
