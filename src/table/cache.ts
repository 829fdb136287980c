// The cache: what is known of a question, and until when. The table in Wasm holds what fits a slot. Beside it are the few
// longer records (some thirty addresses of IPv6 and more), and what has given way to others in the table. A question is in one
// of the three.
//
// A set of the table is full with eight entries, and its seeds can be read by all: whoever wants a name to give way chooses
// names that fall into its set. Kept beside it costs its users a trip over the socket, and not a question to upstreams, until
// more names than are kept have given way between two of its lookups.
//
// The map of this folder: all that knows the Wasm module, or the published file. The module is loaded by wasm.ts; record.ts
// reads what it writes, message.ts the replies of DNS servers. Beside the table: evicted.ts; out of it: flush.ts. The file is
// publisher.ts's, which has it read, written and replaced by tablefile.ts and making.ts. Whether times still count is
// standstill.ts's.

import {
  EPOCH_BYTES,
  HEADER_BYTES,
  HEADER_EPOCH,
  OUTCOME_DATA,
  OUTCOME_NO_DATA,
  OUTCOME_NO_NAME,
  RECORD_BYTES_MAX,
  RECORD_EXPIRES_AT_MS,
  RECORD_HEADER_BYTES,
  RECORD_LENGTH,
  RECORD_NONCE,
  RECORD_OUTCOME,
  SET_BYTES,
  SLOT_BYTES,
  TAG_LINE_BYTES,
  WAYS,
} from "../../assembly/layout.ts";
import { createEvicted } from "./evicted.ts";
import { flushTable } from "./flush.ts";
import {
  copyRecord,
  expiresAtMsOf,
  madeAtMsOf,
  namesOf,
  outcomeOf,
  refreshAtMsOf,
  setFlags,
  ttlOf,
  typeOf,
} from "./record.ts";
import type { TtlLimits, Wasm } from "./wasm.ts";

export interface Question {
  /** Lower-case text, no trailing dot: what normalName gives. */
  readonly name: string;
  readonly type: number;
}

/** What is known of an entry. */
export interface Held {
  /** Since it was last written. */
  readonly hits: number;
  readonly refreshAtMs: number;
  readonly isDenial: boolean;
  /** As long as nothing else has been asked of the cache. */
  question(): Question;
}

export interface Hit {
  /** A copy, sealed. */
  readonly record: Uint8Array;
  /** Since it was last written, with this one. */
  readonly hits: number;
}

export interface CacheStats {
  readonly entries: number; // in the table, expired ones too
  readonly denials: number; // among them
  readonly longEntries: number;
  readonly longDenials: number;
  readonly longBytes: number;
  readonly evicted: number; // fresh records that gave way to others
  readonly evictedEntries: number; // kept beside the table
  readonly evictedDenials: number;
}

export interface Holding {
  readonly place: "table" | "long" | "evicted";
  /** In the table. */
  readonly slot: number | undefined;
  /** A copy. */
  readonly record: Uint8Array;
  /** Since it was last written; counted in the table alone. */
  readonly hits: number | undefined;
}

/** Entries that went. */
export interface Flushed {
  readonly table: number;
  readonly beside: number;
}

export interface Cache {
  /** A fresh entry; counts a hit. */
  find(question: Question, nowMs: number): Hit | undefined;
  /** Adds hits of readers of the published table; undefined where the slot holds another record by now. */
  use(slot: number, nonceLow: number, hits: number): Held | undefined;
  /** Whether these bytes are the epoch in the table's header. */
  isEpoch(epoch: Uint8Array): boolean;
  /**
   * Settles and seals the record, stores it if it may be kept, and returns it to be given out. `usualMs` is what the
   * upstreams usually take; limits that are given stand in the place of the table's.
   */
  keep(record: Uint8Array, nowMs: number, usualMs: number, limits?: Partial<TtlLimits>): Uint8Array;
  /** Settles and seals a record that nobody is to keep; what is known of its question stays. */
  pass(record: Uint8Array, nowMs: number): Uint8Array;
  /** When the record came that is held for it, fresh or not. */
  answeredAtMs(question: Question): number | undefined;
  /** Whether there is data for it that is fresh, or expired no more than so long ago. */
  mayServeStale(question: Question, nowMs: number, staleSeconds: number): boolean;
  /** For how long there still is a fresh record for it; 0 where there is none. */
  lifeMs(question: Question, nowMs: number): number;
  /**
   * That data, sealed, to be given out for STALE_FOR_MS from now, or longer where they are fresh for longer. Over and over,
   * it is never more than `staleSeconds` past the end that their ttl gave them. No denial is given out stale.
   */
  serveStale(question: Question, nowMs: number, staleSeconds: number): Uint8Array | undefined;
  /** A sealed record without data: OUTCOME_TEMPORARY, OUTCOME_UNFIT; with RECORD_FLAG_* bits. */
  bare(question: Question, outcome: number, nowMs: number, flags?: number): Uint8Array;
  /** What is held for it, fresh or not; counts no hit. */
  hold(question: Question): Holding | undefined;
  /** Forgets the records that are meant; those that come meanwhile may stay. */
  flush(isMeant: (record: Uint8Array) => boolean): Promise<Flushed>;
  /** Forgets the records beside the table; the table itself is the publisher's to empty. */
  forgetLong(): void;
  stats(): CacheStats;
}

