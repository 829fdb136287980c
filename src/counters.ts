// What the server counts: plain numbers, read when somebody asks for them. What is counted of each upstream is in
// upstream/tally.ts. Always true (operate/identities.ts):
//   lookups, a name and a type each = hits + publishedHits + misses
//   misses = asked + joined + givenStale + failuresKnown + bypassed + refusedBusy
//   hits + misses = outcomes + waiting
import { createDurations } from "./durations.ts";

export function createCounters() {
  return {
    questions: 0,
    questionDurations: createDurations(), // of those that were not answered at once
    hits: 0,
    hitsOfDenials: 0, // among them
    publishedHits: 0, // in clients, as far as they told of them
    publishedHitsOfDenials: 0,
    hitsByType: byType(), // both
    misses: 0,
    missesByType: byType(),
    asked: 0,
    joined: 0,
    givenStale: 0, // without waiting for an answer
    failuresKnown: 0,
    bypassed: 0,
    refusedBusy: 0,
    /** By OUTCOME_*. */
    outcomes: [0, 0, 0, 0, 0, 0],
    waiting: 0, // lookups, for their answer now
    usesOfOtherTable: 0, // told of by clients of a table that is gone
    usesGone: 0, // of entries that were not there any more
    failures: 0,
    givenUp: 0, // of those asked, for others' sake
    answersLate: 0, // to questions that had failed by then
    refreshes: 0,
    refreshesDone: 0,
    refreshesRefused: 0, // more than the rate or the questions in flight allow
    refreshesFailed: 0,
    published: 0, // sets written to cache.table
    publishFailures: 0,
    stale: 0, // records given out, or kept going, past their end
    upstreamQueries: 0,
    upstreamTimeouts: 0, // waits in vain
    probes: 0, // among the queries
    lateReplies: 0, // kept though their question had ended
    repliesForeign: 0, // another id, port, question or cookie
    repliesWrongCase: 0,
    repliesWithoutCookie: 0,
    repliesMalformed: 0,
    framesMalformed: 0,
    framesUnknown: 0,
    connectionsDropped: 0,
    eventLoopDelays: createDurations(),
  };
}
export type Counters = ReturnType<typeof createCounters>;

/** Of A, AAAA, PTR and others. */
export type ByType = [number, number, number, number];

function byType(): ByType {
  return [0, 0, 0, 0];
}
