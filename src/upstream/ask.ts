// One question put to a group of servers until one answers, all within one deadline: which is asked next, how long silence is,
// and whose answer counts. Those asked before are not given up: each goes down its ladder (ladder.ts) a rung at a turn.
import { OUTCOME_NO_DATA, OUTCOME_NO_NAME } from "../../assembly/layout.ts";
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Question } from "../table/cache.ts";
import { outcomeOf } from "../table/record.ts";
import type { Wheel } from "../wheel.ts";
import type { Ending, Exchange, Origin, Underway } from "./exchange.ts";
import type { Server } from "./server.ts";

export type Asked =
  | { readonly record: Uint8Array; readonly origin?: Origin }
  | { readonly failure: string; readonly why: Why };
/**
 * `said`: a server has said that there is no answer. `silent`: no server has replied at all. `unanswered`: the servers are
 * there, but have not replied to this question, for which libc might wait longer. `lack`: nothing was learned of the name,
 * since this machine lacks descriptors, ports or memory.
 */
export type Why = "said" | "silent" | "unanswered" | "lack";
/** Never rejects. `late` is told of a record that comes when the question has ended without one. */
export type Ask = (question: Question, late: (record: Uint8Array) => void) => Promise<Asked>;

export interface AskOptions {
  /** Those to ask, best first; one at least. */
  readonly order: () => readonly Server[];
  /** One that was silent, and may be there again: it gets the question too. In a list it comes before the others. */
  readonly alongside: () => Server | undefined;
  /** A later one's denial counts only where those before it are silent or fail. */
  readonly isList: boolean;
  /** For the whole question. */
  readonly timeoutMs: number;
  /** Calls `go`, now or when it may: while no server is there, one query goes out at a time. Gives what takes that back. */
  readonly gate: (go: () => void) => () => void;
  /** Something was heard of a server. */
  readonly heard: () => void;
  readonly exchange: Exchange;
  readonly wheel: Wheel;
  readonly counters: Counters;
}

type Failed = Exclude<Ending, { record: Uint8Array }>;

interface Attempt {
  readonly server: Server;
  /** Set where this is what the server has been silent to from the beginning. */
  silentSinceMs: number | undefined;
  underway: Underway | undefined;
  firstSentAtMs: number;
  isOver: boolean;
  /** Nothing more can be sent for it: its replies are still waited for. */
  isSpent: boolean;
  /** Nothing of it has gone out, for a moment. */
  isKeptBack: boolean;
  /** Waits for room in the server's window, where it keeps its place. */
  isQueued: boolean;
  leaveWindow: () => void;
}

const WAIT_MAX_MS = 400; // the wait doubles with each round over the servers, to here unless replies take longer than that
const WATCH_MS = 2000; // a silent server's reply to an answered question is still of use: it says how the server is
// A server of a list is given so long before the next one is asked, which may have another view of names and is to see no
// more of them than with libc, which would wait for 5 s.
const LIST_WAIT_MS = 1000;
const LADDER_SHARE = 5; // of the time, for a rung
const TCP_WAIT_MIN_MS = 300;
const BESIDE_WAIT_MS = 300; // for one that was silent before, and may be so still
const LATE_MS = 10_000; // twice what libc waits for one server
const LATE_MAX = 256; // questions whose time is over, and that are still listened for