const KEPT_FOR_NOTHING = { minTtlSeconds: 0, maxTtlSeconds: 0, maxNegativeTtlSeconds: 0 };
export const LONG_ENTRIES_MAX = 1024;
const LONG_BYTES_MAX = 8 * 1024 * 1024;
export const EVICTED_MAX = 16_384; // 8 MiB

/** @param publish is told of the slot of the table that has changed; 0 where none has */
export function createCache(wasm: Wasm, publish: (slotOffset: number) => void): Cache {
  const long = longRecords();
  const evicted = createEvicted(EVICTED_MAX);

  function ask(question: Question): void {
    const bytes = wasm.question.write(question.name, 1, "latin1");
    wasm.question[0] = bytes;
  }

  /** Copies its record to wasm.record, fresh or not: from this slot, or from beside the table where that is 0. */
  function bring(question: Question): number | undefined {
    ask(question);
    const slot = wasm.peek(question.type);
    if (slot !== 0) return slot;
    const record = long.peek(question) ?? evicted.peek(question);
    if (record === undefined) return undefined;
    wasm.record.set(record);
    return 0;
  }

  /** Puts wasm.record into the table, and beside it what gives way to it there, unless that is over for good. */
  function insert(question: Question, nowMs: number): number {
    const slot = wasm.insert(nowMs);
    publish(slot);
    long.remove(question);
    evicted.remove(question);
    const hits = wasm.evictedHits();
    if (hits !== undefined) keepEvicted(wasm.evicted, hits, nowMs);
    return slot;
  }

  function keepEvicted(record: Buffer, hits: number, nowMs: number): void {
    const isFresh = Number(record.readBigUInt64LE(RECORD_EXPIRES_AT_MS)) > nowMs;
    if (isFresh || record[RECORD_OUTCOME] === OUTCOME_DATA) evicted.insert(record, hits);
  }

  /** One that gave way, and is asked for all the same. */
  function takeBack(question: Question, nowMs: number): Hit | undefined {
    const hit = evicted.take(question, nowMs);
    if (hit === undefined) return undefined;
    wasm.record.set(hit.record);
    const slot = insert(question, nowMs);
    wasm.use(slot, wasm.image.readUInt16LE(slot + RECORD_NONCE), hit.hits);
    return hit;
  }

  return {
    find(question, nowMs) {
      ask(question);
      const slot = wasm.find(question.type, nowMs);
      if (slot === 0) return long.find(question, nowMs) ?? takeBack(question, nowMs);
      return { record: copyRecord(wasm.record), hits: wasm.hitsOf(slot) };
    },

    use(slot, nonceLow, hits) {
      if (slot >= wasm.setCount * WAYS) return undefined;
      const at = slotOffset(slot);
      if (!wasm.use(at, nonceLow, hits)) return undefined;
      wasm.open(at);
      return {
        hits: wasm.hitsOf(at),
        refreshAtMs: refreshAtMsOf(wasm.record),
        isDenial: isDenial(wasm.record),
        question() {
          wasm.open(at);
          return questionOf(wasm.record);
        },
      };
    },

    isEpoch: (epoch) => wasm.image.compare(epoch, 0, epoch.length, HEADER_EPOCH, HEADER_EPOCH + EPOCH_BYTES) === 0,

    keep(record, nowMs, usualMs, limits) {
      wasm.record.set(wholeRecord(record));
      wasm.settle(nowMs, usualMs, limits);
      const outcome = outcomeOf(record);
      const mayKeep = outcome === OUTCOME_DATA || outcome === OUTCOME_NO_DATA || outcome === OUTCOME_NO_NAME;
      const isKept = mayKeep && ttlOf(wasm.record) > 0;
      const question = questionOf(record);
      if (isKept && record.length <= SLOT_BYTES) {
        insert(question, nowMs);
        return copyRecord(wasm.record);
      }
      wasm.seal();
      const sealed = copyRecord(wasm.record);
      if (mayKeep) {
        ask(question);
        publish(wasm.remove(question.type)); // also where nothing takes its place: it is known to be over
        long.remove(question);
        evicted.remove(question);
      }
      if (isKept) long.insert(question, sealed.slice());
      return sealed;
    },

    pass(record, nowMs) {
      wasm.record.set(wholeRecord(record));
      wasm.settle(nowMs, 0, KEPT_FOR_NOTHING);
      wasm.seal();
      return copyRecord(wasm.record);
    },

    answeredAtMs: (question) => (bring(question) === undefined ? undefined : madeAtMsOf(wasm.record)),

    mayServeStale(question, nowMs, staleSeconds) {
      return bring(question) !== undefined && wasm.isInReach(nowMs, staleSeconds) !== 0;
    },

    lifeMs(question, nowMs) {
      return bring(question) === undefined ? 0 : Math.max(0, expiresAtMsOf(wasm.record) - nowMs);
    },

    serveStale(question, nowMs, staleSeconds) {
      const slot = bring(question);
      if (slot === undefined || !wasm.isInReach(nowMs, staleSeconds)) return undefined;
      if (!wasm.extend(nowMs, staleSeconds)) return copyRecord(wasm.record);
      if (slot === 0) {
        wasm.seal();
        long.rewrite(question, copyRecord(wasm.record));
        evicted.rewrite(question, copyRecord(wasm.record));
      } else {
        wasm.rewrite(slot);
        publish(slot);
      }
      return copyRecord(wasm.record);
    },

    bare(question, outcome, nowMs, flags = 0) {
      ask(question);
      wasm.makeBare(question.type, outcome);
      setFlags(wasm.record, flags);
      wasm.settle(nowMs, 0);
      wasm.seal();
      return copyRecord(wasm.record);
    },

    hold(question) {
      const slot = bring(question);
      if (slot === undefined) return undefined;
      const record = copyRecord(wasm.record);
      if (slot !== 0) return { place: "table", slot: slotNumber(slot), record, hits: wasm.hitsOf(slot) };
      return { place: long.peek(question) ? "long" : "evicted", slot: undefined, record, hits: undefined };
    },

    async flush(isMeant) {
      const beside = long.removeMeant(isMeant) + evicted.removeMeant(isMeant);
      const table = await flushTable(wasm, isMeant, (name, type) => {
        ask({ name, type });
        publish(wasm.remove(type));
      });
      return { table, beside };
    },

    forgetLong() {
      long.clear();
      evicted.clear();
    },

    stats: () => ({
      entries: wasm.usedCount(),
      denials: wasm.denialCount(),
      longEntries: long.count(),
      longDenials: long.count(isDenial),
      longBytes: long.bytes(),
      evicted: wasm.evictedCount(),
      evictedEntries: evicted.count(),
      evictedDenials: evicted.count(isDenial),
    }),
  };
}

