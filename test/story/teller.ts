// Tells one story: reads its sentences, and does and checks what they say. README.md beside this lists the sentences.
import { expect, vi } from "vitest";
import * as layout from "../../assembly/layout.ts";
import type { ZoneEntry } from "../../demo/upstream.ts";
import { nowMs } from "../../src/clock.ts";
import type { Response } from "../../src/connection.ts";
import { addressesOf, expiresAtMsOf, generationOf, namesOf, outcomeOf, typeOf } from "../../src/record.ts";
import { upstreamAddress, upstreamText } from "../../src/upstream/address.ts";
import { kindOf, questionFrame, recordsOf, useFrame } from "../support/frames.ts";
import { habitOf } from "./habits.ts";
import { createMachine, type Machine } from "./machine.ts";
import { createUpstream, type Upstream } from "./network.ts";

type Step = (scene: Scene, ...words: string[]) => void | Promise<void>;

interface Scene {
  readonly env: Record<string, string>;
  readonly addresses: Map<string, string>;
  readonly machine: Machine;
  upstream(name: string): Upstream;
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
const SETTINGS: Record<string, string> = {
  stale: "DNS_CACHE_STALE",
  prefetch: "DNS_CACHE_PREFETCH",
  timeout: "DNS_CACHE_TIMEOUT_MS",
  "min-ttl": "DNS_CACHE_MIN_TTL",
  "max-ttl": "DNS_CACHE_MAX_TTL",
  negative: "DNS_CACHE_MAX_NEGATIVE_TTL",
};
const ANSWER_MS_MAX = 40_000;
const SLACK_MS = 12; // of the wheel and of a timer of its own

const STEPS: ReadonlyArray<readonly [RegExp, Step]> = [
  [/^settings (.+)$/, settings],
  [/^rules (.+)$/, rules],
  [/^servers (.+)$/, servers],
  [/^(\w+) has (\S+) (A|AAAA|PTR|CNAME) (.+?)(?: ttl (\d+))?$/, has],
  [/^(\w+) loses (\S+)$/, (scene, server, name) => void delete scene.upstream(server).zone[name as string]],
  [/^(\w+) gives SOA minimum (\d+)$/, (scene, server, n) => set(scene, server, { soaMinimum: Number(n) })],
  [/^(\w+) gives no SOA$/, (scene, server) => set(scene, server, { soaMinimum: undefined })],
  [/^(\w+) takes (\d+) ms$/, (scene, server, ms) => set(scene, server, { latencyMs: Number(ms) })],
  [/^(\w+) is closed$/, (scene, server) => set(scene, server, { isClosed: true })],
  [/^(\w+) is open$/, (scene, server) => set(scene, server, { isClosed: false })],
  [/^(\w+) has no TCP$/, (scene, server) => set(scene, server, { hasTcp: false })],
  [/^(\w+) no more (.+)$/, (scene, server, habit) => void scene.upstream(server).habits.delete(habit as string)],
  [/^look (?:(\d+) times at once )?(\S+)(?: (A|AAAA|PTR|both))?: (.+)$/, look],
  [/^search (.+?)(?: (A|AAAA|both))?: (.+?)(?: as (\S+))?$/, search],
  [/^(\w+) was asked nothing$/, (scene, server) => asked(scene, server as string, [])],
  [/^(\w+) was asked (\d+) times?$/, askedTimes],
  [/^(\w+) was asked ((?:udp|tcp) .+)$/, (scene, server, list) => asked(scene, server as string, list?.split(", "))],
  [/^(\d+) (ms|s) pass$/, pass],
  [/^table (\S+) (A|AAAA|PTR): (.+?)(?: for (\d+) s)?$/, table],
  [/^clients use (\S+) (A|AAAA|PTR) (\d+) times$/, use],
  [/^counted (\w+) (\d+)$/, counted],
  [/^log (.+)$/, (scene, text) => void expect(scene.machine.logLines.join("")).toContain(text)],
  [/^no log (.+)$/, (scene, text) => void expect(scene.machine.logLines.join("")).not.toContain(text)],
  [/^nameservers are now (.+)$/, nameservers],
  [/^(\w+) (.+)$/, (scene, server, habit) => void addHabit(scene, server as string, habit as string)],
];

/** @param lines of the story, its title left out; `at` is called with the number of each before it is told */
export async function tell(lines: readonly string[], at: (line: number) => void): Promise<void> {
  vi.useFakeTimers({ toFake: ["hrtime", "setTimeout", "clearTimeout"] });
  try {
    const scene = createScene();
    for (const [index, line] of lines.entries()) {
      at(index);
      const sentence = line.replace(/(^|\s)#.*$/, "").trim();
      if (sentence === "") continue;
      const [words, step] = stepOf(sentence);
      await step(scene, ...words);
    }
    scene.machine.check();
  } finally {
    vi.useRealTimers();
  }
}

function stepOf(sentence: string): [string[], Step] {
  for (const [pattern, step] of STEPS) {
    const match = pattern.exec(sentence);
    if (match !== null) return [match.slice(1), step];
  }
  throw new Error(`no such sentence: ${sentence}`);
}

function createScene(): Scene {
  const env: Record<string, string> = {};
  const addresses = new Map([["ns", "192.0.2.53"]]);
  let machine: Machine | undefined;
  function started(): Machine {
    if (machine === undefined) {
      env.DNS_CACHE_UPSTREAMS ??= "192.0.2.53";
      machine = createMachine(env);
    }
    return machine;
  }
  return {
    env,
    addresses,
    get machine() {
      return started();
    },
    upstream(name) {
      const text = addresses.get(name);
      if (text === undefined) throw new Error(`no such server: ${name}`);
      const address = upstreamAddress(text);
      if (address === undefined) throw new Error(`no address: ${text}`);
      const key = upstreamText({ ...address, transport: "udp" });
      const known = started().upstreams.get(key) ?? createUpstream(address);
      started().upstreams.set(key, known);
      return known;
    },
  };
}

function settings({ env }: Scene, text: string): void {
  for (const word of text.split(" ")) {
    const [key = "", value = ""] = word.split("=");
    const variable = SETTINGS[key];
    if (variable === undefined) throw new Error(`no such setting: ${key}`);
    env[variable] = value;
  }
}

function rules({ env }: Scene, text: string): void {
  env.DNS_CACHE_RULES = text;
}

function set(scene: Scene, server: string, changes: Partial<Upstream>): void {
  Object.assign(scene.upstream(server), changes);
}

/** `one two tcp:three`: 192.0.2.1, 192.0.2.2 and so on; `other*` is none of the global ones. */
function servers({ env, addresses }: Scene, text: string): void {
  const global: string[] = [];
  addresses.clear();
  for (const [index, word] of text.split(" ").entries()) {
    const [, tcp, name = "", extra] = /^(tcp:)?(\w+)(\*)?$/.exec(word) ?? [];
    const address = `${tcp ? "tcp://" : ""}192.0.2.${index + 1}`;
    addresses.set(name, address);
    if (extra === undefined) global.push(address);
  }
  env.DNS_CACHE_UPSTREAMS = global.join(",");
}

function nameservers({ machine, addresses }: Scene, text: string): void {
  const names = text.split(" ");
  machine.views.replaceUpstreams(names.map((name) => upstreamAddress(addresses.get(name) as string) as never));
}

function has(scene: Scene, server: string, name: string, type: string, data: string, ttl?: string): void {
  const { zone } = scene.upstream(server);
  const many = /^(\d+) addresses$/.exec(data);
  const values = many === null ? data.split(" ") : manyAddresses(type, Number(many[1]));
  zone[name] = {
    ...(type === "CNAME" ? {} : zone[name]),
    ttl: Number(ttl ?? 60),
    [type]: type === "CNAME" ? data : values,
  } as ZoneEntry & Record<string, unknown>;
}

function manyAddresses(type: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => (type === "A" ? `198.51.100.${i + 1}` : `2001:db8::${i + 1}`));
}

function addHabit(scene: Scene, server: string, text: string): void {
  scene.upstream(server).habits.set(text, habitOf(text));
}

async function look(scene: Scene, times: string | undefined, name: string, kind = "A", wanted = ""): Promise<void> {
  const frames = Array.from({ length: Number(times ?? 1) }, () => questionFrame([name], FAMILIES[kind]));
  for (const answer of await answersTo(scene, frames)) expectAnswer(answer, wanted);
}

async function search(scene: Scene, list: string, kind = "A", wanted = "", as?: string): Promise<void> {
  const candidates = list.split(", ");
  const [answer] = (await answersTo(scene, [questionFrame(candidates, FAMILIES[kind])])) as [Answer];
  expectAnswer(answer, wanted);
  if (as !== undefined) expect(candidates[answer.frame.readUInt8(layout.ANSWER_CANDIDATE)]).toBe(as);
}

interface Answer {
  readonly frame: Buffer;
  readonly tookMs: number;
  readonly isAtOnce: boolean;
}

/** All are asked at the same moment; time goes on until each has its answer. */
async function answersTo({ machine }: Scene, frames: readonly Buffer[]): Promise<Answer[]> {
  const startMs = nowMs();
  const answers: Answer[] = [];
  for (const frame of frames) {
    const take = (isAtOnce: boolean) => (response: Response) => {
      answers.push({ frame: response.bytes as Buffer, tookMs: nowMs() - startMs, isAtOnce });
    };
    const pending = (bytes: Buffer) => void expect(kindOf(bytes)).toBe(layout.KIND_PENDING);
    const response = machine.responder.respondToFrame(frame, pending);
    if (response instanceof Promise) void response.then(take(false));
    else take(true)(response);
  }
  while (answers.length < frames.length && nowMs() - startMs < ANSWER_MS_MAX) await vi.advanceTimersByTimeAsync(1);
  if (answers.length < frames.length) throw new Error(`no answer in ${ANSWER_MS_MAX} ms`);
  return answers;
}

/** `192.0.2.1 192.0.2.2 after 300 ms`; families one after the other with commas between. */
function expectAnswer({ frame, tookMs, isAtOnce }: Answer, wanted: string): void {
  const [, result = "", time] = /^(.+?)(?: (at once|(?:after|within) \d+ ms))?$/.exec(wanted) ?? [];
  expect(kindOf(frame)).toBe(layout.KIND_ANSWER);
  const records = recordsOf(frame);
  const texts = records.map((record) => resultOf(record));
  expect(texts.join(", ")).toBe(
    result.replace(/(\d+) (IPv[46]) addresses/g, (_, count, family) =>
      manyAddresses(family === "IPv4" ? "A" : "AAAA", Number(count)).join(" "),
    ),
  );
  if (time === "at once") expect(isAtOnce).toBe(true);
  else if (time !== undefined) {
    const [how, text] = time.split(" ");
    expect(tookMs).toBeLessThanOrEqual(Number(text) + (how === "after" ? SLACK_MS : 0));
    if (how === "after") expect(tookMs).toBeGreaterThanOrEqual(Number(text));
  }
}

function resultOf(record: Uint8Array): string {
  const outcome = outcomeOf(record);
  return outcome === layout.OUTCOME_DATA ? addressesOf(record).join(" ") : (OUTCOMES[outcome] ?? `outcome ${outcome}`);
}

function asked(scene: Scene, server: string, list: readonly string[] = []): void {
  const upstream = scene.upstream(server);
  expect([...upstream.asked].sort()).toEqual([...list].sort());
  upstream.asked = [];
}

function askedTimes(scene: Scene, server: string, times: string): void {
  const upstream = scene.upstream(server);
  expect(upstream.asked).toHaveLength(Number(times));
  upstream.asked = [];
}

async function pass(_scene: Scene, count: string, unit: string): Promise<void> {
  await vi.advanceTimersByTimeAsync(Number(count) * (unit === "s" ? 1000 : 1));
}

function find({ machine }: Scene, name: string, type: string): [number, Buffer] | undefined {
  return [...machine.published()].find(
    ([, record]) =>
      outcomeOf(record) !== layout.OUTCOME_EMPTY && namesOf(record)[0] === name && typeOf(record) === TYPES[type],
  );
}

/** What a client finds without asking. */
function table(scene: Scene, name: string, type: string, wanted: string, seconds?: string): void {
  const found = find(scene, name, type)?.[1];
  const isFresh = found !== undefined && expiresAtMsOf(found) > nowMs();
  expect(found !== undefined && isFresh ? resultOf(found) : "nothing").toBe(wanted);
  if (seconds !== undefined && found !== undefined) {
    expect(Math.ceil((expiresAtMsOf(found) - nowMs()) / 1000)).toBe(Number(seconds));
  }
}

/** As clients tell: a touch where the refresh time has passed. */
async function use(scene: Scene, name: string, type: string, times: string): Promise<void> {
  const [at, record] = find(scene, name, type) ?? [];
  if (at === undefined || record === undefined) throw new Error(`${name} is not in the table`);
  const inSet = (at - layout.HEADER_BYTES) % layout.SET_BYTES;
  const set = (at - layout.HEADER_BYTES - inSet) / layout.SET_BYTES;
  const slot = set * layout.WAYS + (inSet - layout.TAG_LINE_BYTES) / layout.SLOT_BYTES;
  const uses = [{ slot, generation: generationOf(record) & 0xffff, hits: Number(times) }];
  await scene.machine.responder.respondToFrame(useFrame(layout.KIND_TOUCH, scene.machine.epoch, uses), () => undefined);
}

function counted({ machine }: Scene, counter: string, count: string): void {
  expect(machine.counters).toHaveProperty(counter, Number(count));
}
