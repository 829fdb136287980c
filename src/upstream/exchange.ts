// One question put to one server: with EDNS where the server speaks it, over TCP where a reply is truncated.
import type { Question } from "../cache.ts";
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Log } from "../log.ts";
import type { Query, Reply } from "../message.ts";
import { type UpstreamAddress, upstreamText } from "./address.ts";
import { buildQuery, randomId, stampId } from "./query.ts";
import { exchangeTcp } from "./tcp.ts";
import { exchangeUdp } from "./udp.ts";

export interface Server extends UpstreamAddress {
  /** Set when it refused EDNS and answered the same without (RFC 6891 section 7). */
  withoutEdnsUntilMs: number;
}

export type Ending =
  | { readonly record: Uint8Array }
  | {
      readonly failed: string;
      /** It is this machine that lacks something: descriptors, memory. */
      readonly isOwnLack?: boolean;
    };

export type Exchange = (server: Server, question: Question, signal: AbortSignal) => Promise<Ending>;

export interface ExchangeOptions {
  readonly readReply: (message: Uint8Array, query: Query) => Reply;
  readonly counters: Counters;
  readonly log: Log;
}

const WITHOUT_EDNS_MS = 3_600_000;
const FOREIGN_REPLIES_MAX = 64; // to one query; after that somebody is guessing, and TCP settles it
const OWN_LACKS = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EAGAIN"]);

export function createExchange({ readReply, counters, log }: ExchangeOptions): Exchange {
  return async function exchange(server, question, signal) {
    try {
      const reply = await overTransport(server, question, signal, server.transport);
      if (reply?.verdict !== "truncated") return endingOf(reply);
      return endingOf(await overTransport(server, question, signal, "tcp"));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return { failed: code ?? message, isOwnLack: code !== undefined && OWN_LACKS.has(code) };
    }
  };

  async function overTransport(
    server: Server,
    question: Question,
    signal: AbortSignal,
    transport: UpstreamAddress["transport"],
  ): Promise<Reply | undefined> {
    const isWithEdns = nowMs() >= server.withoutEdnsUntilMs;
    const reply = await once(server, question, signal, transport, isWithEdns);
    if (reply?.verdict !== "no-edns" || !isWithEdns) return reply;
    const plain = await once(server, question, signal, transport, false);
    // A server may refuse one odd question both ways; that says nothing about EDNS.
    if (plain !== undefined && plain.verdict !== "no-edns" && nowMs() >= server.withoutEdnsUntilMs) {
      server.withoutEdnsUntilMs = nowMs() + WITHOUT_EDNS_MS;
      log.upstreamWithoutEdns(upstreamText(server));
    }
    return plain;
  }

  /** Undefined where the question ended before a reply came. */
  async function once(
    server: Server,
    question: Question,
    signal: AbortSignal,
    transport: UpstreamAddress["transport"],
    isWithEdns: boolean,
  ): Promise<Reply | undefined> {
    const query = buildQuery(question, { edns: isWithEdns, mixedCase: false, padded: false });
    stampId(query, randomId());
    let reply: Reply | undefined;
    let foreign = 0;
    function isReply(message: Uint8Array): boolean {
      const read = readReply(message, query);
      if (read.verdict !== "foreign") {
        reply = read;
        return true;
      }
      counters.repliesForeign++;
      if (++foreign < FOREIGN_REPLIES_MAX) return false;
      reply = { verdict: "truncated" };
      return true;
    }
    counters.upstreamQueries++;
    await (transport === "udp"
      ? exchangeUdp(server, query.datagram, isReply, signal)
      : exchangeTcp(server, query.stream, isReply, signal));
    if (reply?.verdict === "malformed") counters.repliesMalformed++;
    return reply;
  }
}

function endingOf(reply: Reply | undefined): Ending {
  if (reply === undefined) return { failed: "no reply in time" };
  return reply.verdict === "answer" ? { record: reply.record } : { failed: reply.verdict };
}
