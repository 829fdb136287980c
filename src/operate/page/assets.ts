// The page's style and script, as files of their own: the page's policy allows nothing inline, and nothing from elsewhere.

/** Content-Security-Policy. */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export const PAGE_CSS = `:root {
  color-scheme: light dark;
  --paper: #fbfbfa; --card: #ffffff; --ink: #1c1f23; --soft: #565d66; --edge: #d9dce0; --track: #e6e8eb;
  --table: #1f6fb2; --socket: #0f8a7a; --miss: #c2610c; --bad: #b3261e; --bad-paper: #fdeceb; --odd: #7a5200; --odd-paper: #fdf3dc; --fine: #1b6b3a; --fine-paper: #e7f4ec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --card: #1b1f23; --ink: #e8eaed; --soft: #a4acb5; --edge: #33393f; --track: #2b3036;
    --table: #5aa9e6; --socket: #3fbfad; --miss: #f0954a; --bad: #ff9d95; --bad-paper: #3a1b19; --odd: #f1c66a; --odd-paper: #352a12; --fine: #7fd6a0; --fine-paper: #15301f;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
header, main, footer { max-width: 1120px; margin: 0 auto; padding: 0 16px; }
header { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; padding-top: 20px; }
h1 { font-size: 22px; margin: 0; }
header p, footer p { color: var(--soft); margin: 0; font-size: 14px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 10px; }
section { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 16px; margin: 16px 0; min-width: 0; }
.state { border-left-width: 6px; }
.state h2 { margin: 0; }
.state ul { margin: 8px 0 0; padding-left: 20px; }
.state p { margin: 0; color: var(--soft); }
.state .what { color: var(--ink); }
.fine { border-color: var(--fine); background: var(--fine-paper); }
.fine h2 { color: var(--fine); }
.odd { border-color: var(--odd); background: var(--odd-paper); }
.odd h2 { color: var(--odd); }
.bad { border-color: var(--bad); background: var(--bad-paper); }
.bad h2 { color: var(--bad); }
.state.odd p, .state.bad p, .state.fine p { color: var(--ink); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(148px, 1fr)); gap: 12px; margin: 16px 0; padding: 0; }
.tiles div { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 10px 14px; }
.tiles dt { color: var(--soft); font-size: 14px; }
.tiles dd { margin: 0; font-size: 22px; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.tiles small { display: block; font-size: 13px; color: var(--soft); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 16px; }
.pair > section { margin: 0; }
main > .pair { margin: 16px 0; }
figure { margin: 0; }
figcaption { font-size: 14px; color: var(--soft); }
.chart { display: block; width: 100%; height: auto; }
.chart text { fill: var(--soft); font-size: 17px; }
.chart .grid { stroke: var(--edge); stroke-width: 1; }
.table { fill: var(--table); } .socket { fill: var(--socket); } .miss { fill: var(--miss); } .track { fill: var(--track); }
.line { fill: none; stroke: var(--table); stroke-width: 2; } .dot { fill: var(--table); }
.key { display: flex; flex-wrap: wrap; gap: 4px 16px; list-style: none; margin: 6px 0 0; padding: 0; font-size: 14px; }
.key svg { width: 12px; height: 12px; margin-right: 6px; }
.share { width: 60px; height: 8px; margin-left: 8px; vertical-align: middle; }
.scroll { overflow-x: auto; }
.scroll:focus-visible, a:focus-visible, summary:focus-visible, input:focus-visible, button:focus-visible { outline: 2px solid var(--table); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--edge); vertical-align: top; font-weight: normal; overflow-wrap: break-word; }
th { min-width: 120px; }
th code, td code { display: inline-block; min-width: 120px; }
thead th { color: var(--soft); white-space: nowrap; overflow-wrap: normal; min-width: 0; }
tbody tr:last-child > * { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; overflow-wrap: normal; padding-left: 12px; }
.up { color: var(--fine); } .down { color: var(--bad); font-weight: 600; } .aside { color: var(--odd); font-weight: 600; }
details { margin-top: 8px; font-size: 14px; }
summary { cursor: pointer; color: var(--soft); }
code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; font-size: 13px; overflow-wrap: anywhere; }
a { color: var(--table); }
form { display: flex; flex-wrap: wrap; gap: 8px; margin-bottom: 12px; align-items: center; }
input, button { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--soft); border-radius: 6px; padding: 5px 10px; }
input { flex: 1 1 200px; min-width: 0; }
.soft { color: var(--soft); }
footer { padding-bottom: 24px; }
@media (max-width: 480px) { section { padding: 12px; } .chart text { font-size: 24px; } thead th { white-space: normal; } }
@media print { body { background: none; } section { break-inside: avoid; } }
`;

/** Shows the page as it is now, every five seconds, while somebody looks at it and does not type. */
export const PAGE_SCRIPT = `"use strict";
const EVERY_MS = 5000;
let isAsking = false;

async function renew() {
  const main = document.querySelector("main");
  const isTyping = document.activeElement instanceof HTMLInputElement;
  if (document.hidden || isAsking || isTyping || String(document.getSelection()) !== "") return;
  isAsking = true;
  try {
    const response = await fetch(location.href, { signal: AbortSignal.timeout(4000) });
    if (!response.ok) throw new Error(String(response.status));
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const next = page.querySelector("main");
    if (next === null) return;
    for (const details of main.querySelectorAll("details[open]")) {
      next.querySelector("#" + details.id)?.setAttribute("open", "");
    }
    const focused = document.activeElement?.closest("main [id], main [aria-label]");
    const label = focused?.getAttribute("aria-label");
    main.replaceChildren(...next.childNodes);
    if (focused?.id) document.getElementById(focused.id)?.focus({ preventScroll: true });
    else if (label) main.querySelector('[aria-label="' + CSS.escape(label) + '"]')?.focus({ preventScroll: true });
    document.title = page.title;
    document.getElementById("live").textContent = "Live";
  } catch {
    document.getElementById("live").textContent = "The server does not answer: this is what it said last";
  } finally {
    isAsking = false;
  }
}

document.getElementById("live").textContent = "Live";
setInterval(renew, EVERY_MS);
document.addEventListener("visibilitychange", renew);
`;
