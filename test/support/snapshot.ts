// A snapshot made up: every number another one, and all identities true.
import { createDurations, type Durations, durationsOf } from "../../src/durations.ts";
import { SNAPSHOT_SCHEMA, type Snapshot } from "../../src/operate/snapshot.ts";
import type { UpstreamState } from "../../src/upstream/group.ts";
import { RCODES } from "../../src/upstream/tally.ts";

export const STARTED_AT_MS = Date.UTC(2026, 0, 1);

export function makeSnapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    schema: SNAPSHOT_SCHEMA,
    atMs: STARTED_AT_MS + 3_600_000,
    startedAtMs: STARTED_AT_MS,
    version: "1.2.3",
    node: "20.20.2",
    arch: "x64",
    layout: 3,
    pid: 4711,
    logLevel: "info",
    isListening: true,
    socketPath: "/dns_cache/dns.sock",
    counts: {
      questions: { socket: 150, dns: 0 },
      lookups: { hits: [700, 500, 90, 10], misses: [60, 50, 8, 2] },
      hits: {
        table: { success: 900, denial: 200 },
        socket: { success: 150, denial: 50 },
        dns: { success: 0, denial: 0 },
      },
      misses: { asked: 80, joined: 15, stale: 5, failure_known: 9, bypass: 7, refused: 4 },
      outcomes: { data: 230, no_name: 40, no_data: 20, temporary: 16, unfit: 11 },
      waiting: 3,
      questionDurations: { socket: durations(0.125, 3, 3, 40, 9000), dns: durations() },
      evictions: 6,
      servedStale: 5,
      givenUp: 1,
      prefetch: { ok: 33, failed: 2, refused: 1 },
      answersLate: 12,
      repliesRejected: { foreign: 3, wrong_case: 2, no_cookie: 1, malformed: 4 },
      tableWrites: 130,
      tableWriteFailures: 1,
      connectionsDropped: { full: 2 },
      framesRefused: { malformed: 3, unknown: 1 },
      reportsIgnored: { other_table: 5, gone: 6 },
      eventLoopDelays: durations(0.1, 0.3, 1.5),
    },
    connections: 17,
    connectionsLimit: 4096,
    questionsInFlight: 3,
    questionsLimit: 4096,
    groups: [
      { suffixes: ["."], isDown: false, upstreams: [makeUpstream("udp 10.0.0.2:53"), makeUpstream("udp 10.0.0.3:53")] },
      {
        suffixes: ["corp.example", "lan"],
        isDown: true,
        upstreams: [makeUpstream("tls 192.0.2.1:853#dns.example", { isUp: false, smoothedRttSeconds: undefined })],
      },
    ],
    table: {
      state: "published",
      reason: undefined,
      heartbeatAgeSeconds: 0.4,
      bytes: 33_558_528,
      places: {
        table: { success: 1200, denial: 80, capacity: 65_536 },
        long: { success: 3, denial: 0, capacity: 4096 },
        evicted: { success: 6, denial: 1, capacity: 8192 },
      },
    },
    directory: {
      path: "/dns_cache",
      fileSystem: "tmpfs",
      isWritableByOthers: false,
      hasRoomForSecondTable: true,
      libraryPath: "/dns_cache/client.so",
      libraryArch: "x64",
      isLibraryInstalled: true,
      isLibraryNoexec: false,
    },
    events: [
      { atMs: STARTED_AT_MS, level: "info", text: "Listening on /dns_cache/dns.sock" },
      { atMs: STARTED_AT_MS + 60_000, level: "warn", text: "Upstream does not answer (udp 10.0.0.3:53)" },
    ],
    ...changes,
  };
}

/** As /status gives it. */
export function makeStatus(changes: Partial<Snapshot> = {}) {
  return { ...makeSnapshot(changes), problems: [{ weight: "bad", what: "All is lost.", advice: "Begin anew." }] };
}

export function makeUpstream(text: string, changes: Partial<UpstreamState> = {}): UpstreamState {
  const transport = text.split(" ")[0] as UpstreamState["ways"][number]["transport"];
  const replies = RCODES.map((_, at) => durations(...Array(10 - 2 * at).fill(4 + at)));
  const way = { requests: 38, replies, timeouts: 4, errors: 1, unneeded: 2, inFlight: 1 };
  return {
    text,
    isUp: true,
    isAside: false,
    smoothedRttSeconds: 0.004,
    ways: [{ transport, ...way }],
    habits: [],
    ...changes,
  };
}

/** As if each had taken so long. */
export function durations(...milliseconds: readonly number[]): Durations {
  const counter = createDurations();
  for (const ms of milliseconds) counter.count(ms);
  return durationsOf(counter);
}
