// A query of our own, `. NS`, which tells how a server is and puts nobody's name to it.
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Query, Reply } from "../table/message.ts";
import type { Wheel } from "../wheel.ts";
import { buildProbe } from "./query.ts";
import type { Server } from "./server.ts";

/** `heard` is called where the server has replied. */
export type Probe = (server: Server, heard: () => void) => void;

export interface ProbeOptions {
  readonly readReply: (message: Uint8Array, query: Query) => Reply;
  readonly wheel: Wheel;
  readonly counters: Counters;
}

const LISTEN_MS = 5000;

export function createProbe({ readReply, wheel, counters }: ProbeOptions): Probe {
  return function probe(server, heard) {
    const query = buildProbe();
    const sentAtMs = nowMs();
    server.health.probed(sentAtMs);
    counters.upstreamQueries++;
    counters.probes++;
    const tally = server.tallies.main;
    let isOver = false;
    tally.sent();
    const takeBack = server.main.send(
      query,
      {
        receive(message) {
          const reply = readReply(message, query);
          if (reply.verdict === "foreign") {
            counters.repliesForeign++;
            return false;
          }
          isOver = true;
          tally.replied(reply, nowMs() - sentAtMs);
          server.health.answeredProbe();
          server.health.replied(sentAtMs, nowMs());
          heard();
          return true;
        },
        fail() {
          isOver = true;
          tally.lost(); // a question finds out
        },
      },
      true,
    );
    wheel.after(LISTEN_MS, () => {
      takeBack();
      if (!isOver) tally.letGo(true);
    });
  };
}
