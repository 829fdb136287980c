import { describe, expect, it } from "vitest";
import { OUTCOME_NO_NAME, TYPE_A, TYPE_AAAA } from "../../../assembly/layout.ts";
import { createCounters } from "../../../src/counters.ts";
import { createLog } from "../../../src/log.ts";
import { createControl } from "../../../src/operate/control.ts";
import { brokenIdentities } from "../../../src/operate/identities.ts";
import type { Flush, LookupReport } from "../../../src/operate/snapshot.ts";
import { createNames } from "../../../src/resolve/names.ts";
import { createResolver } from "../../../src/resolve/resolver.ts";
import { createViews } from "../../../src/resolve/views.ts";
import { parseRules } from "../../../src/settings/rules.ts";
import { createCache } from "../../../src/table/cache.ts";
import type { Ask } from "../../../src/upstream/ask.ts";
import type { Group } from "../../../src/upstream/group.ts";
import { createWheel } from "../../../src/wheel.ts";
import { address, makeRecord } from "../../support/records.ts";
import { debugWasm } from "../../support/wasm.ts";

type Zone = Record<string, Parameters<typeof makeRecord>[0] | "silent">;

/** All behind the doors, with servers that answer from a zone; what is "silent" ends when `release` is called. */
function inside(zone: Zone, rules = "") {
  const asked: string[] = [];
  const held: Array<() => void> = [];
  const ask: Ask = ({ name, type }) =>
    new Promise((resolve) => {
      asked.push(name);
      const known = zone[name];
      const answer = () =>
        resolve(
          known === undefined || known === "silent" || known.type !== type
            ? { record: makeRecord({ name, type, outcome: OUTCOME_NO_NAME, ttl: 20 }), origin: ORIGIN }
            : { record: makeRecord(known), origin: ORIGIN },
        );
      if (known === "silent") held.push(answer);
      else answer();
    });
  const state = { isDown: false, upstreams: [{ ...UPSTREAM }] };
  const group = {
    ask,
    isDown: () => false,
    usualMs: () => 1,
    generation: () => 0,
    state: () => state,
  } as unknown as Group;
  const wasm = debugWasm({ entries: 64 });
  const counters = createCounters();
  const log = createLog("silent");
  const names = createNames();
  const cache = createCache(wasm, () => undefined);
  const views = createViews({
    upstreams: [{ transport: "udp", host: "10.0.0.2", port: 53 }],
    rules: parseRules(rules) as Exclude<ReturnType<typeof parseRules>, string>,
    minTtlSeconds: 0,
    maxTtlSeconds: 3600,
    maxNegativeTtlSeconds: 30,
    staleSeconds: 0,
    createGroup: () => group,
  });
  const standstill = { count: () => 0 };
  const resolver = createResolver({
    cache,
    views,
    prefetch: false,
    standstill,
    wheel: createWheel(),
    names,
    counters,
    log,
  });
  const control = createControl({
    version: "1.2.3",
    entries: 64,
    socketPath: "/dns_cache/dns.sock",
    connectionsLimit: 4096,
    questionsLimit: 4096,
    isListening: () => true,
    connections: () => 3,
    directory: () => ({
      path: "/dns_cache",
      fileSystem: "tmpfs",
      isWritableByOthers: false,
      hasRoomForSecondTable: true,
      libraryPath: "/dns_cache/client.so",
      libraryArch: "x64",
      isLibraryInstalled: true,
      isLibraryNoexec: false,
    }),
    cache,
    publisher: { state: () => ({ state: "published", reason: undefined, heartbeatAgeSeconds: 0.1, bytes: 65536 }) },
    resolver,
    views,
    names,
    counters,
    log,
  });
  return {
    control,
    asked,
    counters,
    log,
    resolve: async (name: string, type = TYPE_A) => await resolver.resolve({ name, type }),
    release: () => held.splice(0).forEach((each) => void each()),
    snapshot: async () => {
      const snapshot = await control.answer({ ask: "snapshot" });
      if ("error" in snapshot) throw new Error(snapshot.error);
      return snapshot;
    },
    flush: (flush: Flush) => control.answer({ ask: "flush", flush }),
    async lookUp(name: string, mayAsk: boolean, types = ["A"]): Promise<LookupReport[]> {
      const looked = await control.answer({ ask: "lookup", name, types, mayAsk });
      if ("error" in looked) throw new Error(looked.error);
      return [...looked.reports];
    },
  };
}
const ORIGIN = { upstream: "udp 10.0.0.2:53", transport: "udp", tookMs: 4 } as const;
const UPSTREAM = {
  text: "udp 10.0.0.2:53",
  isUp: true,
  isAside: false,
  smoothedRttSeconds: 0.004,
  ways: [],
  habits: [],
};
const data = (name: string, chain: string[] = []) => ({ name, type: TYPE_A, ttl: 60, chain, data: [address(1)] });

