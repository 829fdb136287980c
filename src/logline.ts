// A line of the log as somebody at a terminal reads it: time, level, text and what else belongs to it. Of our own, since
// pino-pretty takes eleven more packages and lets control characters of names through.

interface Entry {
  readonly time?: unknown;
  readonly level?: unknown;
  readonly msg?: unknown;
  readonly err?: { readonly stack?: unknown };
  readonly [field: string]: unknown;
}

const LEVELS: Readonly<Record<number, readonly [name: string, colour: number]>> = {
  10: ["trace", 2],
  20: ["debug", 2],
  30: ["info", 32],
  40: ["warn", 33],
  50: ["error", 31],
  60: ["fatal", 31],
};
// Controls, formats (which turn the direction of text), lone surrogates, separators of lines and paragraphs.
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Nothing in it moves the cursor, colours, or turns the direction of a line. */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (character) => {
    const code = (character.codePointAt(0) as number).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u{${code}}`;
  });
}

/** https://no-color.org: set and not empty. */
export function hasColours(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
}

/** @param json as pino writes it */
export function logLine(json: string, hasColour: boolean): string {
  const { time, level, msg, err, ...fields } = JSON.parse(json) as Entry;
  const [name, colour] = LEVELS[Number(level)] ?? ["", 0];
  const clock = new Date(String(time)).toTimeString().slice(0, 8);
  const text = visible(String(msg));
  const label = hasColour ? `\x1b[${colour}m${name.padEnd(5)}\x1b[0m` : name.padEnd(5);
  const rest = Object.entries(fields)
    .flatMap(([field, value]) => shown(field, value, text))
    .join(", ");
  const stack = typeof err?.stack === "string" ? `\n${err.stack.split("\n").map(visible).join("\n")}` : "";
  return `${clock} ${label} ${text}${rest === "" ? "" : `  (${rest})`}${stack}\n`;
}

/** Not what the text says already, and no tables of numbers. */
function shown(field: string, value: unknown, text: string): string[] {
  const isList = Array.isArray(value) && value.every((each) => typeof each !== "object");
  if (typeof value === "object" && !isList) return [];
  const word = visible(isList ? value.join(", ") : String(value));
  return word === "" || text.includes(word) ? [] : [`${visible(field)} ${word}`];
}
