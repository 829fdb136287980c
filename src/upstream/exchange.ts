// One question put to one server: goes down the ladder (ladder.ts) as replies, errors and silence say, and tells the dialect
// what they show of the server. Whoever asks decides how long silence is (ask.ts).
import { OUTCOME_DATA, OUTCOME_NO_DATA, OUTCOME_NO_NAME } from "../../assembly/layout.ts";
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Log } from "../log.ts";
import type { Question } from "../table/cache.ts";
import type { Query, Reply } from "../table/message.ts";
import { addressesOf, chainCountOf, namesOf, outcomeOf } from "../table/record.ts";
import type { UpstreamAddress } from "./address.ts";
import type { Why } from "./ask.ts";
import type { Because, Form } from "./dialect.ts";
import { isTcp, nextRung, QUERIES_PER_WAY_MAX, type Rung, type Sign } from "./ladder.ts";
import { buildQuery } from "./query.ts";
import type { Server } from "./server.ts";
import type { Tally } from "./tally.ts";
import { OwnLackError } from "./transport.ts";
import { FloodError } from "./udp.ts";

/** Where an answer came from. */
export interface Origin {
  readonly upstream: string;
  readonly transport: UpstreamAddress["transport"];
  readonly tookMs: number;
}

export type Ending =
  | { readonly record: Uint8Array; readonly origin?: Origin }
  | {
      readonly failed: string;
      readonly why: Why;
      /** SERVFAIL and such: the next query may bring something. */
      readonly mayChange?: boolean;
      /** It has an answer that does not fit a datagram. */
      readonly isTruncated?: boolean;
    };

export interface Listener {
  /** Once, and not before `exchange` has returned. */
  ended(ending: Ending): void;
  /** Nothing has gone out, for a moment perhaps. */
  keptBack(): void;
  /** Something came that was no answer, and another query has gone out: silence begins anew. */
  goesOn(): void;
}

export interface Underway {
  /** It has been silent for a wait: asks again, one rung down. False where nothing is left to try. */
  again(): boolean;
  isOverTcp(): boolean;
  /** A wait has passed in which nothing came. */
  waited(): void;
  /** It has been asked as libc asks. */
  isAsLibc(): boolean;
  /** Listens no more. */
  takeBack(): void;
}

/** `isAsLibc`: begins where nothing is added to what libc would send. */
export type Exchange = (server: Server, question: Question, isAsLibc: boolean, listener: Listener) => Underway;

export interface ExchangeOptions {
  readonly readReply: (message: Uint8Array, query: Query) => Reply;
  readonly counters: Counters;
  readonly log: Log;
}

interface Step {
  readonly rung: Rung;
  readonly form: Form;
  readonly sentAtMs: number;
  readonly because: Because | undefined;
  readonly tally: Tally;
  /** A wait has passed in which nothing came for it. */
  hasBeenWaitedFor: boolean;
  /** Nothing more comes for it. */
  isOver: boolean;
  takeBack(): void;
}
type Heard = Exclude<Reply, { verdict: "foreign" }>;

const OWN_LACKS = new Set(["EMFILE", "ENFILE", "ENOMEM"]);
// What sockets refuse for a moment: a full table of the firewall's or a rule of it, full queues, no free port.
const KEPT_BACK = new Set(["EPERM", "ENOBUFS", "EAGAIN", "EADDRINUSE", "EADDRNOTAVAIL"]);
const STEPS_MAX = 10; // more replies that ask for yet another query lead nowhere
const QUESTION_AT = 12; // RFC 1035 section 4.1.1

