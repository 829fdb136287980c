// Whether all is fine, and what to do where it is not, in words.

import type { Sample } from "../history.ts";
import type { Snapshot } from "../snapshot.ts";
import { lookupsIn, spanOf, sum } from "./span.ts";

export interface Problem {
  /** "bad": names are not answered as they should be, or nothing is cached. */
  readonly weight: "bad" | "odd";
  readonly what: string;
  readonly advice: string;
}

const BEAT_SECONDS_MAX = 2; // clients give a server up by then
const FAILED_SHARE_ODD = 0.01;
const FAILED_SHARE_BAD = 0.03;
const LOOKUPS_MIN = 100; // less than that tell no share
const EVICTED_SHARE = 0.05;
const FULL_SHARE = 0.95;
const REJECTED_MIN = 100;

export function problemsOf(now: Snapshot, history: readonly Sample[]): Problem[] {
  return [...reaching(now), ...publishing(now), ...upstreams(now), ...answering(now, history)];
}

function* reaching({ isListening, socketPath, directory }: Snapshot): Generator<Problem> {
  if (!isListening) {
    yield bad(`Nobody listens on ${socketPath}: programs ask their libc.`, "Start the server anew.");
  }
  if (!directory.isLibraryInstalled) {
    yield bad(
      `${directory.libraryPath} is missing or of another build: no program can load it.`,
      "Start the server anew; where DNS_CACHE_LIBRARY is set, install it: namewell install FOLDER",
    );
  }
  if (directory.isLibraryNoexec) {
    yield bad(
      `${directory.libraryPath} lies on a volume mounted noexec: programs cannot load it from there.`,
      "Mount it without noexec, or install client.so elsewhere and set the server's DNS_CACHE_LIBRARY.",
    );
  }
  if (!directory.hasRoomForSecondTable) {
    yield odd(
      `${directory.path} has no room for a second table: hits go over the socket while one is made anew.`,
      "Make the volume larger, or DNS_CACHE_ENTRIES less.",
    );
  }
  if (directory.isWritableByOthers) {
    yield odd(
      `Others than the owner may write in ${directory.path}: they own everybody's DNS.`,
      `chmod go-w ${directory.path}`,
    );
  }
}

function* publishing({ table, directory }: Snapshot): Generator<Problem> {
  const { state, reason, heartbeatAgeSeconds: age } = table;
  if (state === "none" || state === "header") {
    yield bad(
      `The table is not published, and hits go over the socket${reason === undefined ? "." : `: ${reason}`}`,
      `See that ${directory.path} has room for two tables and may be written; it is tried again by itself.`,
    );
  }
  if (state !== "none" && age !== undefined && age > BEAT_SECONDS_MAX) {
    yield bad("The heartbeat is old: programs take this server for dead.", "The machine may be too busy, or stopped.");
  }
}

function* upstreams({ groups }: Snapshot): Generator<Problem> {
  for (const { suffixes, upstreams: servers } of groups) {
    const down = servers.filter(({ isUp }) => !isUp).map(({ text }) => text);
    const names = suffixes[0] === "." ? "" : ` for ${suffixes.join(", ")}`;
    if (servers.length === 0) {
      yield odd(`No DNS server is known${names}: lookups are left to libc.`, "Set DNS_CACHE_UPSTREAMS.");
    } else if (down.length === servers.length) {
      yield bad(
        `No DNS server answers${names}: ${down.join(", ")}. Names seen before go on for a while.`,
        "See whether they can be reached from here: namewell doctor",
      );
    } else if (down.length > 0) {
      yield odd(`A DNS server does not answer${names}: ${down.join(", ")}. Others are asked.`, "namewell doctor");
    }
  }
}

function* answering(now: Snapshot, history: readonly Sample[]): Generator<Problem> {
  const [first] = history;
  if (first === undefined) return;
  const span = spanOf(first, now);
  const lookups = lookupsIn(span);
  const failedShare = span.failures / lookups;
  if (lookups >= LOOKUPS_MIN && failedShare >= FAILED_SHARE_ODD) {
    const weight = failedShare >= FAILED_SHARE_BAD ? "bad" : "odd";
    yield {
      weight,
      what: `${(100 * failedShare).toFixed(1)} % of the lookups failed or were left to libc.`,
      advice: "What failed, below, says how; with names shown, which.",
    };
  }
  const evicted = now.counts.evictions - first.counts.evictions;
  const { success, denial, capacity } = now.table.places.table;
  if (evicted > EVICTED_SHARE * span.misses && success + denial > FULL_SHARE * capacity) {
    yield odd("The table is full: names in use give way to others.", "Double DNS_CACHE_ENTRIES.");
  }
  const rejected = sum(now.counts.repliesRejected) - sum(first.counts.repliesRejected);
  if (rejected >= REJECTED_MIN) {
    yield odd(
      `${rejected} replies were rejected: somebody may be trying to forge answers.`,
      "See which kind, below. They were not believed.",
    );
  }
}

function bad(what: string, advice: string): Problem {
  return { weight: "bad", what, advice };
}

function odd(what: string, advice: string): Problem {
  return { weight: "odd", what, advice };
}