describe("a snapshot", () => {
  it("has each lookup as a hit or as one kind of miss, with its outcome", async () => {
    const { resolve, snapshot, release } = inside(
      { "a.example": data("a.example"), "s.example": "silent" },
      "b.example bypass",
    );
    for (let i = 0; i < 3; i++) await resolve("a.example");
    await resolve("none.example");
    await resolve("none.example");
    await resolve("x.b.example", TYPE_AAAA);
    const waiting = [resolve("s.example"), resolve("s.example")];
    const before = await snapshot();
    expect([before.questionsInFlight, before.counts.misses]).toEqual([
      1,
      { asked: 3, joined: 1, stale: 0, failure_known: 0, bypass: 1, refused: 0 },
    ]);
    release();
    await Promise.all(waiting);
    const { counts, table, connections, groups } = await snapshot();
    expect(counts.hits).toEqual({
      table: { success: 0, denial: 0 },
      socket: { success: 2, denial: 1 },
      dns: { success: 0, denial: 0 },
    });
    expect(counts.lookups).toEqual({ hits: [3, 0, 0, 0], misses: [4, 1, 0, 0] });
    expect(counts.outcomes).toEqual({ data: 3, no_name: 4, no_data: 0, temporary: 0, unfit: 1 });
    expect(table.places.table).toEqual({ success: 1, denial: 2, capacity: 64 });
    expect([connections, groups.map(({ suffixes }) => suffixes)]).toEqual([3, [["."]]]);
  });

  it("is plain data", async () => {
    const { snapshot } = inside({});
    const taken = await snapshot();
    expect(structuredClone(taken)).toEqual(taken);
  });
});

describe("the numbers", () => {
  it("fit each other, at any time", async () => {
    const { resolve, snapshot, release } = inside({ "a.example": data("a.example"), "s.example": "silent" });
    await resolve("a.example");
    const waiting = resolve("s.example");
    expect(brokenIdentities(await snapshot())).toEqual([]);
    release();
    await waiting;
    const taken = await snapshot();
    expect(brokenIdentities(taken)).toEqual([]);
    const misses = { ...taken.counts.misses, asked: 7 };
    expect(brokenIdentities({ ...taken, counts: { ...taken.counts, misses } })).toEqual([
      "misses by type = misses by kind: 2 and 7",
      "outcomes and waiting = lookups but those in the published table: 2 and 7",
    ]);
    const way = {
      transport: "udp",
      requests: 2,
      replies: [],
      timeouts: 1,
      errors: 0,
      unneeded: 0,
      inFlight: 0,
    } as const;
    const groups = [{ suffixes: ["."], isDown: false, upstreams: [{ ...UPSTREAM, ways: [way] }] }];
    expect(brokenIdentities({ ...taken, groups })).toEqual(["ends = queries to udp 10.0.0.2:53 over udp: 1 and 2"]);
  });
});

describe("a lookup", () => {
  it("tells of what is held, and where it came from, and asks for nothing unless it may", async () => {
    const { lookUp, resolve, asked } = inside({ "a.example": data("a.example", ["b.example"]) }, "example max-ttl=50");
    expect(await lookUp("A.Example.", false)).toEqual([
      {
        name: "a.example",
        type: "A",
        rule: "example max-ttl=50",
        upstreams: ["udp 10.0.0.2:53"],
        isBypassed: false,
        held: undefined,
        failure: undefined,
        asked: undefined,
        origin: undefined,
        outcome: undefined,
        aliases: [],
        data: [],
      },
    ]);
    expect(asked).toEqual([]);
    const [looked] = await lookUp("a.example", true);
    expect(looked).toMatchObject({ outcome: "data", aliases: ["b.example"], data: ["10.0.0.1"], held: undefined });
    expect(looked?.asked?.seconds).toBeGreaterThanOrEqual(0);
    expect(looked?.origin).toMatchObject({ upstream: "udp 10.0.0.2:53", transport: "udp", seconds: 0.004 });
    await resolve("a.example");
    const [held] = await lookUp("a.example", true);
    expect(held?.held).toMatchObject({
      place: "table",
      outcome: "data",
      originalTtlSeconds: 50,
      hits: 1,
      isStale: false,
    });
    expect(held?.held?.remainingSeconds).toBeGreaterThan(0);
    expect(held?.held?.remainingSeconds).toBeLessThanOrEqual(50);
    expect([held?.asked, asked]).toEqual([undefined, ["a.example"]]);
  });

  it("leaves alone what is under BYPASS", async () => {
    const { lookUp, asked } = inside({ "a.lan": data("a.lan") }, "lan bypass");
    expect(await lookUp("a.lan", true)).toMatchObject([{ isBypassed: true, rule: "lan bypass", asked: undefined }]);
    expect(asked).toEqual([]);
  });

  it.each([
    ["a..b", ["A"], '"a..b" is not a name'],
    ["\u001b[31m", ["A"], '"\\u001b[31m" is not a name'],
    ["a.example", ["MX"], "a type is A, AAAA or PTR, each once"],
    ["a.example", Array.from({ length: 1000 }, (_, at) => "A".padEnd(at)), "a type is A, AAAA or PTR, each once"],
    ["a.example", [], "a type is A, AAAA or PTR, each once"],
  ])("refuses %j %j", async (name, types, error) => {
    const { control } = inside({});
    expect(await control.answer({ ask: "lookup", name, types, mayAsk: true })).toEqual({ error });
  });
});

