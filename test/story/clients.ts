// What stories say of clients: what they ask and are answered, and what they find in the shared table without asking.
import { expect, vi } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { nowMs } from "../../src/clock.ts";
import type { Response } from "../../src/door/connection.ts";
import { addressesOf, expiresAtMsOf, namesOf, outcomeOf, typeOf } from "../../src/table/record.ts";
import { kindOf, questionFrame, recordsOf, useFrame } from "../support/frames.ts";
import { unmasked } from "../support/masks.ts";
import type { Scene, Steps } from "./scene.ts";
import { manyAddresses, manyNames } from "./servers.ts";

/** A lookup, its answer there or not. */
export interface Begun {
  readonly isAtOnce: boolean;
  answer: { readonly frame: Buffer; readonly tookMs: number; readonly isInTime: boolean } | undefined;
}

const OUTCOMES: Record<number, string> = {
  [layout.OUTCOME_NO_DATA]: "no data",
  [layout.OUTCOME_NO_NAME]: "no such name",
  [layout.OUTCOME_TEMPORARY]: "temporary failure",
  [layout.OUTCOME_UNFIT]: "libc",
};
const FAMILIES: Record<string, number> = {
  A: layout.FAMILY_A,
  AAAA: layout.FAMILY_AAAA,
  PTR: layout.FAMILY_PTR,
  both: layout.FAMILY_A | layout.FAMILY_AAAA,
};
const TYPES: Record<string, number> = { A: layout.TYPE_A, AAAA: layout.TYPE_AAAA, PTR: layout.TYPE_PTR };
const PENDING_GRACE_MS = 250; // as shim/client.c has it
const ANSWER_MS_MAX = 40_000;
const SLACK_MS = 12; // of the wheel and of a timer of its own

export const CLIENT_STEPS: Steps = [
  [/^look (?:(\d+) times at once )?(\S+)(?: (A|AAAA|PTR|both))?: (.+)$/, look],
  [/^look each of (\d+) names under (\S+): (.+)$/, lookMany],
  [/^ask each of (\d+) names under (\S+)$/, askMany],
  [/^ask (\S+)(?: (A|AAAA|PTR|both))?$/, (scene, name, kind = "A") => begin(scene, name as string, kind)],
  [/^answer to (\S+)(?: (A|AAAA|PTR|both))?: (.+)$/, answerTo],
  [/^search (as is first, )?(.+?)(?: (A|AAAA|both))?: (.+?)(?: as (\S+))?$/, search],
  [/^table (\S+) (A|AAAA|PTR): (.+?)(?: for (\d+) s)?$/, table],
  [/^table each of (\d+) names under (\S+): (.+?)(?: for (\d+) s)?$/, tableMany],
  [/^clients use (\S+) (A|AAAA|PTR) (\d+) times$/, use],
];

async function look(scene: Scene, times: string | undefined, name: string, kind = "A", wanted = ""): Promise<void> {
  const frames = Array.from({ length: Number(times ?? 1) }, () => questionFrame([name], FAMILIES[kind]));
  await expectAnswers(
    frames.map((frame) => put(scene, frame)),
    wanted,
  );
}

async function lookMany(scene: Scene, count: string, suffix: string, wanted: string): Promise<void> {
  await expectAnswers(
    manyNames(Number(count), suffix).map((name) => put(scene, questionFrame([name]))),
    wanted,
  );
}

function askMany(scene: Scene, count: string, suffix: string): void {
  for (const name of manyNames(Number(count), suffix)) begin(scene, name, "A");
}

function begin(scene: Scene, name: string, kind: string): void {
  const key = `${name} ${kind}`;
  if (scene.begun.has(key)) throw new Error(`the answer to ${key} was not told`);
  scene.begun.set(key, put(scene, questionFrame([name], FAMILIES[kind])));
}

async function answerTo(scene: Scene, name: string, kind = "A", wanted = ""): Promise<void> {
  const key = `${name} ${kind}`;
  const begun = scene.begun.get(key);
  if (begun === undefined) throw new Error(`${key} was not asked`);
  scene.begun.delete(key);
  await expectAnswers([begun], wanted);
}

async function search(
  scene: Scene,
  asIsFirst: string | undefined,
  list: string,
  kind = "A",
  wanted = "",
  as?: string,
): Promise<void> {
  const candidates = list.split(", ");
  const frame = questionFrame(candidates, FAMILIES[kind]);
  if (asIsFirst !== undefined) frame.writeUInt8(layout.SEARCH_AS_IS_FIRST, layout.QUESTION_SEARCH);
  const begun = put(scene, frame);
  await expectAnswers([begun], wanted);
  if (as !== undefined) expect(candidates[begun.answer?.frame.readUInt8(layout.ANSWER_CANDIDATE) ?? -1]).toBe(as);
}

