// `namewell lookup`: the names that a program would ask for, one after the other as its libc's search goes on, and what the
// server knows of each.
import net from "node:net";
import { visible } from "../logline.ts";
import type { Answers, LookupReport } from "../operate/snapshot.ts";
import { ask } from "./ask.ts";
import { type Libc, readSearchFiles, type SearchPlan, searchPlan } from "./searchList.ts";
import type { Session } from "./session.ts";
import { columns, count, type Paint, span } from "./terminal.ts";

export interface LookupOptions {
  readonly type?: string;
  readonly libc: Libc;
  readonly ask: boolean;
}

export const OUTCOME_TEXTS: Readonly<Record<string, string>> = {
  data: "found",
  no_name: "no such name",
  no_data: "no such record",
  temporary: "no server answered",
  unfit: "left to libc: an answer that the cache does not keep",
};
const IN6_NIBBLES = 32;
const MAPPED = /^0{20}f{4}([0-9a-f]{8})$/; // RFC 4291 section 2.5.5.2

export async function lookup(session: Session, text: string, options: LookupOptions): Promise<void> {
  const reverse = reverseName(text);
  const files = readSearchFiles();
  const plan: SearchPlan | undefined = reverse === undefined ? searchPlan(text, options.libc, files) : undefined;
  const types = options.type !== undefined ? [options.type] : reverse === undefined ? ["A", "AAAA"] : ["PTR"];
  const candidates: LookupReport[][] = [];
  let http: string | undefined;
  for (const name of reverse === undefined ? (plan?.names ?? []) : [reverse]) {
    const query = new URLSearchParams({ name });
    for (const type of types) query.append("type", type);
    const path = `/lookup?${query}${options.ask ? "&ask=1" : ""}`;
    const onWait = () => {
      if (process.stderr.isTTY) session.remark(`(waiting for what the server is told of ${visible(name)})`);
    };
    const answer = await ask<Answers["lookup"]>(session.doors, { method: "GET", path, onWait });
    http = answer.http;
    candidates.push([...answer.value.reports]);
    if (endsSearch(answer.value.reports, options.libc)) break;
  }
  const value = { libc: options.libc, search: plan, candidates };
  session.give(value, () => lookupLines(text, plan, options.libc, candidates, session.paint));
  if (http !== undefined && options.ask) session.remark(`(asked over ${http}, where nothing is looked up anew)`);
}

/** As in shim/search.c: an alias of a name without addresses counts as found; without addresses musl is done. */
export function endsSearch(reports: readonly LookupReport[], libc: Libc): boolean {
  const goesOn = ({ outcome, aliases }: LookupReport) =>
    outcome === undefined || outcome === "no_name" || (outcome === "no_data" && aliases.length === 0);
  if (!reports.every(goesOn)) return true;
  return libc === "musl" && reports.every(({ outcome }) => outcome === "no_data");
}

function lookupLines(
  text: string,
  plan: SearchPlan | undefined,
  libc: Libc,
  candidates: readonly LookupReport[][],
  paint: Paint,
): string[] {
  const asked = candidates.map(([report]) => report?.name ?? "");
  return [
    ...(plan === undefined ? [] : planLines(text, plan, libc, asked.length, paint)),
    ...candidates.flatMap((reports) => reports.flatMap((report) => ["", ...reportLines(report, paint)])),
  ];
}

function planLines(text: string, plan: SearchPlan, libc: Libc, asked: number, paint: Paint): string[] {
  const { names, ndots, domains, leftToLibc } = plan;
  const left =
    leftToLibc === undefined
      ? []
      : [paint("yellow", `A program's libc answers ${visible(text)} by itself: ${leftToLibc}.`)];
  if (names.length === 1) return [...left, `${visible(names[0] as string)} is asked for as it is (${libc}).`];
  const search = `search ${domains.map(visible).join(" ")}, ndots:${ndots}`;
  return [
    ...left,
    `${libc} asks for these in turn, by /etc/resolv.conf (${search}):`,
    ...names.map((name, i) => (i < asked ? `  ${visible(name)}` : paint("dim", `  ${visible(name)} (not reached)`))),
  ];
}

