// Pictures of the last quarter of an hour, as SVG. Colours are the style sheet's; the numbers stand in tables beside them.
import { html, type Markup, rate, share } from "./markup.ts";
import { lookupsIn, perSecond, type Span } from "./span.ts";

const WIDTH = 720;
const HEIGHT = 190;
const LEFT = 72;
const BOTTOM = 28;
const TOP = 12;
const PLOT_WIDTH = WIDTH - LEFT - 8;
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM;

export const MINUTES = 15;
const MS = MINUTES * 60_000;
const BARS = 30;
const BAR_WIDTH = PLOT_WIDTH / BARS;

/** Lookups a second, by where they were answered. */
export function lookupsChart(spans: readonly Span[], nowMs: number): Markup {
  const bars = barsOf(spans, nowMs);
  const highest = niceTop(Math.max(...bars.map((bar) => perSecond(lookupsIn(bar), bar))));
  const shapes = bars.map((bar, i) => {
    const parts = [
      ["table", bar.tableHits],
      ["socket", bar.socketHits],
      ["miss", bar.misses],
    ] as const;
    let below = 0;
    return parts.map(([kind, value]) => {
      const height = (PLOT_HEIGHT * perSecond(value, bar)) / highest;
      below += height;
      const y = TOP + PLOT_HEIGHT - below;
      if (height <= 0) return html``;
      return html`<rect class="${kind}" x="${at(xOf(i) + 1)}" y="${at(y)}" width="${at(BAR_WIDTH - 2)}" height="${at(height)}"/>`;
    });
  });
  return chart("Lookups a second in the last 15 minutes", describe(spans), rate(highest), "0", shapes.flat());
}

/** Share of hits among the lookups. */
export function hitShareChart(spans: readonly Span[], nowMs: number): Markup {
  const bars = barsOf(spans, nowMs);
  const points = bars.flatMap((bar, i) => {
    const lookups = lookupsIn(bar);
    if (lookups === 0) return [];
    const y = TOP + PLOT_HEIGHT * (1 - (bar.tableHits + bar.socketHits) / lookups);
    return [{ i, x: xOf(i) + BAR_WIDTH / 2, y }];
  });
  const path = points.map(({ i, x, y }, n) => `${points[n - 1]?.i === i - 1 ? "L" : "M"}${at(x)} ${at(y)}`).join(" ");
  const shapes = [
    html`<path class="line" d="${path}"/>`,
    ...points.map(({ x, y }) => html`<circle class="dot" cx="${at(x)}" cy="${at(y)}" r="2.5"/>`),
  ];
  return chart("Share of hits in the last 15 minutes", describe(spans), "100 %", "0 %", shapes);
}

/** A bar of a share, for a table's cell, where the number stands beside it. */
export function shareBar(part: number): Markup {
  const width = at(60 * Math.min(1, Math.max(0, part)));
  return html`<svg class="share" viewBox="0 0 60 8" aria-hidden="true"><rect class="track" width="60" height="8"/><rect class="table" width="${width}" height="8"/></svg>`;
}

function chart(title: string, text: string, top: string, bottom: string, shapes: readonly Markup[]): Markup {
  const id = title.toLowerCase().replace(/[^a-z]+/g, "-");
  const base = TOP + PLOT_HEIGHT;
  const times = [15, 10, 5, 0].map((minutes) => {
    const x = at(LEFT + (PLOT_WIDTH * (MINUTES - minutes)) / MINUTES);
    const anchor = minutes === 15 ? "start" : minutes === 0 ? "end" : "middle";
    return html`<text x="${x}" y="${HEIGHT - 5}" text-anchor="${anchor}">${minutes === 0 ? "now" : `−${minutes} min`}</text>`;
  });
  const lines = [0, 0.5, 1].map((part) => {
    const y = at(base - part * PLOT_HEIGHT);
    return html`<line class="grid" x1="${LEFT}" x2="${WIDTH - 8}" y1="${y}" y2="${y}"/>`;
  });
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id} ${id}-text">
<title id="${id}">${title}</title><desc id="${id}-text">${text}</desc>
${lines}${shapes}
<text x="${LEFT - 6}" y="${TOP + 8}" text-anchor="end">${top}</text><text x="${LEFT - 6}" y="${base}" text-anchor="end">${bottom}</text>
${times}</svg>`;
}

function describe(spans: readonly Span[]): string {
  const lookups = spans.reduce((sum, span) => sum + lookupsIn(span), 0);
  const hits = spans.reduce((sum, { tableHits, socketHits }) => sum + tableHits + socketHits, 0);
  return `${lookups} lookups, of which ${share(hits, lookups)} were hits. The table behind it has the numbers.`;
}

/** Each of the same length; a span counts where it ends. */
export function barsOf(spans: readonly Span[], nowMs: number, bars = BARS): Span[] {
  const barMs = MS / bars;
  const startMs = nowMs - MS;
  return Array.from({ length: bars }, (_, i) => {
    const fromMs = startMs + i * barMs;
    const inside = spans.filter(({ toMs }) => toMs > fromMs && toMs <= fromMs + barMs);
    const total = (of: (span: Span) => number) => inside.reduce((sum, span) => sum + of(span), 0);
    return {
      fromMs,
      toMs: fromMs + barMs,
      tableHits: total((span) => span.tableHits),
      socketHits: total((span) => span.socketHits),
      misses: total((span) => span.misses),
      failures: total((span) => span.failures),
    };
  });
}

/** 1, 2 or 5 with zeros, not below. */
export function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) as number) * power;
}

function xOf(bar: number): number {
  return LEFT + bar * BAR_WIDTH;
}

function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}