export function createAsk(options: AskOptions): Ask {
  const { order, alongside, isList, timeoutMs, gate, heard, exchange, wheel, counters } = options;
  let listenedFor = 0;

  return function ask(question, late) {
    return new Promise((resolve) => {
      const startMs = nowMs();
      const servers = order();
      const attempts = new Map<Server, Attempt>();
      const failed = new Map<Server, Failed>();
      const askedAsLibc = new Set<Server>();
      let turns = 0; // servers that have been waited for, again where they were again
      let waitedFor: Server | undefined;
      let denial: (Extract<Ending, { record: Uint8Array }> & { readonly by: Server }) | undefined; // that does not count yet
      let hasEnded = false;
      let isLateTaken = false;
      let leaveGate: () => void = () => undefined;
      let stopWaiting: () => void = () => undefined;
      const stopDeadline = wheel.after(timeoutMs, fail);
      const beside = alongside();
      next();
      if (beside !== undefined && !attempts.has(beside)) begin(beside, false);

      /** Asks the next server, or the same a rung down, and waits for it. */
      function next(): void {
        stopWaiting();
        leaveGate();
        if (denial !== undefined) {
          lookAtDenial();
          if (!hasEnded && !askAsLibc()) leaveGate = gate(turn);
        } else if (!hasNoWay()) leaveGate = gate(turn);
        else if (!askAsLibc()) fail();
      }

      function turn(): void {
        if (hasEnded || (turns >= servers.length && askAsLibc())) return;
        const server = choose();
        if (server === undefined) return; // all that can be sent has been: what is left is to wait
        waitedFor = server;
        wait(server);
        put(server);
      }

      /** The next one that something can be sent to. */
      function choose(): Server | undefined {
        const last = waitedFor && attempts.get(waitedFor);
        if (last !== undefined && timeGivenMs(last) > 0) return last.server;
        const wanted = denial === undefined ? servers.length : servers.indexOf(denial.by); // those before it may know better
        for (let tries = 0; tries < wanted; tries++) {
          const server = servers[turns++ % wanted] as Server;
          if (!failed.has(server) && !attempts.get(server)?.isSpent) return server;
        }
        return undefined;
      }

      /** How much longer it alone is asked, where the order counts. */
      function timeGivenMs({ server, underway, firstSentAtMs, isSpent, isKeptBack }: Attempt): number {
        const now = nowMs();
        if (!isList || isSpent || isKeptBack || failed.has(server) || server.health.isGone(now)) return 0;
        const shareMs = timeoutMs / (servers.length + 1);
        const givenMs = underway?.isAsLibc() ? Math.min(LIST_WAIT_MS, shareMs) : 2 * shareMs; // until it is down its ladder
        return firstSentAtMs + givenMs - now;
      }

      function wait(server: Server): void {
        stopWaiting();
        const sinceMs = nowMs();
        stopWaiting = wheel.after(waitMs(server), () => {
          const own = attempts.get(server);
          if (own !== undefined && !own.isQueued) lose(own, sinceMs);
          heard();
          next();
        });
      }

      function lose({ server, underway, leaveWindow }: Attempt, sinceMs: number): void {
        const now = nowMs();
        underway?.waited();
        counters.upstreamTimeouts++;
        server.health.waited(sinceMs, now);
        if (server.health.isLiving(sinceMs, now)) server.window.lost(sinceMs, now);
        leaveWindow();
      }

      /** Each has its turn before the deadline, however many they are. */
      function waitMs(server: Server): number {
        const round = Math.max(0, Math.floor((turns - 1) / servers.length));
        const usualMs = Math.min(server.health.waitMs(), timeoutMs / (servers.length + 1));
        const own = attempts.get(server);
        const roundMs = Math.min(usualMs * 2 ** round, Math.max(usualMs, WAIT_MAX_MS));
        // Its ladder is gone down in time where nobody knows that it bears the first rung, or others wait for it.
        const isHasty = !server.dialect.bearsFull(nowMs()) || (isList && servers.length > 1);
        const udpMs = isHasty ? Math.min(roundMs, timeoutMs / LADDER_SHARE) : roundMs;
        const ms = own?.underway?.isOverTcp() ? Math.max(2 * udpMs, TCP_WAIT_MIN_MS) : udpMs; // it has to connect first
        const givenMs = own === undefined ? 0 : timeGivenMs(own);
        return givenMs > 0 ? Math.min(ms, givenMs) : ms;
      }

      /** All have failed; those that are gone are not waited for where one has said so itself. */
      function hasNoWay(): boolean {
        const now = nowMs();
        const isLeft = (server: Server) => !failed.has(server) && (failed.size === 0 || !server.health.isGone(now));
        return !servers.some(isLeft);
      }

      /** Where all have failed, those that may say something else the next time are asked once more, as libc would. */
      function askAsLibc(): boolean {
        const server = servers.find(isLeftToLibc);
        if (server === undefined) return false;
        askedAsLibc.add(server);
        failed.delete(server);
        attempts.delete(server);
        waitedFor = server;
        wait(server);
        begin(server, true);
        return true;
      }

      function isLeftToLibc(server: Server): boolean {
        return failed.get(server)?.mayChange === true && !askedAsLibc.has(server);
      }

      function put(server: Server): void {
        const known = attempts.get(server);
        if (known === undefined) begin(server, false);
        else if (known.underway !== undefined && !known.isQueued) {
          const { underway } = known;
          known.leaveWindow();
          known.isQueued = true;
          known.leaveWindow = server.window.enter(question.name, () => {
            known.isQueued = false;
            known.isKeptBack = false;
            if (!hasEnded && waitedFor === server) wait(server);
            if (hasEnded || underway.again()) return;
            known.isSpent = true;
            queueMicrotask(() => {
              known.leaveWindow();
              if (!hasEnded && waitedFor === server) next();
            });
          });
        }
      }

      function begin(server: Server, isAsLibc: boolean): void {
        const own: Attempt = {
          server,
          silentSinceMs: undefined,
          underway: undefined,
          firstSentAtMs: nowMs(),
          isOver: false,
          isSpent: false,
          isKeptBack: false,
          isQueued: true,
          leaveWindow: () => undefined,
        };
        attempts.set(server, own);
        own.leaveWindow = server.window.enter(question.name, () => {
          own.isQueued = false;
          if (hasEnded) return;
          if (waitedFor === server) wait(server);
          const wasSilent = server.health.silentSinceMs() !== undefined;
          own.firstSentAtMs = nowMs();
          own.underway = exchange(server, question, isAsLibc, {
            ended: (ending) => take(own, ending),
            goesOn() {
              heard();
              if (own.underway?.isOverTcp()) own.leaveWindow();
              if (waitedFor === server && !hasEnded) wait(server);
            },
            keptBack() {
              own.isKeptBack = true;
              own.leaveWindow();
              const isAnyLeft = servers.some((each) => !failed.has(each) && !attempts.has(each));
              if (waitedFor === server && !hasEnded && isAnyLeft) next();
            },
          });
          if (!wasSilent) own.silentSinceMs = server.health.silentSinceMs();
        });
      }

      function take(own: Attempt, ending: Ending): void {
        const { server } = own;
        own.isOver = true;
        own.leaveWindow();
        heard();
        if (hasEnded) {
          if ("record" in ending) takeLate(ending.record);
        } else if ("record" in ending) {
          if (!isDenial(ending.record) || counts(server)) finish(ending);
          else {
            denial ??= { ...ending, by: server };
            failed.set(server, { failed: "its denial does not count", why: "unanswered" });
            watchDenial();
            if (waitedFor === server) next();
          }
        } else {
          failed.set(server, ending);
          if (waitedFor === server || hasNoWay() || denial !== undefined) next();
        }
      }

      function lookAtDenial(): void {
        if (hasEnded || denial === undefined) return;
        const isAlone = [...attempts.values()].every(({ isOver }) => isOver) && !servers.some(isLeftToLibc);
        if (isAlone || counts(denial.by)) finish(denial);
      }

      /** Those before it may be known to be gone by then. */
      function watchDenial(): void {
        wheel.after(BESIDE_WAIT_MS, () => {
          lookAtDenial();
          if (!hasEnded) watchDenial();
        });
      }

      /** Those before it in the list have failed, or are known to be silent. */
      function counts(server: Server): boolean {
        if (!isList || server === beside) return true;
        const now = nowMs();
        const isGivenUp = (before: Server) =>
          (failed.has(before) && !isLeftToLibc(before)) || before.health.isGone(now);
        const isStillSilent = beside === undefined || failed.has(beside) || now - startMs >= BESIDE_WAIT_MS;
        return isStillSilent && servers.slice(0, servers.indexOf(server)).every(isGivenUp);
      }

      /** One before it in the list, which libc would still wait for. */
      function mayKnowBetter(than: Server): boolean {
        const now = nowMs();
        const before = isList ? servers.slice(0, servers.indexOf(than)) : [];
        return before.some(
          (server) => !failed.has(server) && (server.health.isLiving(startMs, now) || server.health.isUnheard(now)),
        );
      }

      function fail(): void {
        if (denial !== undefined && !mayKnowBetter(denial.by)) {
          finish(denial);
          return;
        }
        const reasons = servers.map((server) => `${server.text}: ${failed.get(server)?.failed ?? "no reply in time"}`);
        finish({ failure: reasons.join("; "), why: whyAll() });
      }

      function whyAll(): Why {
        const now = nowMs();
        const silent = servers.filter((server) => !failed.has(server));
        const areUnheard = silent.length > 0 && silent.every(({ health }) => health.isUnheard(now));
        const isThere = ({ health }: Server) => !health.isUnheard(now) && !health.isDead(now) && !health.isClosed(now);
        if (areUnheard || silent.some(isThere) || isTruncated()) return "unanswered";
        const whys = [...failed.values()].map(({ why }) => why);
        return (["said", "lack", "unanswered"] as const).find((why) => whys.includes(why)) ?? "silent";
      }

      /** One has an answer, and nothing but TCP brings it, by which libc asks the others then. */
      function isTruncated(): boolean {
        return [...failed.values()].some((ending) => ending.isTruncated === true);
      }

      function finish(asked: Asked): void {
        hasEnded = true;
        stopWaiting();
        stopDeadline();
        leaveGate();
        const isLateOfUse = "failure" in asked && asked.why !== "said" && listenedFor < LATE_MAX;
        for (const own of attempts.values()) {
          const { server, silentSinceMs, underway } = own;
          own.leaveWindow();
          if (underway === undefined || own.isOver) continue;
          if ("failure" in asked) underway.waited();
          const isWatched = silentSinceMs !== undefined && server.health.silentSinceMs() === silentSinceMs;
          if (isLateOfUse && !server.health.isDead(nowMs())) listenLate(underway);
          else if (isWatched) watch(underway);
          else underway.takeBack();
        }
        resolve(asked);
      }

      function watch(underway: Underway): void {
        wheel.after(WATCH_MS, () => {
          underway.waited();
          underway.takeBack();
        });
      }

      function listenLate(underway: Underway): void {
        listenedFor++;
        wheel.after(LATE_MS, () => {
          listenedFor--;
          underway.takeBack();
        });
      }

      function takeLate(record: Uint8Array): void {
        if (isLateTaken) return;
        isLateTaken = true;
        counters.lateReplies++;
        late(record);
      }
    });
  };
}

function isDenial(record: Uint8Array): boolean {
  return outcomeOf(record) === OUTCOME_NO_NAME || outcomeOf(record) === OUTCOME_NO_DATA;
}
