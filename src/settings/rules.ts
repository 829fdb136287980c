// Settings of their own for the names under a suffix: `corp.example upstream=10.0.0.2 max-ttl=60; lan bypass`. The longest
// suffix that matches is the only one that counts: what it does not give is the global setting, not a shorter suffix's.
import { normalName } from "../name.ts";
import { type UpstreamAddress, upstreamText } from "../upstream/address.ts";
import { MAX_NEGATIVE_TTL, MAX_TTL, MIN_TTL, STALE, UPSTREAMS_MAX, upstreamList, type Value } from "./values.ts";

export interface Rule {
  /** For the name itself and all names under it; lower case, no dot at the end. */
  readonly suffix: string;
  readonly upstreams?: readonly UpstreamAddress[];
  readonly minTtlSeconds?: number;
  readonly maxTtlSeconds?: number;
  readonly maxNegativeTtlSeconds?: number;
  /** Seconds past expiry; 0 is off. */
  readonly staleSeconds?: number;
  /** Addresses are given out in the order in which they came. */
  readonly hasFixedOrder?: true;
  /** The names are left to the application's libc. */
  readonly bypass: boolean;
}

export interface Rules {
  ruleFor(name: string): Rule | undefined;
  /** What of the rules changes answers, the same for rules that say the same. */
  text(): string;
}

/** Kubernetes' names come into being all the time, and its SOA promises 30 s. */
export const BUILT_IN_RULES = "cluster.local negative=5";

const RULES_MAX = 256;

type Field = Exclude<keyof Rule, "suffix" | "bypass">;
const WORDS: Readonly<Record<string, Value<unknown> & { readonly field: Field }>> = {
  upstream: {
    field: "upstreams",
    accepted: `1 to ${UPSTREAMS_MAX} addresses as in DNS_CACHE_UPSTREAMS, with commas and no spaces between`,
    read: upstreamList,
  },
  "min-ttl": { field: "minTtlSeconds", ...MIN_TTL },
  "max-ttl": { field: "maxTtlSeconds", ...MAX_TTL },
  negative: { field: "maxNegativeTtlSeconds", ...MAX_NEGATIVE_TTL },
  stale: { field: "staleSeconds", ...STALE },
  order: { field: "hasFixedOrder", accepted: "order=fixed", read: (text) => (text === "fixed" ? true : undefined) },
};
const BYPASS = "bypass";
const WORDS_ACCEPTED = `${Object.keys(WORDS)
  .map((key) => `${key}=`)
  .join(", ")} or ${BYPASS}`;

/** The rules of the text and the built-in ones that it does not replace, or what is wrong with it. */
export function parseRules(text: string): readonly Rule[] | string {
  const rules = new Map<string, Rule>();
  for (const words of wordsOfRules(text)) {
    const rule = parseRule(words);
    if (typeof rule === "string") return rule;
    if (rules.has(rule.suffix)) return refusal(words.join(" "), "one rule for each suffix");
    rules.set(rule.suffix, rule);
  }
  if (rules.size > RULES_MAX) return refusal(`${rules.size} rules`, `at most ${RULES_MAX}`);
  const builtIn = wordsOfRules(BUILT_IN_RULES).map(parseRule) as Rule[];
  return [...builtIn.filter(({ suffix }) => !rules.has(suffix)), ...rules.values()];
}

/** `what` is the rule's suffix and the word that is wrong. */
export function refusal(what: string, accepted: string): string {
  return `'${what}' is not accepted; accepted: ${accepted}`;
}