function questionOf(record: Uint8Array): Question {
  return { name: namesOf(record)[0] as string, type: typeOf(record) };
}

function slotOffset(slot: number): number {
  return HEADER_BYTES + Math.floor(slot / WAYS) * SET_BYTES + TAG_LINE_BYTES + (slot % WAYS) * SLOT_BYTES;
}

function slotNumber(offset: number): number {
  const inSets = offset - HEADER_BYTES;
  return Math.floor(inSets / SET_BYTES) * WAYS + ((inSets % SET_BYTES) - TAG_LINE_BYTES) / SLOT_BYTES;
}

function isDenial(record: Uint8Array): boolean {
  return outcomeOf(record) !== OUTCOME_DATA;
}

function wholeRecord(record: Uint8Array): Uint8Array {
  const length = (record[RECORD_LENGTH] as number) | ((record[RECORD_LENGTH + 1] as number) << 8);
  if (record.length !== length || length < RECORD_HEADER_BYTES || length > RECORD_BYTES_MAX)
    throw new RangeError("not a whole record");
  return record;
}

/** In order of insertion: where there is no room, the oldest go. */
function longRecords() {
  const records = new Map<string, { record: Uint8Array; hits: number }>();
  let bytes = 0;
  const key = (question: Question) => `${question.type} ${question.name}`;

  function removeKey(name: string): void {
    bytes -= records.get(name)?.record.length ?? 0;
    records.delete(name);
  }

  return {
    find(question: Question, nowMs: number): Hit | undefined {
      const entry = records.size > 0 ? records.get(key(question)) : undefined;
      if (entry === undefined || expiresAtMsOf(entry.record) <= nowMs) return undefined;
      return { record: entry.record.slice(), hits: ++entry.hits };
    },
    peek: (question: Question): Uint8Array | undefined => records.get(key(question))?.record,
    /** By one of the same length; its hits and its age stay. */
    rewrite(question: Question, record: Uint8Array): void {
      const entry = records.get(key(question));
      if (entry !== undefined) entry.record = record;
    },
    insert(question: Question, record: Uint8Array): void {
      removeKey(key(question));
      records.set(key(question), { record, hits: 0 });
      bytes += record.length;
      for (const oldest of records.keys()) {
        if (records.size <= LONG_ENTRIES_MAX && bytes <= LONG_BYTES_MAX) break;
        removeKey(oldest);
      }
    },
    remove(question: Question): void {
      if (records.size > 0) removeKey(key(question));
    },
    clear(): void {
      records.clear();
      bytes = 0;
    },
    removeMeant(isMeant: (record: Uint8Array) => boolean): number {
      const meant = [...records].filter(([, { record }]) => isMeant(record));
      for (const [name] of meant) removeKey(name);
      return meant.length;
    },
    count(isMeant: (record: Uint8Array) => boolean = () => true): number {
      return [...records.values()].filter(({ record }) => isMeant(record)).length;
    },
    bytes: () => bytes,
  };
}
