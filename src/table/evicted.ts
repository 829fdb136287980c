// Records that have given way to others in the table, beside it. A ring, since they come in thousands a second where the table
// is full: the next one takes the place of the oldest.
import { RECORD_EXPIRES_AT_MS, RECORD_LENGTH, RECORD_NAMES, RECORD_TYPE, SLOT_BYTES } from "../../assembly/layout.ts";
import type { Hit, Question } from "./cache.ts";
import { copyRecord } from "./record.ts";

export interface Evicted {
  /** Copies it. */
  insert(record: Buffer, hits: number): void;
  /** A fresh one, with its hits and this one; it is not here any more. */
  take(question: Question, nowMs: number): Hit | undefined;
  /** A copy. */
  peek(question: Question): Uint8Array | undefined;
  /** By one of the same length, where there is one. */
  rewrite(question: Question, record: Uint8Array): void;
  remove(question: Question): void;
  /** Gives how many went. */
  removeMeant(isMeant: (record: Uint8Array) => boolean): number;
  clear(): void;
  /** Of those that are meant. */
  count(isMeant?: (record: Uint8Array) => boolean): number;
}

export function createEvicted(entriesMax: number): Evicted {
  const places = new Map<string, number>();
  const keys: string[] = []; // by place, also of those that are not there any more
  const hitsAt = new Uint32Array(entriesMax);
  let slab: Buffer | undefined; // not before it is needed
  let next = 0;

  function recordAt(place: number): Buffer {
    slab ??= Buffer.alloc(entriesMax * SLOT_BYTES);
    return slab.subarray(place * SLOT_BYTES, (place + 1) * SLOT_BYTES);
  }

  function find(question: Question): number | undefined {
    return places.size > 0 ? places.get(keyOf(question.name, question.type)) : undefined;
  }

  function remove(question: Question): void {
    if (places.size > 0) places.delete(keyOf(question.name, question.type));
  }

  return {
    insert(record, hits) {
      const nameAt = RECORD_NAMES + 1;
      const name = record.toString("latin1", nameAt, nameAt + (record[RECORD_NAMES] as number));
      const key = keyOf(name, record.readUInt16LE(RECORD_TYPE));
      const last = keys[next];
      if (last !== undefined && places.get(last) === next) places.delete(last);
      slab ??= Buffer.alloc(entriesMax * SLOT_BYTES);
      record.copy(slab, next * SLOT_BYTES, 0, record.readUInt16LE(RECORD_LENGTH));
      keys[next] = key;
      hitsAt[next] = hits;
      places.set(key, next);
      next = (next + 1) % entriesMax;
    },
    take(question, nowMs) {
      const place = find(question);
      if (place === undefined) return undefined;
      const record = recordAt(place);
      if (Number(record.readBigUInt64LE(RECORD_EXPIRES_AT_MS)) <= nowMs) return undefined;
      remove(question);
      return { record: copyRecord(record), hits: (hitsAt[place] as number) + 1 };
    },
    peek(question) {
      const place = find(question);
      return place === undefined ? undefined : copyRecord(recordAt(place));
    },
    rewrite(question, record) {
      const place = find(question);
      if (place !== undefined) recordAt(place).set(record);
    },
    remove,
    clear() {
      places.clear();
    },
    removeMeant(isMeant) {
      const meant = [...places].filter(([, place]) => isMeant(recordAt(place)));
      for (const [key] of meant) places.delete(key);
      return meant.length;
    },
    count(isMeant) {
      if (isMeant === undefined) return places.size;
      return [...places.values()].filter((place) => isMeant(recordAt(place))).length;
    },
  };
}

function keyOf(name: string, type: number): string {
  return `${type} ${name}`;
}