describe("a flush", () => {
  const zone = {
    "a.example": data("a.example"),
    "www.a.example": data("www.a.example", ["cdn.b.example"]),
    "c.other": data("c.other"),
  };
  async function warm() {
    const all = inside(zone);
    for (const name of [...Object.keys(zone), "none.example"]) await all.resolve(name);
    all.asked.length = 0;
    const isHeld = async (name: string) => (await all.lookUp(name, false))[0]?.held !== undefined;
    const left = async () => {
      const names = [...Object.keys(zone), "none.example"];
      return (await Promise.all(names.map(isHeld))).map((is, i) => (is ? names[i] : "")).filter(Boolean);
    };
    return { ...all, left };
  }

  it("forgets a name, and those that are an alias of it", async () => {
    const { flush, left } = await warm();
    expect(await flush({ what: "name", name: "A.example" })).toEqual({ table: 1, beside: 0, failures: 0, underWay: 0 });
    expect(await left()).toEqual(["www.a.example", "c.other", "none.example"]);
    expect(await flush({ what: "name", name: "cdn.b.example" })).toMatchObject({ table: 1 });
    expect(await left()).toEqual(["c.other", "none.example"]);
  });

  it("forgets all under a suffix, and not those that only end with its letters", async () => {
    const { flush, left } = await warm();
    expect(await flush({ what: "suffix", suffix: "a.example" })).toMatchObject({ table: 2 });
    expect(await flush({ what: "suffix", suffix: "ther" })).toMatchObject({ table: 0 });
    expect(await left()).toEqual(["c.other", "none.example"]);
  });

  it("forgets denials alone, and everything", async () => {
    const { flush, left } = await warm();
    expect(await flush({ what: "negative" })).toMatchObject({ table: 1 });
    expect(await left()).toEqual(Object.keys(zone));
    expect(await flush({ what: "all" })).toMatchObject({ table: 3 });
    expect(await left()).toEqual([]);
  });

  it("has a name asked anew, whose question was under way, and keeps nothing of what was asked before", async () => {
    const { flush, resolve, asked, release, lookUp } = inside({ "s.example": "silent" });
    const first = resolve("s.example");
    expect(await flush({ what: "name", name: "s.example" })).toMatchObject({ underWay: 1 });
    release();
    await first;
    expect((await lookUp("s.example", false))[0]?.held).toBeUndefined();
    const second = resolve("s.example");
    expect(asked).toEqual(["s.example", "s.example"]);
    release();
    await second;
    expect((await lookUp("s.example", false))[0]?.held).toBeDefined();
  });

  it("refuses what is no name", async () => {
    const { flush } = inside({});
    expect(await flush({ what: "suffix", suffix: "*.example" })).toEqual({
      table: 0,
      beside: 0,
      failures: 0,
      underWay: 0,
    });
    expect(await flush({ what: "name", name: "a b" })).toEqual({ error: '"a b" is not a name' });
  });
});

describe("the log's level", () => {
  it("is told, and changed, and no other word is taken for one", async () => {
    const { control, log } = inside({});
    expect(await control.answer({ ask: "logLevel", level: undefined })).toEqual({ level: "silent" });
    expect(await control.answer({ ask: "logLevel", level: "error" })).toEqual({ level: "error" });
    expect(log.level()).toBe("error");
    expect(await control.answer({ ask: "logLevel", level: "loud" })).toEqual({
      error: "a log level is trace, debug, info, warn, error, fatal, silent",
    });
  });
});
