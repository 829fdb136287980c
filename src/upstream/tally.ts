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

export interface Tally {
  begin(): TalliedQuery;
  counts(): WayCounts;
}

/** Whatever comes after its first end does not count. */
export interface TalliedQuery {
  replied(reply: Heard, tookMs: number): void;
  lost(): void;
  /** A wait has passed in which nothing came; something still may. */
  waited(): void;
  letGo(): void;
}

type Heard = Exclude<Reply, { verdict: "foreign" }>;

export function createTally(transport: UpstreamAddress["transport"]): Tally {
  const replies = RCODES.map(createDurations);
  const ends = { timeouts: 0, errors: 0, unneeded: 0 };
  let requests = 0;
  let inFlight = 0;

  return {
    begin() {
      let isOver = false;
      let isInVain = false;
      requests++;
      inFlight++;
      function end(): boolean {
        if (isOver) return false;
        isOver = true;
        inFlight--;
        return true;
      }
      return {
        replied(reply, tookMs) {
          if (end()) replies[RCODES.indexOf(rcodeOf(reply))]?.count(tookMs);
        },
        lost() {
          if (end()) ends.errors++;
        },
        waited() {
          isInVain = true;
        },
        letGo() {
          if (end()) ends[isInVain ? "timeouts" : "unneeded"]++;
        },
      };
    },
    counts: () => ({ transport, requests, replies: replies.map(durationsOf), ...ends, inFlight }),
  };
}

function rcodeOf(reply: Heard): Rcode {
  if (reply.verdict === "answer") return outcomeOf(reply.record) === OUTCOME_NO_NAME ? "NXDOMAIN" : "NOERROR";
  if (reply.verdict === "truncated") return "NOERROR";
  if (reply.verdict !== "failure") return "other";
  const { rcode } = reply;
  if (rcode === 0) return "NOERROR";
  if (rcode === SERVFAIL) return "SERVFAIL";
  return rcode === REFUSED ? "REFUSED" : "other";
}
