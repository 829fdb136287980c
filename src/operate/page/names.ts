// Which names are looked up, fail and are slow, and what the cache holds of one: where names may be shown.
import type { NamesReport } from "../../resolve/names.ts";
import type { LookupReport } from "../snapshot.ts";
import { count, duration, html, type Markup, NUMBER, table, type Value } from "./markup.ts";

/** What was asked for in the form. */
export interface Looked {
  readonly name: string;
  readonly found: readonly LookupReport[] | { readonly error: string };
}

const NAMES_SHOWN = 20;

export function namesPart(names: NamesReport | undefined, looked: Looked | undefined): Markup {
  if (names === undefined) {
    return html`<section><h2>Names</h2><p class="soft">Which names are looked up is shown with <code>DNS_CACHE_HTTP_NAMES=on</code>, to all who reach this page; and by <code>namewell top</code> to who may manage the server.</p></section>`;
  }
  const counted = [{ title: "Name" }, { title: "Lookups", isNumber: NUMBER }];
  const failed = [{ title: "Name" }, { title: "Failures", isNumber: NUMBER }];
  const slow = [{ title: "Name" }, { title: "Type" }, { title: "Took", isNumber: NUMBER }];
  const name = (text: string) => html`<code>${text === "" ? "." : text}</code>`;
  const part = (title: string, columns: Parameters<typeof table>[1], rows: Value[][]) =>
    html`<section><h2>${title}</h2>${rows.length === 0 ? html`<p class="soft">None.</p>` : table(title, columns, rows)}</section>`;
  const counts = (list: NamesReport["top"]) =>
    list
      .slice(0, NAMES_SHOWN)
      .map((each) => [
        name(each.name),
        each.error > 0 ? `${count(each.count - each.error)} to ${count(each.count)}` : count(each.count),
      ]);
  return html`<section><h2>Look up a name</h2><form action="/" method="get"><label for="name">Name</label><input id="name" name="name" maxlength="253" value="${looked?.name ?? ""}" autocomplete="off" spellcheck="false"><button>Look up</button></form>
${looked === undefined ? html`<p class="soft">What the cache holds of it. DNS servers are not asked.</p>` : lookedUp(looked.found)}</section>
<div class="pair">
${part("Names looked up most", counted, counts(names.top))}
${part("Names that failed", failed, counts(names.failing))}
${part(
  "Slowest names",
  slow,
  names.slow.slice(0, NAMES_SHOWN).map(({ name: text, type, seconds }) => [name(text), type, duration(seconds)]),
)}
</div>`;
}

function lookedUp(found: readonly LookupReport[] | { readonly error: string }): Markup {
  if ("error" in found) return html`<p class="down">${found.error}</p>`;
  const rows = found.map(({ name, type, rule, held, origin, data, aliases, isBypassed, failure }): Value[] => [
    html`<code>${name}</code>`,
    type,
    isBypassed
      ? "left to libc"
      : held === undefined
        ? `not in the cache${failure === undefined ? "" : ", failed just now"}`
        : `${held.outcome === "data" ? [...aliases, ...data].join(" ") : held.outcome.replace("_", " ")}`,
    held === undefined ? "–" : held.remainingSeconds > 0 ? `${count(Math.ceil(held.remainingSeconds))} s` : "over",
    held?.hits === undefined ? "–" : count(held.hits),
    held === undefined ? "–" : `${held.place}${held.isStale ? ", old" : ""}`,
    origin === undefined ? "–" : `${origin.upstream}, ${duration(origin.seconds)}`,
    rule ?? "–",
  ]);
  const columns = [
    { title: "Name" },
    { title: "Type" },
    { title: "Answer" },
    { title: "Remaining", isNumber: NUMBER },
    { title: "Hits", isNumber: NUMBER },
    { title: "Place" },
    { title: "From" },
    { title: "Rule" },
  ];
  return table("What the cache holds of the name", columns, rows);
}
