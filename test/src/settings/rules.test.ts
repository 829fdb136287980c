import { describe, expect, it } from "vitest";
import { normalName } from "../../../src/name.ts";
import { createRules, parseRules, type Rule } from "../../../src/settings/rules.ts";

const BUILT_IN: Rule = { suffix: "cluster.local", maxNegativeTtlSeconds: 5, bypass: false };
const address = (host: string, port = 53) => ({ transport: "udp", host, port });

function rulesOf(text: string): readonly Rule[] {
  const rules = parseRules(text);
  if (typeof rules === "string") throw new Error(rules);
  return rules;
}
const suffixFor = (text: string, name: string) => createRules(rulesOf(text)).ruleFor(name)?.suffix;
const textOf = (text: string) => createRules(rulesOf(text)).text();

const GOOD: ReadonlyArray<[string, Rule]> = [
  ["lan bypass", { suffix: "lan", bypass: true }],
  ["Corp.Example. bypass", { suffix: "corp.example", bypass: true }],
  ["10.in-addr.arpa bypass", { suffix: "10.in-addr.arpa", bypass: true }],
  ["0/25.2.0.192.in-addr.arpa bypass", { suffix: "0/25.2.0.192.in-addr.arpa", bypass: true }],
  ["_msdcs.corp.example bypass", { suffix: "_msdcs.corp.example", bypass: true }],
  ["corp.example", { suffix: "corp.example", bypass: false }],
  ["\t corp.example \n negative=0\n", { suffix: "corp.example", maxNegativeTtlSeconds: 0, bypass: false }],
  [
    "corp.example upstream=10.0.0.2,10.0.0.3:54 max-ttl=60",
    {
      suffix: "corp.example",
      upstreams: [address("10.0.0.2"), address("10.0.0.3", 54)] as NonNullable<Rule["upstreams"]>,
      maxTtlSeconds: 60,
      bypass: false,
    },
  ],
  [
    "corp.example stale=604800 negative=10800 max-ttl=604800 min-ttl=86400",
    {
      suffix: "corp.example",
      minTtlSeconds: 86_400,
      maxTtlSeconds: 604_800,
      maxNegativeTtlSeconds: 10_800,
      staleSeconds: 604_800,
      bypass: false,
    },
  ],
  ["corp.example order=fixed", { suffix: "corp.example", hasFixedOrder: true, bypass: false }],
  [
    "corp.example order=fixed max-ttl=60",
    { suffix: "corp.example", hasFixedOrder: true, maxTtlSeconds: 60, bypass: false },
  ],
  [
    "corp.example min-ttl=60 max-ttl=60",
    { suffix: "corp.example", minTtlSeconds: 60, maxTtlSeconds: 60, bypass: false },
  ],
];