export function createRules(list: readonly Rule[]): Rules {
  const bySuffix = new Map(list.map((rule) => [rule.suffix, rule]));
  const longest = Math.max(0, ...list.map(({ suffix }) => suffix.length));

  function ruleFor(name: string): Rule | undefined {
    // No suffix is longer, so most names are looked up by their last label or two.
    let at = name.length <= longest ? 0 : afterDot(name, name.length - longest - 1);
    while (at !== undefined) {
      const rule = bySuffix.get(name.slice(at));
      if (rule !== undefined) return rule;
      at = afterDot(name, at);
    }
    return undefined;
  }

  /** The rule that would count for the suffix if it had none of its own. */
  function ruleAbove(suffix: string): Rule | undefined {
    const at = afterDot(suffix, 0);
    return at === undefined ? undefined : ruleFor(suffix.slice(at));
  }

  return {
    ruleFor,
    text: () =>
      [...bySuffix.values()]
        .filter((rule) => effectsOf(rule) !== effectsOf(ruleAbove(rule.suffix)))
        .map((rule) => `${rule.suffix}${effectsOf(rule)}`)
        .sort()
        .join("; "),
  };
}

/** As it may be written. */
export function ruleText(rule: Rule): string {
  const stale = rule.staleSeconds === undefined ? "" : ` stale=${rule.staleSeconds}`;
  return `${rule.suffix}${effectsOf(rule)}${stale}`;
}

function afterDot(name: string, from: number): number | undefined {
  const dot = name.indexOf(".", from);
  return dot < 0 ? undefined : dot + 1;
}

function effectsOf(rule: Rule | undefined): string {
  if (rule === undefined) return "";
  const { upstreams, minTtlSeconds, maxTtlSeconds, maxNegativeTtlSeconds, hasFixedOrder, bypass } = rule;
  const effects = [
    upstreams && `upstream=${upstreams.map(upstreamText).join(",")}`,
    minTtlSeconds !== undefined && `min-ttl=${minTtlSeconds}`,
    maxTtlSeconds !== undefined && `max-ttl=${maxTtlSeconds}`,
    maxNegativeTtlSeconds !== undefined && `negative=${maxNegativeTtlSeconds}`,
    hasFixedOrder && "order=fixed",
    bypass && BYPASS,
  ];
  return effects.map((effect) => (effect ? ` ${effect}` : "")).join("");
}

function wordsOfRules(text: string): string[][] {
  const rules = text.split(";").map((rule) => rule.split(/\s+/).filter((word) => word !== ""));
  return rules.filter((words) => words.length > 0);
}

function parseRule([suffixText = "", ...words]: readonly string[]): Rule | string {
  const suffix = suffixOf(suffixText);
  if (suffix === undefined) return refusal(suffixText, "a suffix of names, such as corp.example or 10.in-addr.arpa");
  if (words.includes(BYPASS)) {
    return words.length === 1
      ? { suffix, bypass: true }
      : refusal(`${suffix} ${words.join(" ")}`, `${BYPASS} as a rule's only word`);
  }
  const given: Partial<Record<Field, unknown>> = {};
  for (const word of words) {
    const [, key = "", text = ""] = /^([^=]*)=(.*)$/s.exec(word) ?? [];
    const known = Object.hasOwn(WORDS, key) ? WORDS[key] : undefined;
    if (known === undefined) return refusal(`${suffix} ${word}`, WORDS_ACCEPTED);
    if (given[known.field] !== undefined) return refusal(`${suffix} ${word}`, `${key}= once in a rule`);
    const value = known.read(text);
    if (value === undefined) return refusal(`${suffix} ${word}`, known.accepted);
    given[known.field] = value;
  }
  const rule = { suffix, ...given, bypass: false } as Rule;
  const { minTtlSeconds: min = 0, maxTtlSeconds: max = min } = rule;
  return min > max ? refusal(`${suffix} min-ttl=${min}`, `at most the rule's max-ttl, which is ${max}`) : rule;
}

/**
 * Stricter than names are: what is meant for another place (a rule's word, `*.lan`, `10.0.0.0/8`, a list) would never match
 * and be no error. The slash is for RFC 2317. All names have no suffix in common: the global settings are for them.
 */
function suffixOf(text: string): string | undefined {
  const suffix = /^[\w./-]+$/.test(text) && text !== BYPASS ? normalName(text) : undefined;
  return suffix === undefined || /(^|\.)[\d/]+$/.test(suffix) ? undefined : suffix;
}
