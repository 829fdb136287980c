// The server's counters as they are told: by the names that metrics have.
import {
  OUTCOME_DATA,
  OUTCOME_NO_DATA,
  OUTCOME_NO_NAME,
  OUTCOME_TEMPORARY,
  OUTCOME_UNFIT,
} from "../../assembly/layout.ts";
import type { Counters } from "../counters.ts";
import { createDurations, durationsOf } from "../durations.ts";
import type { Counts, Outcome } from "./snapshot.ts";

const OUTCOMES: ReadonlyArray<readonly [number, Outcome]> = [
  [OUTCOME_DATA, "data"],
  [OUTCOME_NO_NAME, "no_name"],
  [OUTCOME_NO_DATA, "no_data"],
  [OUTCOME_TEMPORARY, "temporary"],
  [OUTCOME_UNFIT, "unfit"],
];
const NONE = durationsOf(createDurations());

export function outcomeName(outcome: number): Outcome {
  return new Map(OUTCOMES).get(outcome) ?? "unfit";
}

/** @param evictions fresh entries of the table that gave way to others */
export function countsOf(counters: Counters, evictions: number): Counts {
  const { hits, hitsOfDenials, publishedHits, publishedHitsOfDenials } = counters;
  return {
    questions: { socket: counters.questions, dns: 0 },
    lookups: { hits: [...counters.hitsByType], misses: [...counters.missesByType] },
    hits: {
      table: { success: publishedHits - publishedHitsOfDenials, denial: publishedHitsOfDenials },
      socket: { success: hits - hitsOfDenials, denial: hitsOfDenials },
      dns: { success: 0, denial: 0 },
    },
    misses: {
      asked: counters.asked,
      joined: counters.joined,
      stale: counters.givenStale,
      failure_known: counters.failuresKnown,
      bypass: counters.bypassed,
      refused: counters.refusedBusy,
    },
    outcomes: Object.fromEntries(OUTCOMES.map(([at, name]) => [name, counters.outcomes[at]])) as Counts["outcomes"],
    waiting: counters.waiting,
    questionDurations: { socket: durationsOf(counters.questionDurations), dns: NONE },
    evictions,
    servedStale: counters.stale,
    givenUp: counters.givenUp,
    prefetch: { ok: counters.refreshesDone, failed: counters.refreshesFailed, refused: counters.refreshesRefused },
    answersLate: counters.answersLate,
    repliesRejected: {
      foreign: counters.repliesForeign,
      wrong_case: counters.repliesWrongCase,
      no_cookie: counters.repliesWithoutCookie,
      malformed: counters.repliesMalformed,
    },
    tableWrites: counters.published,
    tableWriteFailures: counters.publishFailures,
    connectionsDropped: { full: counters.connectionsDropped },
    framesRefused: { malformed: counters.framesMalformed, unknown: counters.framesUnknown },
    reportsIgnored: { other_table: counters.usesOfOtherTable, gone: counters.usesGone },
    eventLoopDelays: durationsOf(counters.eventLoopDelays),
  };
}
