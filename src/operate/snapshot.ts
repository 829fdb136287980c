// What the server tells of itself, as plain data: the main thread gives it to the worker thread (a structured clone), which
// makes metrics, the status page and JSON of it. Counts only grow, from 0 at the server's start.
import type { Durations } from "../durations.ts";
import type { Event, LogLevel } from "../log.ts";
import type { DirectoryCondition } from "../place/condition.ts";
import type { NamesReport } from "../resolve/names.ts";
import type { Origin } from "../resolve/origins.ts";
import type { ViewedGroup } from "../resolve/views.ts";
import type { TableState as PublishedState } from "../table/publisher.ts";

export const SNAPSHOT_SCHEMA = 1;

/** Of one name and type each; what is told by clients comes late, and some never. */
export interface LookupCounts {
  /** By type: A, AAAA, PTR, other. */
  readonly hits: readonly [number, number, number, number];
  readonly misses: readonly [number, number, number, number];
}
export interface HitCounts {
  readonly success: number;
  readonly denial: number;
}
export type Via = "table" | "socket" | "dns";
export type MissHow = "asked" | "joined" | "stale" | "failure_known" | "bypass" | "refused";
export type Outcome = "data" | "no_name" | "no_data" | "temporary" | "unfit";

export interface Counts {
  readonly questions: Readonly<Record<"socket" | "dns", number>>;
  readonly lookups: LookupCounts;
  readonly hits: Readonly<Record<Via, HitCounts>>;
  readonly misses: Readonly<Record<MissHow, number>>;
  /** Of each lookup that was not found in the published table, when it has been answered. */
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** Lookups that wait for their answer now. */
  readonly waiting: number;
  readonly questionDurations: Readonly<Record<"socket" | "dns", Durations>>;
  readonly evictions: number;
  readonly servedStale: number;
  /** Questions to upstreams that were left to libc, for the sake of new ones. */
  readonly givenUp: number;
  readonly prefetch: Readonly<Record<"ok" | "failed" | "refused", number>>;
  readonly answersLate: number;
  readonly repliesRejected: Readonly<Record<"foreign" | "wrong_case" | "no_cookie" | "malformed", number>>;
  readonly tableWrites: number;
  readonly tableWriteFailures: number;
  readonly connectionsDropped: Readonly<Record<"full", number>>;
  readonly framesRefused: Readonly<Record<"malformed" | "unknown", number>>;
  readonly reportsIgnored: Readonly<Record<"other_table" | "gone", number>>;
  readonly eventLoopDelays: Durations;
}

export interface PlaceCounts extends HitCounts {
  readonly capacity: number;
}
export interface TableState extends PublishedState {
  /** Entries by place: in the table, longer than a slot, beside the table since they gave way. */
  readonly places: Readonly<Record<"table" | "long" | "evicted", PlaceCounts>>;
}

export interface Snapshot {
  readonly schema: typeof SNAPSHOT_SCHEMA;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly startedAtMs: number;
  readonly version: string;
  readonly node: string;
  readonly arch: string;
  readonly layout: number;
  readonly pid: number;
  readonly logLevel: LogLevel;
  readonly isListening: boolean;
  readonly socketPath: string;
  readonly counts: Counts;
  readonly connections: number;
  readonly connectionsLimit: number;
  readonly questionsInFlight: number;
  readonly questionsLimit: number;
  readonly groups: readonly ViewedGroup[];
  readonly table: TableState;
  readonly directory: DirectoryCondition;
  /** The latest last. */
  readonly events: readonly Event[];
}

export interface LookupReport {
  readonly name: string;
  readonly type: string;
  /** The rule that the name falls under; undefined: the settings alone. */
  readonly rule: string | undefined;
  /** Those that are asked for it. */
  readonly upstreams: readonly string[];
  readonly isBypassed: boolean;
  /** Before it was asked for; undefined where nothing was known. */
  readonly held: HeldReport | undefined;
  /** Why the last attempt failed, while that is remembered. */
  readonly failure: string | undefined;
  /** Undefined where it was not asked for. */
  readonly asked: { readonly seconds: number } | undefined;
  /** Of what is held, or was asked; undefined where that is not remembered. */
  readonly origin: Origin | undefined;
  readonly outcome: Outcome | undefined;
  /** CNAME chain, canonical name last. */
  readonly aliases: readonly string[];
  /** Addresses, or the names of an address. */
  readonly data: readonly string[];
}
export interface HeldReport {
  readonly place: "table" | "long" | "evicted";
  /** In the table. */
  readonly slot: number | undefined;
  readonly outcome: Outcome;
  readonly originalTtlSeconds: number;
  /** Negative past its end. */
  readonly remainingSeconds: number;
  readonly refreshInSeconds: number;
  /** Since it was last written; undefined where nobody counts. */
  readonly hits: number | undefined;
  readonly isStale: boolean;
}

export type Flush =
  | { readonly what: "name"; readonly name: string }
  | { readonly what: "suffix"; readonly suffix: string }
  | { readonly what: "negative" }
  | { readonly what: "all" };
/** Entries that went. */
export interface FlushReport {
  readonly table: number;
  readonly beside: number;
  /** Failures that were remembered, and questions under way that nobody joins any more. */
  readonly failures: number;
  readonly underWay: number;
}

export type Asking =
  | { readonly ask: "snapshot" }
  | { readonly ask: "names" }
  | {
      readonly ask: "lookup";
      readonly name: string;
      readonly types: readonly string[];
      /** Of the servers, where it is not known. */
      readonly mayAsk: boolean;
    }
  | { readonly ask: "flush"; readonly flush: Flush }
  | { readonly ask: "logLevel"; readonly level: string | undefined };

/** What each is answered; bad input is an error of one line. */
export interface Answers {
  readonly snapshot: Snapshot;
  readonly names: NamesReport;
  readonly lookup: { readonly reports: readonly LookupReport[] };
  readonly flush: FlushReport;
  readonly logLevel: { readonly level: LogLevel };
}
export type Answered<What extends keyof Answers> = Answers[What] | { readonly error: string };
