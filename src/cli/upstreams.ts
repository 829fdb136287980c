// `namewell upstreams`: a line for each DNS server and transport.

import { visible } from "../logline.ts";
import type { Snapshot } from "../operate/snapshot.ts";
import { RCODES } from "../upstream/tally.ts";
import { ask } from "./ask.ts";
import type { Session } from "./session.ts";
import { columns, type Paint, span } from "./terminal.ts";

type Groups = Snapshot["groups"];
type UpstreamState = Groups[number]["upstreams"][number];

const HEAD = ["server", "over", "state", "usual time", "queries", "replied", "failed", "silent", "errors", "unneeded"];
const FAILURES = RCODES.map((rcode) => rcode === "SERVFAIL" || rcode === "REFUSED" || rcode === "other");

export async function upstreams(session: Session): Promise<void> {
  const { value } = await ask<Snapshot>(session.doors, { method: "GET", path: "/status" });
  session.give(value.groups, () => upstreamLines(value.groups, session.paint));
}

export function upstreamLines(groups: Groups, paint: Paint): string[] {
  return groups.flatMap(({ suffixes, upstreams: servers, isDown }, i) => {
    const names =
      suffixes[0] === "." ? "all names but those of rules with servers of their own" : suffixes.map(visible).join(", ");
    const title = `${paint("bold", "For")} ${names}${isDown ? paint("red", ": all are silent") : ""}`;
    const rows = servers.flatMap((server) => server.ways.map((way, at) => rowOf(server, way, at === 0)));
    const [head = "", ...lines] = columns([HEAD, ...rows]);
    const habits = servers.flatMap(({ text, habits: some }) =>
      some.map((habit) => `  ${visible(text)}: ${visible(habit)}`),
    );
    const table =
      servers.length === 0
        ? ["  none: these lookups are left to libc"]
        : [paint("dim", `  ${head}`), ...lines.map((line, at) => coloured(`  ${line}`, rows[at], paint))];
    return [...(i === 0 ? [] : [""]), title, ...table, ...habits];
  });
}

function rowOf(server: UpstreamState, way: UpstreamState["ways"][number], isFirst: boolean): (string | number)[] {
  const replied = way.replies.map(({ buckets }) => buckets.reduce((all, each) => all + each, 0));
  const ofKind = (isFailure: boolean) =>
    replied.reduce((all, each, at) => all + (FAILURES[at] === isFailure ? each : 0), 0);
  const state = !server.isUp ? "down" : server.isAside ? "aside" : "up";
  const usual = server.smoothedRttSeconds === undefined ? "–" : span(server.smoothedRttSeconds);
  return [
    isFirst ? visible(server.text) : "",
    visible(way.transport),
    isFirst ? state : "",
    isFirst ? usual : "",
    way.requests,
    ofKind(false),
    ofKind(true),
    way.timeouts,
    way.errors,
    way.unneeded,
  ];
}

function coloured(line: string, row: readonly (string | number)[] | undefined, paint: Paint): string {
  return row?.[2] === "down" ? paint("red", line) : row?.[2] === "aside" ? paint("yellow", line) : line;
}
