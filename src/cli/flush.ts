// `namewell flush`: what is forgotten, and how much went.
import type { Flush, FlushReport } from "../operate/snapshot.ts";
import { ask } from "./ask.ts";
import { CliError } from "./failures.ts";
import type { Session } from "./session.ts";
import { count } from "./terminal.ts";

export interface FlushOptions {
  readonly suffix?: string;
  readonly negative?: true;
  readonly all?: true;
}

const PATIENCE_MS = 65_000; // longer than the server gives itself: a table of millions is gone through

export async function flush(session: Session, name: string | undefined, options: FlushOptions): Promise<void> {
  const body = meant(name, options);
  const { value } = await ask<FlushReport>(session.doors, { method: "POST", path: "/flush", body }, PATIENCE_MS);
  session.give(value, () => [flushText(value)]);
}

function meant(name: string | undefined, { suffix, negative, all }: FlushOptions): Flush {
  const said: readonly (Flush | undefined)[] = [
    name === undefined ? undefined : { what: "name", name },
    suffix === undefined ? undefined : { what: "suffix", suffix },
    negative && { what: "negative" },
    all && { what: "all" },
  ];
  const [one, ...others] = said.filter((each) => each !== undefined);
  if (one === undefined || others.length > 0)
    throw new CliError("flush takes one of NAME, --suffix SUFFIX, --negative and --all");
  return one;
}

export function flushText({ table, beside, failures, underWay }: FlushReport): string {
  const entries = table + beside;
  const places = entries === 0 ? "" : ` (${count(table)} in the table, ${count(beside)} beside it)`;
  const more = [
    failures > 0 ? `${counted(failures, "remembered failure")}` : [],
    underWay > 0 ? `${counted(underWay, "question")} under way, whose answer is not kept` : [],
  ].flat();
  return `Flushed ${counted(entries, "entry")}${places}${more.map((each) => `; ${each}`).join("")}`;
}

function counted(number: number, thing: string): string {
  return `${count(number)} ${number === 1 ? thing : thing.replace(/y$/, "ie").concat("s")}`;
}
