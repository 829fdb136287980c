// The status page: what the server tells of itself, for people. It works without script and without pictures.
//
// The map of this folder: state.ts says whether all is fine, span.ts what was counted when, chart.ts draws it; upstreams.ts,
// numbers.ts and names.ts are the page's parts; markup.ts writes HTML and escapes; assets.ts has style and script.

import type { NamesReport } from "../../resolve/names.ts";
import { type History, type Sample, samplesOf } from "../history.ts";
import type { Snapshot } from "../snapshot.ts";
import { barsOf, hitShareChart, lookupsChart, MINUTES } from "./chart.ts";
import { clock, count, duration, html, type Markup, NUMBER, rate, share, table } from "./markup.ts";
import { type Looked, namesPart } from "./names.ts";
import { events, misses, outcomes, publishedTable, server } from "./numbers.ts";
import { lookupsIn, quantile, type Span, since, spanOf, spansOf, sum } from "./span.ts";
import { problemsOf } from "./state.ts";
import { upstreams } from "./upstreams.ts";

export interface PageParts {
  readonly snapshot: Snapshot;
  /** Of the last 15 minutes, oldest first. */
  readonly history: History;
  /** Undefined where names are not to be shown. */
  readonly names?: NamesReport | undefined;
  /** Of the name in the form. */
  readonly looked?: Looked | undefined;
}

export function renderPage({ snapshot, history, names, looked }: PageParts): string {
  const samples = samplesOf(snapshot, history);
  const spans = spansOf(samples);
  const whole = spanOf(samples[0] as Sample, snapshot);
  const isEmpty = sum(snapshot.counts.lookups.hits) + sum(snapshot.counts.lookups.misses) === 0;
  const body = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Namewell: ${problemsOf(snapshot, samples).length === 0 ? "all is fine" : "not all is fine"}</title>
<link rel="stylesheet" href="/page.css">
<link rel="icon" href="data:,">
<noscript><meta http-equiv="refresh" content="15"></noscript>
<script src="/page.js" defer></script>
</head>
<body>
<header><h1>Namewell</h1><p>A DNS cache for this node · version ${snapshot.version} · <span id="live"></span></p></header>
<main>
${state(snapshot, samples)}
${tiles(snapshot, samples[0] as Sample, whole, spans)}
${isEmpty ? howToBegin(snapshot) : lookups(snapshot, whole, spans)}
${upstreams(snapshot, samples[0] as Sample)}
<div class="pair">${misses(snapshot, samples[0] as Sample)}${outcomes(snapshot, samples[0] as Sample)}</div>
<div class="pair">${publishedTable(snapshot)}${server(snapshot)}</div>
${namesPart(names, looked)}
${events(snapshot)}
</main>
<footer><p>As of ${clock(snapshot.atMs)} UTC. Hits in the table are told by the programs themselves, late, and some never: their number is a lower bound.
<a href="/metrics">Metrics</a> · <a href="/status">The same as JSON</a></p></footer>
</body>
</html>
`;
  return body.html;
}

function state(snapshot: Snapshot, samples: readonly Sample[]): Markup {
  const problems = problemsOf(snapshot, samples);
  if (problems.length === 0) {
    return html`<section class="state fine"><h2>All is fine</h2><p>Programs are served from ${snapshot.directory.path}.</p></section>`;
  }
  const isBad = problems.some(({ weight }) => weight === "bad");
  const items = problems.map(({ what, advice }) => html`<li><p class="what">${what}</p><p>${advice}</p></li>`);
  return html`<section class="state ${isBad ? "bad" : "odd"}"><h2>${isBad ? "Something is wrong" : "Something is odd"}</h2><ul>${items}</ul></section>`;
}

function tiles(snapshot: Snapshot, first: Sample, whole: Span, spans: readonly Span[]): Markup {
  const { counts } = snapshot;
  const lastMinute = spans.filter(({ toMs }) => snapshot.atMs - toMs < 60_000);
  const seconds = lastMinute.reduce((all, { fromMs, toMs }) => all + (toMs - fromMs) / 1000, 0);
  const lookupsLately = lastMinute.reduce((all, span) => all + lookupsIn(span), 0);
  const waited = since(counts.questionDurations.socket, first.counts.questionDurations.socket);
  const tile = (title: string, value: string, more: string) =>
    html`<div><dt>${title}</dt><dd>${value}<small>${more}</small></dd></div>`;
  return html`<dl class="tiles">
${tile("Lookups a second", rate(seconds > 0 ? lookupsLately / seconds : 0), "in the last minute")}
${tile("Share of hits", share(whole.tableHits + whole.socketHits, lookupsIn(whole)), `in the last ${MINUTES} minutes`)}
${tile("Lookups", count(sum(counts.lookups.hits) + sum(counts.lookups.misses)), `since the start, ${duration((snapshot.atMs - snapshot.startedAtMs) / 1000)} ago`)}
${tile("A miss takes", atMost(quantile(waited, 0.5)), `half of them in the last ${MINUTES} minutes; 99 %: ${atMost(quantile(waited, 0.99))}`)}
</dl>`;
}

/** Of a bucket's bound, which is all that is known. */
function atMost(seconds: number | undefined): string {
  if (seconds === undefined) return "–";
  return Number.isFinite(seconds) ? `at most ${duration(seconds)}` : "over 8 s";
}

function howToBegin({ directory }: Snapshot): Markup {
  return html`<section><h2>No lookups yet</h2><p>Start a program with <code>LD_PRELOAD=${directory.path}/client.so</code>, or ask for a name: <code>namewell lookup example.com</code></p></section>`;
}

function lookups(snapshot: Snapshot, whole: Span, spans: readonly Span[]): Markup {
  const { atMs: nowMs } = snapshot;
  const minutes = barsOf(spans, nowMs, MINUTES).reverse();
  const columns = [
    { title: "Minute" },
    { title: "Lookups", isNumber: NUMBER },
    { title: "Hits in the table", isNumber: NUMBER },
    { title: "Hits over the socket", isNumber: NUMBER },
    { title: "Misses", isNumber: NUMBER },
    { title: "Share of hits", isNumber: NUMBER },
  ];
  const rows = minutes.map((span, i) => [
    i === 0 ? "the last" : `${i} min before`,
    count(lookupsIn(span)),
    count(span.tableHits),
    count(span.socketHits),
    count(span.misses),
    share(span.tableHits + span.socketHits, lookupsIn(span)),
  ]);
  const isNoneTold = lookupsIn(whole) > 0 && whole.tableHits === 0 && snapshot.table.state === "published";
  const hint = isNoneTold
    ? html`<p class="soft">No hit in the table has been told of. Programs tell late, and those that end within a second of their first one never do.</p>`
    : "";
  const key = (kind: string, text: string) =>
    html`<li><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="${kind}" width="12" height="12" rx="2"/></svg>${text}</li>`;
  return html`<section><h2>Lookups in the last ${MINUTES} minutes</h2>
<div class="pair">
<figure>${lookupsChart(spans, nowMs)}<figcaption>Lookups a second<ul class="key">${key("table", "hits in the table")}${key("socket", "hits over the socket")}${key("miss", "misses")}</ul></figcaption></figure>
<figure>${hitShareChart(spans, nowMs)}<figcaption>Share of hits</figcaption></figure>
</div>
${hint}<details id="minutes"><summary>By the minute, in numbers</summary>${table("Lookups by the minute", columns, rows)}</details></section>`;
}
