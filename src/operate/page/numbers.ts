// What became of lookups, the table, and the server, in numbers.

import type { Sample } from "../history.ts";
import type { Snapshot } from "../snapshot.ts";
import { MINUTES, shareBar } from "./chart.ts";
import { bytes, clock, count, html, type Markup, NUMBER, table, type Value } from "./markup.ts";
import { sum } from "./span.ts";

const EVENTS_SHOWN = 30;

const HOW: ReadonlyArray<readonly [keyof Snapshot["counts"]["misses"], string]> = [
  ["asked", "DNS servers were asked"],
  ["joined", "waited for an equal question that was under way"],
  ["stale", "given an old answer, since the servers are down"],
  ["failure_known", "had just failed"],
  ["bypass", "left to libc by a rule, or while no server is known"],
  ["refused", "left to libc, since too many were under way"],
];

export function misses({ counts }: Snapshot, first: Sample): Markup {
  const rows = HOW.map(([how, text]) => [
    text,
    count(counts.misses[how] - first.counts.misses[how]),
    count(counts.misses[how]),
  ]);
  return html`<section><h2>Misses</h2>${table("Misses by what became of them", sinceColumns("What became of them"), rows)}</section>`;
}

const OUTCOMES: ReadonlyArray<readonly [keyof Snapshot["counts"]["outcomes"], string]> = [
  ["data", "found"],
  ["no_name", "no such name"],
  ["no_data", "no record of that type"],
  ["temporary", "failed for now"],
  ["unfit", "left to libc"],
];
const REJECTED: ReadonlyArray<readonly [keyof Snapshot["counts"]["repliesRejected"], string]> = [
  ["foreign", "replies rejected: not to our question"],
  ["wrong_case", "replies rejected: other letters"],
  ["no_cookie", "replies rejected: no cookie"],
  ["malformed", "replies rejected: malformed"],
];

export function outcomes({ counts }: Snapshot, first: Sample): Markup {
  const rows = [
    ...OUTCOMES.map(([key, text]) => [
      text,
      count(counts.outcomes[key] - first.counts.outcomes[key]),
      count(counts.outcomes[key]),
    ]),
    ["old answers given", count(counts.servedStale - first.counts.servedStale), count(counts.servedStale)],
    ...REJECTED.map(([key, text]) => [
      text,
      count(counts.repliesRejected[key] - first.counts.repliesRejected[key]),
      count(counts.repliesRejected[key]),
    ]),
  ];
  return html`<section><h2>Outcomes over the socket</h2>${table("Outcomes of lookups over the socket", sinceColumns("Outcome"), rows)}</section>`;
}

function sinceColumns(title: string) {
  return [{ title }, { title: `${MINUTES} minutes`, isNumber: NUMBER }, { title: "Since the start", isNumber: NUMBER }];
}

const STATES: Readonly<Record<Snapshot["table"]["state"], string>> = {
  published: "published: programs read it themselves",
  header: "not published: hits go over the socket",
  none: "not published: hits go over the socket",
  off: "not published on purpose: hits go over the socket",
};

export function publishedTable({
  table: { state: is, reason, bytes: size, heartbeatAgeSeconds, places },
  counts,
}: Snapshot): Markup {
  const { success, denial, capacity } = places.table;
  const rows: Value[][] = [
    ["State", reason === undefined ? STATES[is] : `${STATES[is]} (${reason})`],
    ["Entries", html`${count(success + denial)} of ${count(capacity)}${shareBar((success + denial) / capacity)}`],
    ["Denials among them", count(denial)],
    ["Longer than a slot", count(places.long.success + places.long.denial)],
    ["Gave way, kept beside it", count(places.evicted.success + places.evicted.denial)],
    ["Gave way since the start", count(counts.evictions)],
    ["Size of the file", bytes(size)],
    ["Writes", `${count(counts.tableWrites)}, failed ${count(counts.tableWriteFailures)}`],
    ["Heartbeat", heartbeatAgeSeconds === undefined ? "–" : `${heartbeatAgeSeconds.toFixed(1)} s ago`],
  ];
  return html`<section><h2>Table</h2>${table("The table", [{ title: "What" }, { title: "Value" }], rows)}</section>`;
}

export function server(snapshot: Snapshot): Markup {
  const { directory, counts } = snapshot;
  const dropped = sum(counts.connectionsDropped);
  const rows: Value[][] = [
    ["Directory", html`<code>${directory.path}</code>`],
    ["File system", directory.fileSystem ?? "unknown"],
    [
      "client.so",
      directory.isLibraryInstalled
        ? `for ${directory.libraryArch}${directory.isLibraryNoexec ? ", noexec" : ""}`
        : "missing",
    ],
    ["Connections", `${count(snapshot.connections)} of ${count(snapshot.connectionsLimit)}, dropped ${count(dropped)}`],
    ["Questions under way", `${count(snapshot.questionsInFlight)} of ${count(snapshot.questionsLimit)}`],
    ["Refreshed before their end", `${count(counts.prefetch.ok)}, failed ${count(counts.prefetch.failed)}`],
    ["Frames refused", count(sum(counts.framesRefused))],
    ["Log level", snapshot.logLevel],
    ["Node.js", `${snapshot.node}, ${snapshot.arch}, process ${snapshot.pid}`],
  ];
  return html`<section><h2>Server</h2>${table("The server", [{ title: "What" }, { title: "Value" }], rows)}</section>`;
}

export function events({ events: all }: Snapshot): Markup {
  const rows = all
    .slice(-EVENTS_SHOWN)
    .reverse()
    .map(({ atMs, level, text }) => [clock(atMs), level, text]);
  const columns = [{ title: "Time (UTC)" }, { title: "Level" }, { title: "What" }];
  return html`<section><h2>Events</h2>${rows.length === 0 ? html`<p class="soft">None.</p>` : table("Events", columns, rows)}</section>`;
}
