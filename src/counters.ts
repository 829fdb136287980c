// What the server counts: plain numbers, read when somebody asks for them.
export function createCounters() {
  return {
    questions: 0,
    hits: 0,
    misses: 0,
    joined: 0,
    failures: 0,
    refusedBusy: 0,
    published: 0, // sets written to cache.table
    publishFailures: 0,
    upstreamQueries: 0,
    upstreamTimeouts: 0,
    repliesForeign: 0,
    repliesMalformed: 0,
    framesRefused: 0,
    connectionsDropped: 0,
  };
}
export type Counters = ReturnType<typeof createCounters>;