const SUFFIX = "a suffix of names, such as corp.example or 10.in-addr.arpa";
const ADDRESSES = "1 to 16 addresses as in DNS_CACHE_UPSTREAMS, with commas and no spaces between";
const WORDS = "upstream=, min-ttl=, max-ttl=, negative=, stale=, order= or bypass";
const BAD: ReadonlyArray<[text: string, quoted: string, accepted: string]> = [
  [". bypass", ".", SUFFIX],
  [".lan bypass", ".lan", SUFFIX],
  ["corp..example bypass", "corp..example", SUFFIX],
  ["*.lan bypass", "*.lan", SUFFIX],
  ["lan,corp.example bypass", "lan,corp.example", SUFFIX],
  ["münchen.example bypass", "münchen.example", SUFFIX],
  ["10.0.0.0/8 bypass", "10.0.0.0/8", SUFFIX],
  ["192.0.2.1 bypass", "192.0.2.1", SUFFIX],
  [`${"l".repeat(64)} bypass`, "l".repeat(64), SUFFIX],
  ["lan; bypass", "bypass", SUFFIX],
  ["lan; max-ttl=60", "max-ttl=60", SUFFIX],
  ["corp.example upstream=x", "corp.example upstream=x", ADDRESSES],
  ["corp.example upstream=", "corp.example upstream=", ADDRESSES],
  ["corp.example upstream=10.0.0.2, 10.0.0.3", "corp.example upstream=10.0.0.2,", ADDRESSES],
  [
    `corp.example upstream=${Array(17).fill("1.1.1.1").join()}`,
    `corp.example upstream=${Array(17).fill("1.1.1.1").join()}`,
    ADDRESSES,
  ],
  ["corp.example upstream", "corp.example upstream", WORDS],
  ["corp.example 10.0.0.2", "corp.example 10.0.0.2", WORDS],
  ["corp.example ttl=5", "corp.example ttl=5", WORDS],
  ["corp.example MAX-TTL=5", "corp.example MAX-TTL=5", WORDS],
  ["corp.example constructor=5", "corp.example constructor=5", WORDS],
  ["corp.example =5", "corp.example =5", WORDS],
  ["corp.example bypass=1", "corp.example bypass=1", WORDS],
  ["corp.example min-ttl=1m", "corp.example min-ttl=1m", "a whole number from 0 to 86400 (seconds)"],
  ["corp.example min-ttl=86401", "corp.example min-ttl=86401", "a whole number from 0 to 86400 (seconds)"],
  ["corp.example max-ttl=0", "corp.example max-ttl=0", "a whole number from 1 to 604800 (seconds)"],
  ["corp.example negative=-1", "corp.example negative=-1", "a whole number from 0 to 10800 (seconds)"],
  ["corp.example negative=10801", "corp.example negative=10801", "a whole number from 0 to 10800 (seconds)"],
  ["corp.example stale=off", "corp.example stale=off", "a whole number from 0 to 604800 (seconds; 0 is off)"],
  ["corp.example min-ttl=61 max-ttl=60", "corp.example min-ttl=61", "at most the rule's max-ttl, which is 60"],
  ["corp.example max-ttl=60 max-ttl=60", "corp.example max-ttl=60", "max-ttl= once in a rule"],
  ["corp.example negative=0 negative=1", "corp.example negative=1", "negative= once in a rule"],
  ["corp.example order=", "corp.example order=", "order=fixed"],
  ["corp.example order=random", "corp.example order=random", "order=fixed"],
  ["corp.example order=fixed order=fixed", "corp.example order=fixed", "order= once in a rule"],
  ["lan bypass order=fixed", "lan bypass order=fixed", "bypass as a rule's only word"],
  ["lan bypass max-ttl=60", "lan bypass max-ttl=60", "bypass as a rule's only word"],
  ["lan bypass bypass", "lan bypass bypass", "bypass as a rule's only word"],
  ["lan bypass; LAN. stale=0", "LAN. stale=0", "one rule for each suffix"],
  [Array.from({ length: 257 }, (_, i) => `x${i}.example`).join(";"), "257 rules", "at most 256"],
];

describe("parseRules", () => {
  it.each(GOOD)("reads '%s'", (text, rule) => {
    expect(parseRules(text)).toEqual([BUILT_IN, rule]);
  });

  it.each(BAD)("refuses '%s' with the rule and the word that are wrong", (text, quoted, accepted) => {
    expect(parseRules(text)).toBe(`'${quoted}' is not accepted; accepted: ${accepted}`);
    expect(parseRules(`a.example stale=1; ${text.startsWith("x0.") ? "lan" : "b.example"} bypass;${text}`)).toContain(
      "is not accepted",
    );
  });

  it("passes over nothing between semicolons", () => {
    expect(parseRules("; ;lan bypass;")).toEqual(parseRules("lan bypass"));
    expect(parseRules(" ")).toEqual([BUILT_IN]);
  });

  it("puts a rule for cluster.local in the place of the built-in one", () => {
    expect(parseRules("cluster.local stale=0")).toEqual([{ suffix: "cluster.local", staleSeconds: 0, bypass: false }]);
  });

  it("takes 256 rules, the built-in one not counted", () => {
    expect(parseRules(Array.from({ length: 256 }, (_, i) => `x${i}.example`).join(";"))).toHaveLength(257);
  });
});

