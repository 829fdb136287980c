// `namewell top`: the names that are asked for most, fail most, or took longest.

import { visible } from "../logline.ts";
import type { Answers } from "../operate/snapshot.ts";
import { ask } from "./ask.ts";
import type { Session } from "./session.ts";
import { columns, type Paint, span } from "./terminal.ts";
import { wholeNumber } from "./words.ts";

const SHOWN_MAX = 100; // the server tells no more

export async function top(session: Session, options: { readonly count: string }): Promise<void> {
  const most = wholeNumber("--count", options.count, 1, SHOWN_MAX);
  const { value } = await ask<Answers["names"]>(session.doors, { method: "GET", path: "/names" });
  const first = <T>(list: readonly T[]) => list.slice(0, most);
  const names = { top: first(value.top), failing: first(value.failing), slow: first(value.slow) };
  session.give(names, () => topLines(names, session.paint));
}

function topLines({ top: often, failing, slow }: Answers["names"], paint: Paint): string[] {
  const counted = (list: Answers["names"]["top"]) =>
    list.map(({ name, count, error }) => [count, visible(name), error > 0 ? `(${error} less at most)` : ""]);
  const took = slow.map(({ name, type, seconds }) => [span(seconds), visible(type), visible(name)]);
  return [
    ...section("Most asked for", counted(often), paint),
    "",
    ...section("Failing most", counted(failing), paint),
    "",
    ...section("Slowest in the last 15 minutes", took, paint),
  ];
}

function section(title: string, rows: (string | number)[][], paint: Paint): string[] {
  const lines = rows.length === 0 ? [paint("dim", "none")] : columns(rows);
  return [paint("bold", title), ...lines.map((line) => `  ${line}`)];
}
