// One question put to one server, and what its replies lead to: without EDNS where the server does not speak it, over TCP
// where a reply is truncated or a datagram cannot be trusted.
import type { Question } from "../cache.ts";
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Log } from "../log.ts";
import type { Query, Reply } from "../message.ts";
import { buildQuery, type QueryForm } from "./query.ts";
import type { Server } from "./server.ts";
import { OwnLackError } from "./transport.ts";
import { FloodError } from "./udp.ts";

export type Ending =
  | { readonly record: Uint8Array }
  | {
      readonly failed: string;
      /** Nothing has come from it, so it cannot be reached. */
      readonly isSilence?: boolean;
      /** It is this machine that lacks something: descriptors, memory. */
      readonly isOwnLack?: boolean;
    };

/**
 * Calls `ended` once, and not before it has returned; the function given back takes the question back. `isLate`: other
 * queries to this server seem to be lost.
 */
export type Exchange = (
  server: Server,
  question: Question,
  isLate: boolean,
  ended: (ending: Ending) => void,
) => () => void;

export interface ExchangeOptions {
  readonly readReply: (message: Uint8Array, query: Query) => Reply;
  readonly counters: Counters;
  readonly log: Log;
}

/** One query, and why it is not the usual one. */
interface Step {
  readonly way: "main" | "tcp";
  readonly because?: "no-edns" | "edns-lost" | "wrong-case" | "bad-cookie";
}
type Heard = Exclude<Reply, { verdict: "foreign" }>;

const OWN_LACKS = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EAGAIN"]);
const STEPS_MAX = 6; // more replies that ask for yet another query lead nowhere

export function createExchange({ readReply, counters, log }: ExchangeOptions): Exchange {
  return function exchange(server, question, isLate, ended) {
    const { health, dialect } = server;
    const { transport } = server.address;
    let steps = 0;
    let hasReplied = false;
    let takeBack: () => void;
    take({ way: "main", ...(isLate && dialect.mayLoseEdns() && { because: "edns-lost" }) });
    return () => takeBack();

    function take(step: Step): void {
      if (++steps > STEPS_MAX) {
        ended({ failed: "no end of replies that ask for another query" });
        return;
      }
      const sentAtMs = nowMs();
      const form = formOf(step, sentAtMs);
      const query = buildQuery(question, form);
      counters.upstreamQueries++;
      health.asked(sentAtMs);
      takeBack = server[step.way].send(query, {
        receive(message) {
          const reply = readReply(message, query);
          if (reply.verdict === "foreign" || (reply.verdict === "wrong-case" && !form.mixedCase)) {
            counters.repliesForeign++;
            return false;
          }
          hasReplied = true;
          health.replied(sentAtMs, nowMs());
          heed(reply, step, form);
          return true;
        },
        fail: (error) => lose(error, step),
      });
    }

    function formOf({ way, because }: Step, now: number): QueryForm {
      const { edns, cookie, mixedCase } = dialect.form(now);
      const isEdns = edns && because !== "no-edns" && because !== "edns-lost";
      return {
        edns: isEdns,
        cookie: isEdns && transport === "udp" ? cookie : undefined,
        mixedCase: mixedCase && isDatagram(way),
        padded: transport === "tls" || transport === "https",
      };
    }

    function isDatagram(way: Step["way"]): boolean {
      return transport === "udp" && way === "main";
    }

    function heed(reply: Heard, step: Step, form: QueryForm): void {
      if (reply.verdict === "malformed") counters.repliesMalformed++;
      if (reply.verdict === "wrong-case") {
        counters.repliesWrongCase++;
        if (dialect.changedCase(nowMs())) log.upstreamWithoutCase(server.text);
        take({ way: "tcp", because: "wrong-case" });
      } else if (isCookieMissing(reply, form)) {
        counters.repliesWithoutCookie++;
        if (!isDatagram(step.way)) dialect.forgetCookie();
        take({ way: "tcp" });
      } else if (reply.verdict === "bad-cookie") {
        take({ way: step.because === "bad-cookie" ? "tcp" : step.way, because: "bad-cookie" });
      } else if (reply.verdict === "truncated" && isDatagram(step.way)) {
        take({ way: "tcp" });
      } else if (reply.verdict === "no-edns" && form.edns) {
        take({ way: step.way, because: "no-edns" });
      } else if (reply.verdict === "answer") {
        if (form.mixedCase) dialect.repeatedCase();
        if (form.edns) dialect.repliedToEdns();
        else if (isWithoutEdns(step) && dialect.refusedEdns(nowMs())) log.upstreamWithoutEdns(server.text);
        ended({ record: reply.record });
      } else {
        ended({ failed: reply.verdict === "failure" ? reply.why : reply.verdict });
      }
    }

    /** It said so, or several questions were answered without after they were not with it. */
    function isWithoutEdns({ because }: Step): boolean {
      return because === "no-edns" || (because === "edns-lost" && dialect.lostEdns());
    }

    /** Learns the server's cookie on the way. Who has given one gives it always (RFC 7873 section 5.3). */
    function isCookieMissing(reply: Heard, form: QueryForm): boolean {
      if (form.cookie === undefined || reply.verdict === "no-edns" || reply.verdict === "malformed") return false;
      if (reply.serverCookie === undefined) return dialect.givesCookies();
      dialect.gaveCookie(reply.serverCookie);
      return false;
    }

    function lose(error: Error, { way, because }: Step): void {
      const { code, message } = error as NodeJS.ErrnoException;
      const isOwnLack = error instanceof OwnLackError || (code !== undefined && OWN_LACKS.has(code));
      if (error instanceof FloodError) {
        take({ way: "tcp" });
      } else if (because === "wrong-case" && way === "tcp" && !isOwnLack) {
        // It does not speak TCP. Who forged that reply had to guess port and id, with which it could have had the spelling too.
        dialect.dropCase(nowMs());
        log.upstreamWithoutCase(server.text);
        take({ way: "main" });
      } else {
        if (way === "main" && !isOwnLack && health.refused(nowMs())) log.upstreamUnreachable(server.text, message);
        ended({ failed: code ?? message, isSilence: !hasReplied, isOwnLack });
      }
    }
  };
}