function reportLines(report: LookupReport, paint: Paint): string[] {
  const { name, type, rule, upstreams, isBypassed, outcome, aliases, data, failure } = report;
  const rows = [
    ["rule", rule === undefined ? "none: the settings alone" : visible(rule)],
    ["servers", upstreams.length === 0 ? "none" : upstreams.map(visible).join(", ")],
    ["held", heldText(report)],
    ...(failure === undefined ? [] : [["failed", visible(failure)]]),
    ["from", fromText(report)],
    ...aliases.map((alias) => ["alias", visible(alias)]),
    ...data.map((each) => ["record", visible(each)]),
  ];
  return [
    `${paint("bold", `${visible(name)} ${visible(type)}`)}: ${verdictOf(isBypassed, outcome, paint)}`,
    ...columns(rows).map((line) => `  ${line}`),
  ];
}

function verdictOf(isBypassed: boolean, outcome: LookupReport["outcome"], paint: Paint): string {
  if (isBypassed) return paint("yellow", "left to libc, by its rule or for want of servers");
  if (outcome === undefined) return paint("dim", "not known, and not asked for");
  const style = outcome === "data" ? "green" : outcome === "temporary" || outcome === "unfit" ? "red" : "yellow";
  return paint(style, OUTCOME_TEXTS[outcome] ?? visible(outcome));
}

function heldText({ held }: LookupReport): string {
  if (held === undefined) return "no";
  const {
    place,
    slot,
    remainingSeconds: left,
    originalTtlSeconds: ttl,
    hits,
    isStale,
    refreshInSeconds: refresh,
  } = held;
  const where =
    place === "table"
      ? `in the table${slot === undefined ? "" : `, slot ${slot}`}`
      : place === "long"
        ? "beside the table, being long"
        : "beside the table, since it gave way";
  const rest = left >= 0 ? `${span(left)} of ${span(ttl)} left` : `ended ${span(-left)} ago (ttl ${span(ttl)})`;
  const used = hits === undefined ? "" : `, ${count(hits)} ${hits === 1 ? "hit" : "hits"} since it was written`;
  const anew = left >= 0 && refresh > 0 && refresh < left ? `, refreshed in ${span(refresh)} if it is used` : "";
  return `${where}: ${rest}${used}${anew}${isStale ? ", past its end" : ""}`;
}

function fromText({ origin, asked, held }: LookupReport): string {
  const now = asked === undefined ? "" : ` (asked now: ${span(asked.seconds)} in all)`;
  if (origin === undefined) return asked === undefined && held !== undefined ? "not remembered" : `nobody${now}`;
  const { upstream, transport, seconds, atMs } = origin;
  const ago = asked === undefined ? `, ${span(Math.max(0, (Date.now() - atMs) / 1000))} ago` : "";
  return `${visible(upstream)} over ${visible(transport)} in ${span(seconds)}${ago}${now}`;
}

/** Undefined where it is no address. */
export function reverseName(text: string): string | undefined {
  if (net.isIPv4(text)) return `${text.split(".").reverse().join(".")}.in-addr.arpa`;
  if (!net.isIPv6(text)) return undefined;
  const { hostname } = new URL(`http://[${text.split("%", 1)[0]}]/`);
  const [before = "", behind] = hostname.slice(1, -1).split("::");
  const groups = (part: string | undefined) => (part ? part.split(":") : []).map((group) => group.padStart(4, "0"));
  const digits = [groups(before).join(""), groups(behind).join("")] as const;
  const whole = digits[0] + "0".repeat(IN6_NIBBLES - digits[0].length - digits[1].length) + digits[1];
  const [, mapped] = MAPPED.exec(whole) ?? [];
  if (mapped !== undefined) return `${[...Buffer.from(mapped, "hex")].reverse().join(".")}.in-addr.arpa`;
  return `${[...whole].reverse().join(".")}.ip6.arpa`;
}
