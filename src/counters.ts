// What the server counts: plain numbers, read when somebody asks for them.
export function createCounters() {
  return {
    questions: 0,
    hits: 0,
    publishedHits: 0, // in clients, as far as they told of them
    usesIgnored: 0, // told of entries that were not there any more
    misses: 0,
    joined: 0,
    failures: 0,
    answersLate: 0, // to questions that had failed by then
    refusedBusy: 0,
    refreshes: 0,
    refreshesRefused: 0, // more than the rate or the questions in flight allow
    refreshesFailed: 0,
    published: 0, // sets written to cache.table
    publishFailures: 0,
    stale: 0, // records given out, or kept going, past their end
    upstreamQueries: 0,
    upstreamTimeouts: 0,
    probes: 0, // among the queries
    lateReplies: 0, // kept though their question had ended
    repliesForeign: 0, // another id, port, question or cookie
    repliesWrongCase: 0,
    repliesWithoutCookie: 0,
    repliesMalformed: 0,
    framesRefused: 0,
    connectionsDropped: 0,
  };
}
export type Counters = ReturnType<typeof createCounters>;