/** Hands the frame to the server, and waits as long as client.so does: for silence, or up to the time that was promised. */
function put({ machine }: Scene, frame: Buffer): Begun {
  const startMs = nowMs();
  let untilMs = startMs + layout.SILENCE_MS;
  let isInTime = true;
  const response = machine.responder.respondToFrame(frame, (bytes) => {
    expect(kindOf(bytes)).toBe(layout.KIND_PENDING);
    isInTime &&= nowMs() <= untilMs;
    untilMs = nowMs() + bytes.readUInt32BE(layout.PENDING_WAIT_MS) + PENDING_GRACE_MS;
  });
  const isAtOnce = !(response instanceof Promise);
  const begun: Begun = { isAtOnce, answer: undefined };
  function take({ bytes }: Response): void {
    isInTime &&= nowMs() <= untilMs;
    begun.answer = { frame: bytes as Buffer, tookMs: nowMs() - startMs, isInTime };
  }
  if (isAtOnce) take(response);
  else void response.then(take);
  return begun;
}

/** Lets time go on until they are there. */
async function expectAnswers(all: readonly Begun[], wanted: string): Promise<void> {
  const startMs = nowMs();
  while (all.some(({ answer }) => answer === undefined) && nowMs() - startMs < ANSWER_MS_MAX) {
    await vi.advanceTimersByTimeAsync(1);
  }
  for (const begun of all) expectAnswer(begun, wanted);
}

/** `192.0.2.1 192.0.2.2 after 300 ms`; families one after the other with commas between. */
function expectAnswer({ answer, isAtOnce }: Begun, wanted: string): void {
  if (answer === undefined) throw new Error(`no answer in ${ANSWER_MS_MAX} ms`);
  const { frame, tookMs, isInTime } = answer;
  const [, result = "", time] = /^(.+?)(?: (at once|(?:after|within) \d+ ms))?$/.exec(wanted) ?? [];
  expect(kindOf(frame)).toBe(layout.KIND_ANSWER);
  if (!isInTime) throw new Error("client.so has gone to libc by then: longer than was promised");
  expect(recordsOf(frame).map(resultOf).join(", ")).toBe(spelledOut(result));
  if (time === "at once") expect(isAtOnce).toBe(true);
  else if (time !== undefined) {
    const [how, text] = time.split(" ");
    expect(tookMs).toBeLessThanOrEqual(Number(text) + (how === "after" ? SLACK_MS : 0));
    if (how === "after") expect(tookMs).toBeGreaterThanOrEqual(Number(text));
  }
}

function spelledOut(result: string): string {
  return result.replace(/(\d+) (IPv[46]) addresses/g, (_, count, family) =>
    manyAddresses(family === "IPv4" ? "A" : "AAAA", Number(count)).join(" "),
  );
}

function resultOf(record: Uint8Array): string {
  const outcome = outcomeOf(record);
  return outcome === layout.OUTCOME_DATA ? addressesOf(record).join(" ") : (OUTCOMES[outcome] ?? `outcome ${outcome}`);
}

interface Found {
  readonly at: number;
  readonly nonce: bigint;
  readonly record: Buffer;
}

function find({ machine }: Scene, name: string, type: string): Found | undefined {
  return [...machine.published()]
    .filter(([, slot]) => slot.readBigUInt64LE(layout.RECORD_NONCE) !== 0n) // or it is empty
    .map(([at, slot]) => ({ at, nonce: slot.readBigUInt64LE(layout.RECORD_NONCE), record: unmasked(slot) }))
    .find(({ record }) => namesOf(record)[0] === name && typeOf(record) === TYPES[type]);
}

/** What a client finds without asking. */
function table(scene: Scene, name: string, type: string, wanted: string, seconds?: string): void {
  const found = find(scene, name, type)?.record;
  const fresh = found !== undefined && expiresAtMsOf(found) > nowMs() ? found : undefined;
  expect(fresh === undefined ? "nothing" : resultOf(fresh)).toBe(spelledOut(wanted));
  if (seconds === undefined) return;
  if (fresh === undefined) throw new Error("nothing lasts no time");
  expect(Math.ceil((expiresAtMsOf(fresh) - nowMs()) / 1000)).toBe(Number(seconds));
}

function tableMany(scene: Scene, count: string, suffix: string, wanted: string, seconds?: string): void {
  for (const name of manyNames(Number(count), suffix)) table(scene, name, "A", wanted, seconds);
}

/** As clients tell: a touch where the refresh time has passed. */
async function use(scene: Scene, name: string, type: string, times: string): Promise<void> {
  const found = find(scene, name, type);
  if (found === undefined) throw new Error(`${name} is not in the table`);
  const { at, nonce } = found;
  const inSet = (at - layout.HEADER_BYTES) % layout.SET_BYTES;
  const set = (at - layout.HEADER_BYTES - inSet) / layout.SET_BYTES;
  const slot = set * layout.WAYS + (inSet - layout.TAG_LINE_BYTES) / layout.SLOT_BYTES;
  const uses = [{ slot, nonce: Number(nonce & 0xffffn), hits: Number(times) }];
  await scene.machine.responder.respondToFrame(useFrame(layout.KIND_TOUCH, scene.machine.epoch, uses), () => undefined);
}
