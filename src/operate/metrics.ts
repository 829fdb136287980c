// All metrics in one table, from which /metrics (exposition.ts) and docs/metrics.md come. Their names and labels are an API:
// dashboards and alerts of others depend on them. No label can have values without bound: no names, no pods, no clients.

import { RCODES } from "../upstream/tally.ts";
import { byKey, counter, gauge, histogram, known, type Metric, places, type Sample } from "./metric.ts";
import { byUpstream, byWay, UPSTREAM_LABELS_MAX, viewsUp } from "./upstreamsums.ts";

const TYPES = ["A", "AAAA", "PTR", "other"];
const PART = "as clients tell it, late, and some never: a lower bound";

export const METRICS: readonly Metric[] = [
  gauge(
    "build_info",
    ["version", "node", "arch", "layout"],
    "1, with the version of Namewell, of Node.js, and of the published table's layout.",
    ({ snapshot: { version, node, arch, layout } }) => [[version, node, arch, `${layout}`, 1]],
  ),
  counter(
    "questions_total",
    ["via"],
    "Questions that reached the server. One may be for several lookups: a name with its search list, for A and AAAA.",
    ({ snapshot }) => byKey(snapshot.counts.questions),
  ),
  counter(
    "lookups_total",
    ["type", "result"],
    `Lookups of one name and type. Hits in the table count ${PART}. Hits are the sum of namewell_cache_hits_total, misses of namewell_cache_misses_total.`,
    ({ snapshot: { counts } }) =>
      (["hit", "miss"] as const).flatMap((result) =>
        TYPES.map((type, at): Sample => [type, result, counts.lookups[result === "hit" ? "hits" : "misses"][at] ?? 0]),
      ),
  ),
  counter(
    "cache_hits_total",
    ["via", "kind"],
    `Lookups that the cache answered: in the client from the table (${PART}), or in the server.`,
    ({ snapshot: { counts } }) =>
      Object.entries(counts.hits).flatMap(([via, { success, denial }]) => [
        [via, "success", success],
        [via, "denial", denial],
      ]),
  ),
  counter(
    "cache_misses_total",
    ["how"],
    "Lookups that the cache did not answer: a server was asked, an asking under way was joined, a stale answer given out, a failure was known, a rule left it to libc, or too much was under way.",
    ({ snapshot }) => byKey(snapshot.counts.misses),
  ),
  counter(
    "outcomes_total",
    ["outcome"],
    "What lookups that reached the server ended with. With namewell_lookups_waiting: hits via socket and dns, and misses.",
    ({ snapshot }) => byKey(snapshot.counts.outcomes),
  ),
  gauge("lookups_waiting", [], "Lookups that wait for their answer now.", ({ snapshot }) => [
    [snapshot.counts.waiting],
  ]),
  histogram(
    "question_duration_seconds",
    ["via"],
    "How long questions took that could not be answered at once.",
    ({ snapshot }) => byKey(snapshot.counts.questionDurations),
  ),
  gauge("questions_in_flight", [], "Lookups that servers are asked for now.", ({ snapshot }) => [
    [snapshot.questionsInFlight],
  ]),
  gauge("questions_limit", [], "How many of them there can be: more are refused, and left to libc.", ({ snapshot }) => [
    [snapshot.questionsLimit],
  ]),
  counter(
    "questions_given_up_total",
    [],
    "Lookups that servers were asked for and that were left to libc, for the sake of new ones.",
    ({ snapshot }) => [[snapshot.counts.givenUp]],
  ),
  counter(
    "answers_late_total",
    [],
    "Answers that came when the lookup had failed already. They are kept.",
    ({ snapshot }) => [[snapshot.counts.answersLate]],
  ),
  gauge(
    "cache_entries",
    ["place", "kind"],
    "Entries: in the table, longer than its slots (long), and those that gave way in it (evicted). Expired ones count until they are replaced.",
    ({ snapshot }) =>
      places(snapshot, (place, { success, denial }) => [
        [place, "success", success],
        [place, "denial", denial],
      ]),
  ),
  gauge("cache_capacity_entries", ["place"], "How many entries there can be.", ({ snapshot }) =>
    places(snapshot, (place, { capacity }) => [[place, capacity]]),
  ),
  counter(
    "cache_evictions_total",
    [],
    "Entries of the table that gave way to others while they were fresh.",
    (seen) => [[seen.snapshot.counts.evictions]],
  ),
  counter(
    "cache_served_stale_total",
    [],
    "Entries that were given out, or kept for clients, past their end, since no server answered.",
    ({ snapshot }) => [[snapshot.counts.servedStale]],
  ),
  counter(
    "cache_prefetch_total",
    ["result"],
    "Entries that were asked for again before their end; refused: more than the rate or the questions in flight allow.",
    ({ snapshot }) => byKey(snapshot.counts.prefetch),
  ),
  histogram(
    "upstream_request_duration_seconds",
    ["upstream", "transport", "rcode"],
    "How long servers took to reply. With timeouts, errors, unneeded and in flight: namewell_upstream_requests_total.",
    ({ snapshot }) =>
      byWay(snapshot.groups, ({ replies }) => replies.map((durations, at) => [RCODES[at] ?? "other", durations])),
  ),
  counter(
    "upstream_requests_total",
    ["upstream", "transport"],
    `Queries to servers, probes included. Each has exactly one end: a reply, a timeout, an error, or unneeded. The first ${UPSTREAM_LABELS_MAX} servers have their own label, the rest is other.`,
    ({ snapshot }) => byWay(snapshot.groups, ({ requests }) => [[requests]]),
  ),
  counter(
    "upstream_timeouts_total",
    ["upstream", "transport"],
    "Queries that were waited for in vain.",
    ({ snapshot }) => byWay(snapshot.groups, ({ timeouts }) => [[timeouts]]),
  ),
  counter(
    "upstream_errors_total",
    ["upstream", "transport"],
    "Queries whose socket failed or was refused.",
    ({ snapshot }) => byWay(snapshot.groups, ({ errors }) => [[errors]]),
  ),
  counter(
    "upstream_requests_unneeded_total",
    ["upstream", "transport"],
    "Queries that were let go, since something else answered first.",
    ({ snapshot }) => byWay(snapshot.groups, ({ unneeded }) => [[unneeded]]),
  ),
  gauge("upstream_requests_in_flight", ["upstream", "transport"], "Queries that have no end yet.", ({ snapshot }) =>
    byWay(snapshot.groups, ({ inFlight }) => [[inFlight]]),
  ),
  gauge(
    "upstream_up",
    ["upstream"],
    "Whether it answers, as far as questions and probes tell; a server that nobody needs is not probed, and counts as up.",
    ({ snapshot }) => byUpstream(snapshot.groups, ({ isUp }) => Number(isUp), Math.min),
  ),
  gauge(
    "upstream_smoothed_rtt_seconds",
    ["upstream"],
    "How long it usually takes to reply, by which the fastest is chosen; missing where it never replied.",
    ({ snapshot }) => byUpstream(snapshot.groups, ({ smoothedRttSeconds }) => smoothedRttSeconds, Math.max),
  ),
  gauge(
    "view_up",
    ["view"],
    "Whether any server answers for the names under this suffix, the first of those that go to the same servers; . is for all names that no rule gives to others.",
    ({ snapshot }) => viewsUp(snapshot.groups),
  ),
  counter(
    "upstream_replies_rejected_total",
    ["reason"],
    "Replies that were not believed: of another question, port or cookie (foreign), in other letters, without a cookie, or malformed. A rise of the first three may be forgery.",
    ({ snapshot }) => byKey(snapshot.counts.repliesRejected),
  ),
  gauge(
    "table_published",
    [],
    "Whether clients find entries in the table; where it is off on purpose, 0 too.",
    ({ snapshot }) => [[Number(snapshot.table.state === "published")]],
  ),
  gauge("table_wanted", [], "Whether the table is to be published (DNS_CACHE_SHARED_TABLE).", ({ snapshot }) => [
    [Number(snapshot.table.state !== "off")],
  ]),
  gauge(
    "table_heartbeat_age_seconds",
    [],
    "Since the server last told clients that it lives; missing where nothing is published.",
    ({ snapshot }) => known(snapshot.table.heartbeatAgeSeconds),
  ),
  gauge("table_bytes", [], "Size of the published file.", ({ snapshot }) => [[snapshot.table.bytes]]),
  counter("table_writes_total", [], "Sets of entries written to the published table.", ({ snapshot }) => [
    [snapshot.counts.tableWrites],
  ]),
  counter("table_write_failures_total", [], "Writes to the published table that failed.", ({ snapshot }) => [
    [snapshot.counts.tableWriteFailures],
  ]),
  gauge(
    "directory_noexec",
    [],
    "Whether no program can load client.so, since the directory that it lies in is mounted noexec; missing where /proc does not tell. Containers may have it mounted otherwise.",
    ({ snapshot }) => known(snapshot.directory.isLibraryNoexec),
  ),
  gauge("directory_has_room", [], "Whether the shared directory has room for a second table.", ({ snapshot }) => [
    [Number(snapshot.directory.hasRoomForSecondTable)],
  ]),
  gauge(
    "directory_writable_by_others",
    [],
    "Whether others than its owner may write in the shared directory: they own everybody's DNS.",
    ({ snapshot }) => [[Number(snapshot.directory.isWritableByOthers)]],
  ),
  gauge("library_installed", ["arch"], "Whether client.so is in its place.", ({ snapshot: { directory } }) => [
    [directory.libraryArch, Number(directory.isLibraryInstalled)],
  ]),
  gauge("client_connections", [], "Connections of clients.", ({ snapshot }) => [[snapshot.connections]]),
  gauge("client_connections_limit", [], "How many of them there can be.", (seen) => [[seen.snapshot.connectionsLimit]]),
  counter("client_connections_dropped_total", ["reason"], "Connections of clients that had to make room.", (seen) =>
    byKey(seen.snapshot.counts.connectionsDropped),
  ),
  counter("client_frames_refused_total", ["reason"], "Requests of clients that could not be read.", ({ snapshot }) =>
    byKey(snapshot.counts.framesRefused),
  ),
  counter(
    "client_reports_ignored_total",
    ["reason"],
    "Hits told by clients that did not count: of another table, or of entries that are gone.",
    ({ snapshot }) => byKey(snapshot.counts.reportsIgnored),
  ),
  histogram(
    "event_loop_delay_seconds",
    [],
    "How late the server's timers are, looked at four times a second.",
    (seen) => [[seen.snapshot.counts.eventLoopDelays]],
  ),
  gauge(
    "snapshot_age_seconds",
    [],
    "How old these numbers are: above 1, the main thread has not answered.",
    ({ side }) => [[side.snapshotAgeSeconds]],
  ),
  gauge(
    "http_up",
    ["door"],
    "Whether HTTP is served: over TCP, and on control.sock; missing where it is off.",
    (seen) => [...known(seen.side.isUp.tcp, "tcp"), ...known(seen.side.isUp.control, "control")],
  ),
  gauge("http_connections", ["door"], "Connections to the HTTP side.", ({ side }) => byKey(side.connections)),
  counter("http_connections_dropped_total", ["door"], "Those of them that had to make room.", ({ side }) =>
    byKey(side.connectionsDropped),
  ),
  counter("http_restarts_total", [], "How often the HTTP side ended by a fault and was started again.", ({ side }) => [
    [side.restarts],
  ]),
];
