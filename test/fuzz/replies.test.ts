// Malformed replies by the million, through the Wasm that is shipped and, for a share, the one with asserts and the
// reference parser.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { normalName } from "../../src/name.ts";
import { type MessageReader, messageReader, type Query, type Reply } from "../../src/table/message.ts";
import { addressesOf, chainCountOf, namesOf, outcomeOf, ttlOf, typeOf } from "../../src/table/record.ts";
import type { Wasm } from "../../src/table/wasm.ts";
import { referenceReply } from "../support/referenceReply.ts";
import { debugWasm, releaseWasm } from "../support/wasm.ts";
import { CORPUS } from "./repliesCorpus.ts";
import { damager } from "./repliesDamage.ts";
import { report, SEED } from "./size.ts";

const REPLIES = 1_000_000;
const COMPARED_EVERY = 25; // with the debug build and the reference
const LOOKED_EVERY = 1000; // at what no reply may change
const GROWTH_BYTES_MAX = 32 * 1024 * 1024; // of the heap and what it holds, garbage collected
const HOST = /^(?!-)[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;

/** Names of what is wrong with the record as an answer to the query, or undefined. */
function faultOf(record: Uint8Array, { question }: Query): string | undefined {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.length);
  const outcome = outcomeOf(record);
  const count = bytes.readUInt16LE(layout.RECORD_DATA_COUNT);
  const dataAt = bytes.readUInt16LE(layout.RECORD_DATA_OFFSET);
  const type = typeOf(record);
  const names = namesOf(record);
  const chain = names.slice(1);
  if (record.length % 16 !== 8 || bytes.readUInt16LE(layout.RECORD_LENGTH) !== record.length) return "length";
  if (!isZero(bytes, 0, layout.RECORD_LENGTH)) return "sealed, or a nonce";
  if (!isZero(bytes, layout.RECORD_EXPIRES_AT_MS, layout.RECORD_TTL_SECONDS)) return "settled";
  if (!isZero(bytes, layout.RECORD_STALE_MS, layout.RECORD_DATA_OFFSET)) return "stale";
  if (!isZero(bytes, layout.RECORD_FLAGS, layout.RECORD_NAMES)) return "flags";
  if (chainCountOf(record) > layout.CHAIN_MAX) return "chain";
  if (type !== question[question.length - 3]) return "type";
  if (names[0] !== textOf(question)) return "the question's name";
  if (!chain.every((name) => (type === layout.TYPE_PTR ? normalName(name) === name : HOST.test(name)))) return "names";
  const namesEnd = layout.RECORD_NAMES + names.reduce((sum, name) => sum + 1 + name.length, 0);
  if (dataAt < namesEnd || dataAt - namesEnd > 3 || dataAt > record.length) return "data offset";
  if (!isZero(bytes, namesEnd, dataAt)) return "between names and data";
  const dataBytes = { [layout.TYPE_A]: 4 * count, [layout.TYPE_AAAA]: 16 * count }[type];
  const data = type === layout.TYPE_PTR ? addressesOf(record) : [];
  if (!data.every((name) => HOST.test(name))) return "names in data";
  const end = dataAt + (dataBytes ?? data.reduce((sum, name) => sum + 1 + name.length, 0));
  if (end > record.length || record.length - end >= 16 || !isZero(bytes, end, record.length)) return "end";
  if (ttlOf(record) > 0x7fffffff) return "ttl";
  if (outcome === layout.OUTCOME_UNFIT) return chain.length + count + ttlOf(record) > 0 ? "unfit with data" : undefined;
  if (outcome < layout.OUTCOME_DATA || outcome > layout.OUTCOME_NO_NAME) return "outcome";
  return count > 0 === (outcome === layout.OUTCOME_DATA) ? undefined : "count";
}

function isZero(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** The seeds' questions have names of text. */
function textOf(question: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 0; question[at] !== 0; at += 1 + (question[at] as number)) {
    labels.push(Buffer.from(question.subarray(at + 1, at + 1 + (question[at] as number))).toString("latin1"));
  }
  return labels.join(".").toLowerCase();
}

/** All of the memory but what a reply may be written to: compiler's, the table's question, setup, image and what is behind. */
function untouchable({ image, message, question, query, cookie }: Wasm): { now: Buffer[]; before: Buffer[] } {
  const whole = Buffer.from(image.buffer);
  const now = [
    whole.subarray(0, message.byteOffset),
    whole.subarray(question.byteOffset, query.byteOffset),
    whole.subarray(cookie.byteOffset - layout.HEADER_BYTES, cookie.byteOffset),
    whole.subarray(cookie.byteOffset + cookie.length),
  ];
  return { now, before: now.map((part) => Buffer.from(part)) };
}

const verdictOf = (reply: Reply) => ("record" in reply ? outcomeOf(reply.record) : reply.verdict);

describe("a million malformed replies", () => {
  it("trap nothing, write nowhere else, take no memory, and make no record that is not sound", () => {
    const seed = Number.parseInt(SEED, 10);
    const damage = damager(CORPUS);
    const builds = [releaseWasm({ entries: 8 }), debugWasm({ entries: 8 })];
    for (const { image } of builds) image.fill(0xa5, layout.HEADER_BYTES);
    const [release, debug] = builds.map(messageReader) as [MessageReader, MessageReader];
    const guarded = builds.map(untouchable);
    const memoryBytes = builds.map(({ image }) => image.buffer.byteLength);
    const heapBytes = collectedBytes();
    const seen = new Map<string | number, number>();
    let number = seed;
    try {
      for (; number < seed + REPLIES; number++) {
        const { seed: from, message } = damage(number);
        const reply = release.read(message, from.query);
        const verdict = verdictOf(reply);
        seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
        if (reply.verdict === "answer") {
          const fault = faultOf(reply.record, from.query);
          if (fault !== undefined) throw new Error(`the record is not sound: ${fault}`);
        }
        if (number % COMPARED_EVERY === 0) {
          expect(debug.read(message, from.query)).toEqual(reply);
          if (!from.isLarge) expect(referenceReply(message, from.query).verdict).toBe(reply.verdict);
        }
        if (number % LOOKED_EVERY === 0) {
          for (const { now, before } of guarded) {
            if (!now.every((part, i) => part.equals(before[i] as Buffer))) {
              throw new Error(`memory was written that is not a reply's, at most ${LOOKED_EVERY} replies ago`);
            }
          }
        }
      }
    } catch (error) {
      const { seed: from, message } = damage(number);
      const where = `reply ${number} (NAMEWELL_FUZZ_SEED=${SEED}), made of '${from.what}': ${message.toString("hex")}`;
      throw new Error(where, { cause: error });
    }
    expect(builds.map(({ image }) => image.buffer.byteLength)).toEqual(memoryBytes);
    expect(collectedBytes() - heapBytes).toBeLessThan(GROWTH_BYTES_MAX);
    report("malformed replies", JSON.stringify(Object.fromEntries(seen)));
    // It is no million of the same.
    const { OUTCOME_DATA, OUTCOME_NO_DATA, OUTCOME_NO_NAME, OUTCOME_UNFIT } = layout;
    const verdicts = ["foreign", "wrong-case", "malformed", "truncated", "no-edns", "bad-cookie", "failure"];
    for (const verdict of [...verdicts, OUTCOME_DATA, OUTCOME_NO_DATA, OUTCOME_NO_NAME, OUTCOME_UNFIT]) {
      expect(seen.get(verdict), String(verdict)).toBeGreaterThan(REPLIES / 1000);
    }
  });
});

function collectedBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
