// `namewell status`: whether all is well, and the server's numbers.

import { visible } from "../logline.ts";
import type { Problem } from "../operate/page/state.ts";
import type { Snapshot } from "../operate/snapshot.ts";
import { ask } from "./ask.ts";
import type { Session } from "./session.ts";
import { bytes, columns, count, type Paint, share, span } from "./terminal.ts";

/** With what the last 15 minutes show. */
type Status = Snapshot & { readonly problems: readonly Problem[] };

const EVENTS_SHOWN = 5;
const LEVEL_STYLES = { info: "dim", warn: "yellow", fatal: "red" } as const;

export async function status(session: Session): Promise<void> {
  const { value: snapshot, http } = await ask<Status>(session.doors, { method: "GET", path: "/status" });
  session.give(snapshot, () => statusLines(snapshot, session.paint));
  if (http !== undefined)
    session.remark(`(asked over ${http}; the directory of that server is ${visible(snapshot.directory.path)})`);
}

export function statusLines(snapshot: Status, paint: Paint): string[] {
  const { version, pid, node, arch, startedAtMs, atMs, logLevel } = snapshot;
  const { problems } = snapshot;
  const isBad = problems.some(({ weight }) => weight === "bad");
  const verdict = isBad
    ? paint("red", "something is wrong")
    : problems.length > 0
      ? paint("yellow", "serving, with something to look at")
      : paint("green", "all is well");
  const about = `pid ${pid}, Node ${visible(node)} on ${visible(arch)}, log level ${visible(logLevel)}`;
  return [
    `${paint("bold", `Namewell ${visible(version)}`)}, up for ${span((atMs - startedAtMs) / 1000)}: ${verdict}`,
    paint("dim", `  ${about}`),
    ...problems.map(
      ({ weight, what, advice }) =>
        `  ${paint(weight === "bad" ? "red" : "yellow", "!")} ${visible(what)} ${visible(advice)}`,
    ),
    "",
    ...columns(numbersOf(snapshot)).map((line) => `  ${line}`),
    ...eventLines(snapshot, paint),
  ];
}

function numbersOf(snapshot: Snapshot): string[][] {
  const { counts, table, connections, connectionsLimit, questionsInFlight, groups, directory, socketPath } = snapshot;
  const hits = sum(counts.lookups.hits);
  const misses = sum(counts.lookups.misses);
  const { table: published, socket } = counts.hits;
  const { success, denial, capacity } = table.places.table;
  const servers = groups.flatMap(({ upstreams }) => upstreams);
  const up = servers.filter(({ isUp }) => isUp).length;
  return [
    [
      "lookups",
      hits + misses === 0 ? "none yet" : `${count(hits + misses)}, ${share(hits, hits + misses)} from the cache`,
    ],
    ["  hits", `${count(sum(published))} in the table, ${count(sum(socket))} over the socket`],
    ...(misses > 0 && sum(published) === 0 && table.state === "published"
      ? [["", "of hits in the table programs tell late; those that end within a second of their first one, never"]]
      : []),
    ["  misses", `${listed(counts.misses)}`],
    ["  outcomes", `${listed(counts.outcomes)}`],
    [
      "table",
      `${stateText(table)}, ${count(success + denial)} of ${count(capacity)} entries (${count(denial)} of them denials), ${bytes(table.bytes)}`,
    ],
    [
      "servers",
      `${up} of ${servers.length} up${
        servers.length === up
          ? ""
          : `: ${servers
              .filter(({ isUp }) => !isUp)
              .map(({ text }) => visible(text))
              .join(", ")} not`
      }`,
    ],
    [
      "socket",
      `${visible(socketPath)}, ${count(connections)} of ${count(connectionsLimit)} connections, ${count(questionsInFlight)} questions under way`,
    ],
    [
      "client.so",
      `${visible(directory.libraryPath)} ${directory.isLibraryInstalled ? "is there" : "is missing"} (${visible(directory.libraryArch)})`,
    ],
  ];
}

function stateText({ state, heartbeatAgeSeconds: age }: Snapshot["table"]): string {
  const beat = age === undefined ? "" : `, heartbeat ${span(age)} ago`;
  return `${state === "published" || state === "off" ? state : `not published (${visible(state)})`}${beat}`;
}

/** Only what there is of it. */
function listed(counts: Readonly<Record<string, number>>): string {
  const some = Object.entries(counts).filter(([, value]) => value > 0);
  return some.length === 0
    ? "none"
    : some.map(([name, value]) => `${count(value)} ${name.replaceAll("_", " ")}`).join(", ");
}

function eventLines({ events }: Snapshot, paint: Paint): string[] {
  const latest = events.slice(-EVENTS_SHOWN);
  if (latest.length === 0) return [];
  const lines = latest.map(({ atMs, level, text }) => {
    const time = new Date(atMs).toISOString().slice(0, 19).replace("T", " ");
    return `  ${time}Z  ${paint(LEVEL_STYLES[level] ?? "dim", visible(level).padEnd(5))}  ${visible(text)}`;
  });
  return ["", paint("bold", "Last events"), ...lines];
}

function sum(counts: object): number {
  return Object.values(counts).reduce((all: number, value: number) => all + value, 0);
}
