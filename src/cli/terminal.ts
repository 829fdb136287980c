// Text for people: what comes from outside is made visible, columns stand below each other, and colours are there only where
// somebody looks.

export type Style = "red" | "yellow" | "green" | "bold" | "dim";
export type Paint = (style: Style, text: string) => string;

const CODES: Record<Style, number> = { red: 31, yellow: 33, green: 32, bold: 1, dim: 2 };

/** On one line; strings may hold whatever bytes. */
export function jsonText(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, undefined, indent) ?? "null";
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return text.replaceAll(/[\u007f-\uffff]/g, escaped);
}

export function painter(hasColour: boolean): Paint {
  return (style, text) => (hasColour ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text);
}

/** Columns of plain text; numbers are set to the right. */
export function columns(rows: ReadonlyArray<readonly (string | number)[]>): string[] {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === "number" ? count(cell) : cell)));
  const widths = (texts[0] ?? []).map((_, i) => Math.max(...texts.map((row) => row[i]?.length ?? 0)));
  const isNumber = widths.map((_, i) => rows.some((row) => typeof row[i] === "number"));
  const padded = (text: string, i: number) =>
    isNumber[i] ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0);
  return texts.map((row) => row.map(padded).join("  ").trimEnd());
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** Of a few letters: 12 ms, 3.4 s, 5 min, 2 h, 9 days. */
export function span(seconds: number): string {
  const size = Math.abs(seconds);
  if (size < 0.001) return `${(seconds * 1000).toFixed(2)} ms`;
  if (size < 0.01) return `${(seconds * 1000).toFixed(1)} ms`;
  if (size < 1) return `${Math.round(seconds * 1000)} ms`;
  if (size < 10) return `${seconds.toFixed(1)} s`;
  if (size < 120) return `${Math.round(seconds)} s`;
  if (size < 7200) return `${Math.round(seconds / 60)} min`;
  if (size < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

export function bytes(value: number): string {
  return value < 1024 * 1024 ? `${Math.round(value / 1024)} KiB` : `${(value / 1024 / 1024).toFixed(1)} MiB`;
}

export function share(part: number, whole: number): string {
  return whole === 0 ? "–" : `${((100 * part) / whole).toFixed(1)} %`;
}
