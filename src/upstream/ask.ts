// One question put to the upstreams until one answers: the next server when one is late or fails, TCP where a reply is
// truncated, all within one deadline. A late server's reply still counts while the question is open.
import type { Question } from "../cache.ts";
import { type UpstreamAddress, upstreamText } from "../config.ts";
import type { Counters } from "../counters.ts";
import type { Log } from "../log.ts";
import type { Query, Reply } from "../message.ts";
import { buildQuery } from "./query.ts";
import { exchangeTcp } from "./tcp.ts";
import { exchangeUdp } from "./udp.ts";

/** Gives the record of the answer, or the reason why there is none. */
export type Ask = (question: Question) => Promise<{ record: Uint8Array } | { failure: string }>;

export interface AskOptions {
  readonly upstreams: readonly UpstreamAddress[];
  readonly timeoutMs: number;
  readonly readReply: (message: Uint8Array, query: Query) => Reply;
  readonly counters: Counters;
  readonly log: Log;
}

interface Server extends UpstreamAddress {
  /** Dropped for a server that answers FORMERR to it (RFC 6891 section 7). */
  edns: boolean;
}
type Ending = { record: Uint8Array } | { failed: string };

// The wait before the next attempt doubles with each round over the servers, as libc's does; with 2500 ms and one
// server that is 400, 800 and the rest.
const FIRST_WAIT_MS = 400;
const FOREIGN_REPLIES_MAX = 64; // to one query; after that somebody is guessing, and TCP settles it

export function createAsk(options: AskOptions): Ask {
  const { counters, log } = options;
  const servers: Server[] = options.upstreams.map((address) => ({ ...address, edns: true }));
  let preferred = 0;

  return function ask(question) {
    const open = new AbortController();
    const failed = new Map<Server, string>();
    const first = preferred;
    let attempts = 0;
    return new Promise((resolve) => {
      let late: NodeJS.Timeout | undefined;
      const deadline = setTimeout(() => finish({ failure: reasons() }), options.timeoutMs);
      tryNext();

      function tryNext(): void {
        clearTimeout(late);
        if (failed.size === servers.length) {
          finish({ failure: reasons() });
          return;
        }
        let index: number;
        do index = (first + attempts++) % servers.length;
        while (failed.has(servers[index] as Server));
        const server = servers[index] as Server;
        const attempt = attempts;
        const waitMs = FIRST_WAIT_MS * 2 ** Math.floor((attempt - 1) / servers.length);
        late = setTimeout(() => {
          counters.upstreamTimeouts++;
          tryNext();
        }, waitMs);
        void attemptOn(server, question, open.signal).then((ending) => {
          if (open.signal.aborted) return;
          if ("record" in ending) {
            preferred = index;
            finish(ending);
          } else {
            failed.set(server, ending.failed);
            if (attempt === attempts || failed.size === servers.length) tryNext();
          }
        });
      }

      function finish(outcome: Awaited<ReturnType<Ask>>): void {
        clearTimeout(late);
        clearTimeout(deadline);
        open.abort();
        resolve(outcome);
      }
    });

    function reasons(): string {
      return servers.map((server) => `${upstreamText(server)}: ${failed.get(server) ?? "no reply in time"}`).join("; ");
    }
  };

  async function attemptOn(server: Server, question: Question, signal: AbortSignal): Promise<Ending> {
    try {
      const reply = await exchange(server, question, signal, server.transport);
      if (reply?.verdict !== "truncated") return endingOf(reply);
      return endingOf(await exchange(server, question, signal, "tcp"));
    } catch (error) {
      return { failed: (error as NodeJS.ErrnoException).code ?? (error as Error).message };
    }
  }

  /** Undefined where the question ended before a reply came. */
  async function exchange(
    server: Server,
    question: Question,
    signal: AbortSignal,
    transport: UpstreamAddress["transport"],
  ): Promise<Reply | undefined> {
    const query = buildQuery(question, server.edns);
    let reply: Reply | undefined;
    let foreign = 0;
    function isReply(message: Uint8Array): boolean {
      const read = options.readReply(message, query);
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
    if (reply?.verdict !== "no-edns" || !server.edns) return reply;
    server.edns = false;
    log.upstreamWithoutEdns(upstreamText(server));
    return exchange(server, question, signal, transport);
  }
}

function endingOf(reply: Reply | undefined): Ending {
  if (reply === undefined) return { failed: "no reply in time" };
  return reply.verdict === "answer" ? { record: reply.record } : { failed: reply.verdict };
}
