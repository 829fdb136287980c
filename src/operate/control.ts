// What the server is asked about itself, and told to do, by people: answered in the main thread, and never by it alone, since
// who asks may ask often (worker.ts sees to that).
//
// The map of this folder. What is told is plain data (snapshot.ts), which counts.ts and explain.ts make; identities.ts says what
// is always true of it, loop.ts how late the event loop is. The HTTP side is a thread of its own: side.ts starts it and
// sidemessages.ts and sidestate.ts are what the two tell each other; worker.ts is its start list: what it asks of here
// (asker.ts), its doors (doors.ts, http.ts, connections.ts), what it answers (routes.ts, bodies.ts): metrics (metrics.ts in the
// words of metric.ts and upstreamsums.ts, written by exposition.ts) and the page (page/, with the last minutes of history.ts).
import { LAYOUT_VERSION, OUTCOME_DATA } from "../../assembly/layout.ts";
import { realMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import { LOG_LEVELS, type Log, type LogLevel } from "../log.ts";
import { normalName } from "../name.ts";
import type { DirectoryCondition } from "../place/condition.ts";
import type { Names } from "../resolve/names.ts";
import type { Resolver } from "../resolve/resolver.ts";
import type { Views } from "../resolve/views.ts";
import { type Cache, EVICTED_MAX, LONG_ENTRIES_MAX } from "../table/cache.ts";
import type { Publisher } from "../table/publisher.ts";
import { namesOf, outcomeOf } from "../table/record.ts";
import { typeNamed } from "../type.ts";
import { countsOf } from "./counts.ts";
import { explain } from "./explain.ts";
import {
  type Answered,
  type Answers,
  type Asking,
  type Flush,
  type FlushReport,
  type LookupReport,
  SNAPSHOT_SCHEMA,
  type Snapshot,
} from "./snapshot.ts";

export interface Control {
  /** Bad input is an error of one line. Never rejects. */
  answer<What extends keyof Answers>(asking: Extract<Asking, { ask: What }>): Promise<Answered<What>>;
}

export interface ControlOptions {
  readonly version: string;
  readonly entries: number;
  readonly socketPath: string;
  readonly connectionsLimit: number;
  readonly questionsLimit: number;
  readonly isListening: () => boolean;
  readonly connections: () => number;
  readonly directory: () => DirectoryCondition;
  readonly cache: Cache;
  readonly publisher: Pick<Publisher, "state">;
  readonly resolver: Resolver;
  readonly views: Views;
  readonly names: Names;
  readonly counters: Counters;
  readonly log: Log;
}

const TYPES_MAX = 3; // or one who reads costs the main thread as much as he likes

export function createControl(options: ControlOptions): Control {
  const { cache, publisher, resolver, views, names, counters, log } = options;
  const startedAtMs = realMs();

  return {
    async answer(asking) {
      const given = answerTo(asking);
      return (await given) as Answered<typeof asking.ask>;
    },
  };

  function answerTo(asking: Asking): unknown {
    switch (asking.ask) {
      case "snapshot":
        return snapshot();
      case "names":
        return names.report();
      case "lookup":
        return lookUp(asking.name, asking.types, asking.mayAsk);
      case "flush":
        return flush(asking.flush);
      case "logLevel":
        return setLevel(asking.level);
    }
  }

  function snapshot(): Snapshot {
    const stats = cache.stats();
    const place = (entries: number, denial: number, capacity: number) => ({
      success: entries - denial,
      denial,
      capacity,
    });
    return {
      schema: SNAPSHOT_SCHEMA,
      atMs: realMs(),
      startedAtMs,
      version: options.version,
      node: process.versions.node,
      arch: process.arch,
      layout: LAYOUT_VERSION,
      pid: process.pid,
      logLevel: log.level(),
      isListening: options.isListening(),
      socketPath: options.socketPath,
      counts: countsOf(counters, stats.evicted),
      connections: options.connections(),
      connectionsLimit: options.connectionsLimit,
      questionsInFlight: resolver.inFlight(),
      questionsLimit: options.questionsLimit,
      groups: views.groups(),
      table: {
        ...publisher.state(),
        places: {
          table: place(stats.entries, stats.denials, options.entries),
          long: place(stats.longEntries, stats.longDenials, LONG_ENTRIES_MAX),
          evicted: place(stats.evictedEntries, stats.evictedDenials, EVICTED_MAX),
        },
      },
      directory: options.directory(),
      events: log.events(),
    };
  }

  async function lookUp(
    text: string,
    typeTexts: readonly string[],
    mayAsk: boolean,
  ): Promise<{ reports: LookupReport[] } | { error: string }> {
    const name = normalName(text);
    if (name === undefined) return { error: `${JSON.stringify(text)} is not a name` };
    const types = [...new Set(typeTexts)].slice(0, TYPES_MAX + 1).map((each) => typeNamed(each.toUpperCase()));
    if (types.length === 0 || types.length > TYPES_MAX || types.includes(undefined)) {
      return { error: "a type is A, AAAA or PTR, each once" };
    }
    const reports = types.map((type) => explain({ cache, resolver, views }, { name, type: type as number }, mayAsk));
    return { reports: await Promise.all(reports) };
  }

  async function flush(what: Flush): Promise<FlushReport | { error: string }> {
    const meaning = meaningOf(what);
    if ("error" in meaning) return meaning;
    // First: what is under way was asked before, and must not come back.
    const forgotten = resolver.forget(meaning.isName);
    const flushed = await cache.flush(meaning.isRecord);
    const report = { ...flushed, ...forgotten };
    log.flushed(meaning.text, report.table + report.beside);
    return report;
  }

  function setLevel(level: string | undefined): { level: LogLevel } | { error: string } {
    if (level === undefined) return { level: log.level() };
    const known = LOG_LEVELS.find((each) => each === level);
    if (known === undefined) return { error: `a log level is ${LOG_LEVELS.join(", ")}` };
    log.setLevel(known);
    return { level: known };
  }
}

interface Meaning {
  readonly text: string;
  /** Of questions. */
  readonly isName: (name: string) => boolean;
  readonly isRecord: (record: Uint8Array) => boolean;
}

/** A record is meant where its question is, or an alias on the way to its data. */
function meaningOf(flush: Flush): Meaning | { error: string } {
  if (flush.what === "all") return { text: "all", isName: () => true, isRecord: () => true };
  if (flush.what === "negative") {
    return { text: "negative", isName: () => true, isRecord: (record) => outcomeOf(record) !== OUTCOME_DATA };
  }
  const text = flush.what === "name" ? flush.name : flush.suffix;
  if (flush.what === "suffix" && text === ".") return meaningOf({ what: "all" });
  const given = normalName(text);
  if (given === undefined) return { error: `${JSON.stringify(text)} is not a name` };
  const isName =
    flush.what === "name"
      ? (name: string) => name === given
      : (name: string) => name === given || name.endsWith(`.${given}`);
  return { text: `${flush.what} ${given}`, isName, isRecord: (record) => namesOf(record).some(isName) };
}
