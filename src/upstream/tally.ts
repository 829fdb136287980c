// What is counted of the queries to one server over one transport. Each ends exactly once: it is replied to, waited for in
// vain, lost by its socket, or let go since something else answered its question first.
import { OUTCOME_NO_NAME } from "../../assembly/layout.ts";
import { createDurations, type Durations, durationsOf } from "../durations.ts";
import { REFUSED, type Reply, SERVFAIL } from "../table/message.ts";
import { outcomeOf } from "../table/record.ts";
import type { UpstreamAddress } from "./address.ts";

export const RCODES = ["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "other"] as const;
export type Rcode = (typeof RCODES)[number];

/** Plain data. */
export interface WayCounts {
  readonly transport: UpstreamAddress["transport"];
  readonly requests: number;
  /** Of those that were replied to, by rcode, in the order of RCODES. */
  readonly replies: readonly Durations[];
  /** Waited for in vain. */
  readonly timeouts: number;
  /** The socket failed, or was refused. */
  readonly errors: number;
  /** Let go before they were waited for to the end, since something else came first. */
  readonly unneeded: number;
  readonly inFlight: number;
}

/** Each query that was sent has one of the other calls, once. */
export interface Tally {
  sent(): void;
  replied(reply: Heard, tookMs: number): void;
  /** Let go with no reply: after it has been waited for, or before. */
  letGo(hasBeenWaitedFor: boolean): void;
  /** By its socket. */
  lost(): void;
  counts(): WayCounts;
}

const NXDOMAIN_AT = 1;
const OTHER_AT = RCODES.length - 1;
const PLACES = new Map([
  [0, 0],
  [SERVFAIL, 2],
  [REFUSED, 3],
]);

type Heard = Exclude<Reply, { verdict: "foreign" }>;

export function createTally(transport: UpstreamAddress["transport"]): Tally {
  const replies = RCODES.map(createDurations);
  const ends = { timeouts: 0, errors: 0, unneeded: 0 };
  let requests = 0;
  let inFlight = 0;

  return {
    sent() {
      requests++;
      inFlight++;
    },
    replied(reply, tookMs) {
      inFlight--;
      replies[rcodeOf(reply)]?.count(tookMs);
    },
    letGo(hasBeenWaitedFor) {
      inFlight--;
      if (hasBeenWaitedFor) ends.timeouts++;
      else ends.unneeded++;
    },
    lost() {
      inFlight--;
      ends.errors++;
    },
    counts: () => ({ transport, requests, replies: replies.map(durationsOf), ...ends, inFlight }),
  };
}

/** Its place in RCODES. */
function rcodeOf(reply: Heard): number {
  if (reply.verdict === "answer") return outcomeOf(reply.record) === OUTCOME_NO_NAME ? NXDOMAIN_AT : 0;
  if (reply.verdict === "truncated") return 0;
  if (reply.verdict !== "failure") return OTHER_AT;
  return PLACES.get(reply.rcode) ?? OTHER_AT;
}
