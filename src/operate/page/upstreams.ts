// The DNS servers: how they are, and what was asked of them lately.
import type { UpstreamState } from "../../upstream/group.ts";
import type { Sample } from "../history.ts";
import type { Snapshot } from "../snapshot.ts";
import { MINUTES, shareBar } from "./chart.ts";
import { count, duration, html, type Markup, NUMBER, share, table, type Value } from "./markup.ts";
import { added, quantile, since } from "./span.ts";

export function upstreams({ groups }: Snapshot, first: Sample): Markup {
  const before = new Map(
    first.groups.flatMap(({ suffixes, upstreams: servers }) =>
      servers.map((server) => [`${suffixes} ${server.text}`, server] as const),
    ),
  );
  const rows = groups.flatMap((group) => {
    const grown = group.upstreams.map((server) => lately(server, before.get(`${group.suffixes} ${server.text}`)));
    const all = grown.reduce((total, { requests }) => total + requests, 0);
    return group.upstreams.map((server, i) => upstreamRow(server, group.suffixes, grown[i] as Lately, all));
  });
  const columns = [
    { title: "Server" },
    { title: "For" },
    { title: "State" },
    { title: "Share", isNumber: NUMBER },
    { title: "Queries", isNumber: NUMBER },
    { title: "No reply", isNumber: NUMBER },
    { title: "Errors", isNumber: NUMBER },
    { title: "Usual time", isNumber: NUMBER },
    { title: "99 % within", isNumber: NUMBER },
    { title: "Habits" },
  ];
  return html`<section><h2>DNS servers, in the last ${MINUTES} minutes</h2>${rows.length === 0 ? html`<p>None is known.</p>` : table("DNS servers", columns, rows)}</section>`;
}

interface Lately {
  readonly requests: number;
  readonly timeouts: number;
  readonly errors: number;
  readonly within: number | undefined;
}

function lately(server: UpstreamState, before: UpstreamState | undefined): Lately {
  const total = (of: (way: UpstreamState["ways"][number]) => number) => {
    const at = (state: UpstreamState | undefined) => (state?.ways ?? []).reduce((all, way) => all + of(way), 0);
    return Math.max(0, at(server) - at(before));
  };
  const replies = (state: UpstreamState | undefined) => added((state?.ways ?? []).flatMap((way) => way.replies));
  return {
    requests: total(({ requests }) => requests),
    timeouts: total(({ timeouts }) => timeouts),
    errors: total(({ errors }) => errors),
    within: quantile(since(replies(server), replies(before)), 0.99),
  };
}

function upstreamRow(
  server: UpstreamState,
  suffixes: readonly string[],
  { requests, timeouts, errors, within }: Lately,
  all: number,
): Value[] {
  const state = !server.isUp
    ? ["down", "does not answer"]
    : server.isAside
      ? ["aside", "set aside"]
      : ["up", "answers"];
  return [
    html`<code>${server.text}</code>`,
    suffixes[0] === "." ? "all names" : suffixes.join(", "),
    html`<span class="${state[0]}">${state[1]}</span>`,
    html`${share(requests, all)}${shareBar(all > 0 ? requests / all : 0)}`,
    count(requests),
    count(timeouts),
    count(errors),
    duration(server.smoothedRttSeconds),
    within === undefined ? "–" : Number.isFinite(within) ? duration(within) : "over 8 s",
    server.habits.join(", ") || "–",
  ];
}
