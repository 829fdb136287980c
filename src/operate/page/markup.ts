// HTML as text: what comes from outside is escaped here and nowhere else, and so are numbers written for people.

/** HTML that may stand in a page. */
export interface Markup {
  readonly html: string;
}

/** Of trusted parts: the template's own text, other markup, and values, which are escaped. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return { html: parts.map((part, i) => part + (i < values.length ? markupOf(values[i] as Value) : "")).join("") };
}
export type Value = Markup | string | number | readonly Markup[] | undefined;

function markupOf(value: Value): string {
  if (value === undefined) return "";
  if (typeof value === "string") return escaped(value);
  if (typeof value === "number") return escaped(String(value));
  if ("html" in value) return value.html;
  return value.map((each) => each.html).join("");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Names of DNS may hold any byte, a character each: what is not printable ASCII is written as zone files do, \ooo in decimal. */
export function escaped(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/** Printable ASCII, and the page's own characters. */
export function visible(text: string): string {
  return text.replace(/[^ -~]/gu, (character) => {
    if (OWN.has(character)) return character;
    const point = character.codePointAt(0) as number;
    return point < 256 ? `\\${String(point).padStart(3, "0")}` : `\\u{${point.toString(16)}}`;
  });
}
const OWN = new Set("·–−…µ×");

export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

export const NUMBER = true;

/** @param caption for who cannot see where the table stands */
export function table(caption: string, columns: readonly Column[], rows: ReadonlyArray<readonly Value[]>): Markup {
  const numberClass = (i: number) => (columns[i]?.isNumber ? NUMBER_CLASS : NO_CLASS);
  const cell = (value: Value, i: number) =>
    i === 0 ? html`<th scope="row">${value}</th>` : html`<td${numberClass(i)}>${value}</td>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><caption>${caption}</caption>
<thead><tr>${columns.map(({ title }, i) => html`<th scope="col"${numberClass(i)}>${title}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) => html`<tr>${row.map(cell)}</tr>
`,
  )}</tbody></table></div>`;
}
const NUMBER_CLASS: Markup = { html: ' class="number"' };
const NO_CLASS: Markup = { html: "" };

export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, " ");
}

export function share(part: number, whole: number): string {
  if (whole <= 0) return "–";
  const percent = (100 * part) / whole;
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  if (percent < 100 && percent > 99.9) return "> 99.9 %";
  return `${percent.toFixed(1)} %`;
}

export function rate(perSecond: number): string {
  return perSecond >= 100 ? count(perSecond) : perSecond.toFixed(perSecond >= 10 ? 1 : 2);
}

/** Three digits and the unit that fits. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 2 : seconds < 0.1 ? 1 : 0)} ms`;
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} days`;
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const units = ["KiB", "MiB", "GiB"];
  let unit = 0;
  let left = value / 1024;
  for (; left >= 1024 && unit < units.length - 1; unit++) left /= 1024;
  return `${left.toFixed(left < 10 ? 1 : 0)} ${units[unit]}`;
}

/** UTC, to the second. */
export function clock(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 19).replace("T", " ");
}
