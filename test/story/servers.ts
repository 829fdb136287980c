// What stories say of the upstream servers: what they have, how they are, what they were asked.
import { expect } from "vitest";
import type { ZoneEntry } from "../../demo/upstream.ts";
import { habitOf } from "./habits.ts";
import { REFUSED, type Upstream } from "./network.ts";
import type { Scene, Steps } from "./scene.ts";

export const SERVER_STEPS: Steps = [
  [/^(\w+) has (\d+) names under (\S+) A (\S+)(?: ttl (\d+))?$/, hasMany],
  [/^(\w+) has (\S+) (A|AAAA|PTR|CNAME) (.+?)(?: ttl (\d+))?$/, has],
  [/^(\w+) has a chain of (\d+) from (\S+) to (\S+)$/, hasChain],
  [/^(\w+) loses (\S+)$/, loses],
  [/^(\w+) gives SOA minimum (\d+)$/, (scene, server, n) => set(scene, server, { soaMinimum: Number(n) })],
  [/^(\w+) gives no SOA$/, (scene, server) => set(scene, server, { soaMinimum: undefined })],
  [/^(\w+) takes (\d+) ms$/, (scene, server, ms) => set(scene, server, { latencyMs: Number(ms) })],
  [/^(\w+) is closed$/, (scene, server) => set(scene, server, { failsWith: REFUSED })],
  [/^(\w+) fails with (E[A-Z]+)$/, (scene, server, code) => set(scene, server, { failsWith: code })],
  [/^(\w+) is open$/, (scene, server) => set(scene, server, { failsWith: undefined })],
  [/^(\w+) has no TCP$/, (scene, server) => set(scene, server, { hasTcp: false })],
  [/^(\w+) has TCP$/, (scene, server) => set(scene, server, { hasTcp: true })],
  [/^(\w+) was asked nothing$/, (scene, server) => asked(scene, server as string, [])],
  [/^(\w+) was asked (\d+) times?$/, askedTimes],
  [/^(\w+) was asked ((?:udp|tcp) .+)$/, (scene, server, list) => asked(scene, server as string, list?.split(", "))],
  [/^(\w+) no more (.+)$/, endHabit],
];
/** Any other words are a habit: after all other sentences. */
export const HABIT_STEPS: Steps = [[/^(\w+) (.+)$/, addHabit]];

/** What `60 addresses` are. */
export function manyAddresses(type: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => (type === "A" ? `198.51.100.${i + 1}` : `2001:db8::${i + 1}`));
}

/** What `200 names under many.example` are. */
export function manyNames(count: number, suffix: string): string[] {
  return Array.from({ length: count }, (_, i) => `n${i + 1}.${suffix}`);
}

function set(scene: Scene, server: string, changes: Partial<Upstream>): void {
  Object.assign(scene.upstream(server), changes);
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

function hasMany(scene: Scene, server: string, count: string, suffix: string, address: string, ttl?: string): void {
  for (const name of manyNames(Number(count), suffix)) has(scene, server, name, "A", address, ttl);
}

/** As many CNAMEs, through c1, c2 and so on under the first name. */
function hasChain(scene: Scene, server: string, count: string, from: string, to: string): void {
  const links = Number(count);
  const nameAt = (i: number) => (i === 0 ? from : i === links ? to : `c${i}.${from}`);
  for (let i = 0; i < links; i++) has(scene, server, nameAt(i), "CNAME", nameAt(i + 1));
}

function loses(scene: Scene, server: string, name: string): void {
  const { zone } = scene.upstream(server);
  if (zone[name] === undefined) throw new Error(`${server} does not have ${name}`);
  delete zone[name];
}

function addHabit(scene: Scene, server: string, text: string): void {
  scene.upstream(server).habits.set(text, habitOf(text));
}

function endHabit(scene: Scene, server: string, text: string): void {
  if (!scene.upstream(server).habits.delete(text)) throw new Error(`${server} does not have this habit`);
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