describe("ruleFor", () => {
  const RULES = "corp.example stale=1; a.very.deep.corp.example; lan bypass; 10.in-addr.arpa bypass; b.lan";
  it.each([
    ["corp.example", "corp.example"],
    ["www.corp.example", "corp.example"],
    ["very.deep.corp.example", "corp.example"],
    ["a.very.deep.corp.example", "a.very.deep.corp.example"],
    ["x.y.a.very.deep.corp.example", "a.very.deep.corp.example"],
    ["xcorp.example", undefined],
    ["a-very.deep.example", undefined],
    ["example", undefined],
    ["lan", "lan"],
    ["b.lan", "b.lan"],
    ["c.b.lan", "b.lan"],
    ["bb.lan", "lan"],
    ["wlan", undefined],
    ["lan.example", undefined],
    ["4.3.2.10.in-addr.arpa", "10.in-addr.arpa"],
    ["4.3.2.110.in-addr.arpa", undefined],
    ["a.svc.cluster.local", "cluster.local"],
    ["cluster.local", "cluster.local"],
    ["notcluster.local", undefined],
    ["x.notcluster.local", undefined],
    ["local", undefined],
  ])("finds for %s the longest suffix that matches: %s", (name, suffix) => {
    expect(suffixFor(RULES, name)).toBe(suffix);
  });

  it("finds the same as a comparison with every suffix", () => {
    const labels = ["a", "b", "aa", "ab"];
    const names: string[] = labels.flatMap((x) => [
      x,
      ...labels.flatMap((y) => [`${x}.${y}`, `${x}.b.${y}`, `b.a.${x}.${y}`]),
    ]);
    const suffixes = names.filter((_, i) => i % 7 === 3);
    const { ruleFor } = createRules(suffixes.map((suffix) => ({ suffix, bypass: false })));
    for (const name of names.flatMap((tail) => [tail, `x.${tail}`, `x${tail}`, `x.y.z.${tail}`])) {
      expect(normalName(name)).toBe(name);
      const matching = suffixes.filter((suffix) => `.${name}`.endsWith(`.${suffix}`));
      const [longest] = matching.sort((a, b) => b.length - a.length);
      expect(ruleFor(name)?.suffix, name).toBe(longest);
    }
  });

  it("gives a rule's own settings and none of a shorter suffix's", () => {
    const { ruleFor } = createRules(rulesOf("corp.example upstream=10.0.0.2 stale=1; www.corp.example max-ttl=60"));
    expect(ruleFor("www.corp.example")).toEqual({ suffix: "www.corp.example", maxTtlSeconds: 60, bypass: false });
  });

  it("finds nothing where there are no rules", () => {
    const { ruleFor, text } = createRules([]);
    expect([ruleFor("a.example"), ruleFor("example"), ruleFor(""), text()]).toEqual([
      undefined,
      undefined,
      undefined,
      "",
    ]);
  });
});

describe("text", () => {
  it("is the built-in rule where there are no others", () => {
    expect(textOf("")).toBe("cluster.local negative=5");
  });

  it("is the same for rules that say the same in another order and writing", () => {
    const text =
      "cluster.local negative=5; corp.example upstream=udp 10.0.0.2:53,tcp 10.0.0.3:53 min-ttl=1 max-ttl=60; lan bypass";
    expect(textOf("LAN bypass;corp.example. max-ttl=060 min-ttl=1 upstream=10.0.0.2:53,tcp://10.0.0.3")).toBe(text);
    expect(textOf("corp.example min-ttl=1 upstream=10.0.0.2,tcp://10.0.0.3:53 max-ttl=60;\nlan bypass;")).toBe(text);
  });

  it("keeps silent about what does not change answers", () => {
    expect(textOf("corp.example stale=5; lan")).toBe(textOf(""));
    expect(textOf("corp.example max-ttl=9 stale=5")).toBe(textOf("corp.example max-ttl=9"));
    expect(textOf("corp.example max-ttl=9; a.corp.example max-ttl=9")).toBe(textOf("corp.example max-ttl=9"));
  });

  it("names a fixed order, which a published record tells clients of", () => {
    expect(textOf("lan order=fixed negative=1")).toBe("cluster.local negative=5; lan negative=1 order=fixed");
  });

  it("names a rule that only takes its names out of a shorter suffix's", () => {
    const text = "cluster.local negative=5; corp.example bypass; www.corp.example";
    expect(textOf("corp.example bypass; www.corp.example stale=5; a.www.corp.example")).toBe(text);
  });
});