export function createExchange({ readReply, counters, log }: ExchangeOptions): Exchange {
  return function exchange(server, question, isAsLibc, listener) {
    const { health, dialect } = server;
    const { transport } = server.address;
    const isUdp = transport === "udp";
    // What was sent before counts: libc's way is tried for what has failed in ours.
    const sent = isAsLibc ? { udp: QUERIES_PER_WAY_MAX - 1, tcp: QUERIES_PER_WAY_MAX - 1 } : { udp: 0, tcp: 0 };
    const steps: Step[] = [];
    let rung: Rung = firstRung(); // that of the last query
    let above: Form | undefined; // the way of asking that brought less than an answer
    let keptBack: Step | undefined;
    let hasFreshCookie = false;
    let isTruncated = false; // nothing but TCP has it whole
    let misspelled: Uint8Array | undefined; // the data of a reply whose letters were not ours
    let isDone = false;
    go(rung, undefined);
    return {
      again,
      isOverTcp: () => isTcp(rung),
      waited,
      isAsLibc: () => isTcp(rung) || rung === "plain",
      takeBack,
    };

    function firstRung(): Rung {
      if (isAsLibc) return isUdp ? "plain" : "plain-tcp";
      return isUdp ? dialect.firstRung(nowMs()) : "tcp";
    }

    function takeBack(): void {
      isDone = true;
      for (const step of steps) {
        step.takeBack();
        if (!step.isOver) step.tally.letGo(step.hasBeenWaitedFor);
        step.isOver = true;
      }
    }

    function waited(): void {
      for (const step of steps) step.hasBeenWaitedFor = true;
    }

    function end(ending: Ending): void {
      if (isDone) return;
      takeBack();
      listener.ended(ending);
    }

    function again(): boolean {
      if (isDone) return false;
      if (keptBack !== undefined) return go(keptBack.rung, keptBack.because);
      return descend("silence", "silence", undefined);
    }

    /** Where the sign leads. False where nothing goes out any more. */
    function descend(sign: Sign, because: Because, from: Form | undefined): boolean {
      const isSilentTcp = sign === "silence" && isTcp(rung) && isUdp;
      if (isSilentTcp && !isTruncated && !isOut("plain")) {
        dialect.lacksTcp(nowMs(), true);
        return goWithoutTcp(steps.at(-1)?.because);
      }
      let next = nextRung(rung, sign);
      above ??= from ?? steps.at(-1)?.form;
      if (next === "small" && (sent.udp >= QUERIES_PER_WAY_MAX - 1 || above?.ednsBytes === undefined)) next = "plain";
      return next !== undefined && go(next, because);
    }

    function goWithoutTcp(because: Because | undefined): boolean {
      const next = nextRung("tcp", "nothing");
      return next !== undefined && !isTruncated && !isOut(next) && go(next, because);
    }

    function go(to: Rung, because: Because | undefined): boolean {
      const now = nowMs();
      if (isTcp(to) && isUdp && !isTruncated && dialect.hasNoTcp(now)) return goWithoutTcp(because);
      const way = isTcp(to) ? "tcp" : "udp";
      if (sent[way] >= QUERIES_PER_WAY_MAX || steps.length >= STEPS_MAX) return false;
      const isAgain = sent[way] > 0;
      sent[way]++;
      rung = to;
      keptBack = undefined;
      const form = dialect.form(to, question.name, now);
      const cookie = isUdp ? form.cookie : undefined;
      const query = buildQuery(question, { ...form, cookie, padded: transport === "tls" || transport === "https" });
      counters.upstreamQueries++;
      health.asked(now, question.name);
      const isAside = isUdp && isTcp(to);
      const tally = isAside ? server.tallies.tcp : server.tallies.main;
      tally.sent();
      const step: Step = {
        rung: to,
        form: { ...form, cookie, mixedCase: query.hasMixedCase },
        sentAtMs: now,
        because,
        tally,
        hasBeenWaitedFor: false,
        isOver: false,
        takeBack: () => undefined,
      };
      steps.push(step);
      step.takeBack = (isAside ? server.tcp : server.main).send(
        query,
        {
          receive: (message) => receive(message, query, step),
          fail: (error) => lose(error, step),
        },
        isAgain,
      );
      return true;
    }

    function receive(message: Uint8Array, query: Query, step: Step): boolean {
      let reply = readReply(message, query);
      if (reply.verdict === "wrong-case") {
        const question = Uint8Array.from(message.subarray(QUESTION_AT, QUESTION_AT + query.question.length));
        const asSpelled = readReply(message, { ...query, question });
        // libc does not look at letters: where none were mixed, a server may give the question back in its own.
        if (!step.form.mixedCase) reply = asSpelled;
        else if (asSpelled.verdict === "answer") misspelled = dataOf(asSpelled.record);
      }
      const isNobodys = reply.verdict === "foreign" || (reply.verdict === "unread" && step.rung === "plain");
      if (isNobodys || isDone) {
        counters.repliesForeign++;
        return false;
      }
      step.isOver = true;
      const now = nowMs();
      step.tally.replied(reply as Heard, now - step.sentAtMs);
      heed(reply as Heard, step, now);
      return true;
    }

    function heed(reply: Heard, step: Step, now: number): void {
      if (reply.verdict === "malformed") counters.repliesMalformed++;
      if (reply.verdict === "wrong-case") {
        counters.repliesWrongCase++;
        doubt(step, "letters");
        return;
      }
      if (isCookieMissing(reply, step, now)) {
        counters.repliesWithoutCookie++;
        doubt(step, "cookie");
        return;
      }
      if (reply.verdict === "unread" && !isTcp(step.rung)) {
        doubt(step, "unread");
        return;
      }
      health.replied(isUdp && isTcp(step.rung) ? undefined : step.sentAtMs, now);
      if (reply.verdict === "bad-cookie") {
        if (hasFreshCookie) doubt(step, "cookie");
        else {
          hasFreshCookie = true;
          proceed(go(step.rung, "disliked"));
        }
      } else if (reply.verdict === "truncated") {
        if (isTcp(step.rung)) fail("truncated");
        else {
          dialect.replied(step.rung, step.form, false, nowMs());
          rung = step.rung;
          isTruncated ||= step.rung === "plain"; // what truncates to EDNS alone has it whole for libc
          proceed(descend("truncated", "silence", undefined));
        }
      } else if (reply.verdict === "answer") take(reply.record, reply.zoneBytes, step, now);
      else {
        const isNoEdns = reply.verdict === "no-edns" || reply.verdict === "unread";
        dialect.replied(step.rung, step.form, isNoEdns, now);
        const failed = reply.verdict === "failure" ? reply.why : reply.verdict;
        if (reply.verdict === "failure" && reply.isOfTheName) fail(failed);
        else if (reply.verdict === "failure" && reply.hasOpt && steps.length === 1) fail(failed, true);
        else dislike(step, failed, isNoEdns ? "no-edns" : "disliked");
      }
    }

    /** It may have been sent by somebody else: TCP tells. */
    function doubt(step: Step, because: Because): void {
      if (isTcp(step.rung)) {
        dislike(step, "another client's cookie", because);
        return;
      }
      rung = step.rung;
      proceed(descend("doubted", because, step.form));
    }

    /** Asked as libc asks it counts. */
    function dislike(step: Step, failed: string, because: Because): void {
      if (step.form.ednsBytes === undefined && !step.form.mixedCase) {
        fail(failed, because !== "no-edns");
        return;
      }
      rung = step.rung;
      proceed(descend("disliked", because, step.form));
    }

    function fail(failed: string, mayChange = false): void {
      // Who answers others, and refuses this one, may have too much to do.
      const isForNow = isTruncated || (failed === "REFUSED" && health.hasAnswered(nowMs()));
      end({ failed, why: isForNow ? "unanswered" : "said", mayChange, isTruncated });
    }

    /** Silence begins anew, or this was all there is. */
    function proceed(hasGone: boolean): void {
      if (hasGone) listener.goesOn();
      else if (steps.some(({ isOver }) => !isOver)) return;
      else end({ failed: isTruncated ? "truncated" : "no reply that counts", why: "unanswered", isTruncated });
    }

    function take(record: Uint8Array, zoneBytes: number, step: Step, now: number): void {
      const { form, rung: from, because } = step;
      dialect.replied(from, form, false, now);
      const outcome = outcomeOf(record);
      const isDenial = (outcome === OUTCOME_NO_NAME || outcome === OUTCOME_NO_DATA) && chainCountOf(record) === 0;
      const zone = zoneBytes > 1 ? question.name.slice(-(zoneBytes - 2)) : zoneBytes === 1 ? "" : undefined;
      if (outcome === OUTCOME_DATA) {
        dialect.answered(form, question.name);
        health.answered(now);
      }
      if (isDenial) {
        const isPlain = form.ednsBytes === undefined && !form.mixedCase;
        if (!isPlain && !dialect.denies(form, question.name, zone)) {
          rung = from;
          proceed(descend("denied", "denied", form));
          return;
        }
        if (because === "denied") dialect.deniedAgain(question.name, zone);
      }
      learn(step, isDenial, now);
      if (because === "letters") learnLetters(from, record, now);
      end({ record, origin: { upstream: server.text, transport: wayOf(from), tookMs: now - step.sentAtMs } });
    }

    function wayOf(which: Rung): UpstreamAddress["transport"] {
      return isUdp && isTcp(which) ? "tcp" : transport;
    }

    /** That was the server itself, if TCP says the same or nothing. */
    function learnLetters(from: Rung, record: Uint8Array, now: number): void {
      const isSame = !isTcp(from) || (misspelled !== undefined && Buffer.compare(dataOf(record), misspelled) === 0);
      if (isSame && dialect.changedLetters(now)) log.upstreamWithoutCase(server.text);
    }

    /** From an answer to one way of asking, where a better one brought none. */
    function learn({ rung: below, because, form }: Step, isDenial: boolean, now: number): void {
      if (because === undefined || above === undefined || (isDenial && because === "denied")) return;
      if (!dialect.foundBelow(below, above, because, now)) return;
      if (form.ednsBytes === undefined && above.ednsBytes !== undefined && because !== "denied")
        log.upstreamWithoutEdns(server.text);
      else if (above.mixedCase && because !== "silence") log.upstreamWithoutCase(server.text);
    }

    /** Learns the server's cookie on the way. Who has given one gives it always (RFC 7873 section 5.3). */
    function isCookieMissing(reply: Heard, { form, rung: from }: Step, now: number): boolean {
      if (form.cookie === undefined) return false;
      if (reply.verdict === "other-cookie") return true;
      if (reply.verdict === "unread") return false;
      if (reply.serverCookie !== undefined) dialect.gaveCookie(reply.serverCookie);
      else if (!isTcp(from)) return dialect.givesCookies(now);
      else if (reply.verdict !== "malformed") dialect.forgetCookie();
      return false;
    }

    function lose(error: Error, step: Step): void {
      if (isDone) return;
      step.isOver = true;
      step.tally.lost();
      const { code, message } = error as NodeJS.ErrnoException;
      const now = nowMs();
      if (error instanceof OwnLackError || (code !== undefined && OWN_LACKS.has(code))) {
        end({ failed: code ?? message, why: "lack" });
      } else if (error instanceof FloodError) {
        doubt(step, "flood");
      } else if (isUdp && isTcp(step.rung)) {
        dialect.lacksTcp(now, false);
        proceed(goWithoutTcp(step.because));
      } else if (code !== undefined && KEPT_BACK.has(code)) {
        sent[isTcp(step.rung) ? "tcp" : "udp"]--; // it has not gone out
        keepBack(step, { failed: code, why: "lack" });
      } else {
        if (health.refused(now)) log.upstreamUnreachable(server.text, message);
        const refusal = { failed: code ?? message, why: "silent" } as const;
        if (health.isClosed(now) && steps.every(({ isOver }) => isOver)) end(refusal);
        else keepBack(step, refusal);
      }
    }

    /** As a lost packet: from another port, and after the wait. */
    function keepBack(step: Step, ending: Ending): void {
      keptBack = step;
      const isUseless = steps.length >= STEPS_MAX || (health.keptBack() && steps.length > 1);
      if (isUseless && steps.every(({ isOver }) => isOver)) end(ending);
      else listener.keptBack();
    }

    function isOut(which: Rung): boolean {
      return steps.some(({ rung: each, isOver }) => each === which && !isOver);
    }
  };
}

/** What an answer is worth, in whatever order it came. */
function dataOf(record: Uint8Array): Buffer {
  return Buffer.from([...namesOf(record).slice(1), ...addressesOf(record).sort()].join("\n"));
}
