// Which servers and limits are for a name: those of the longest rule that it falls under, else the global ones.
import { createRules, type Rule, ruleText } from "../settings/rules.ts";
import type { TtlLimits } from "../table/wasm.ts";
import { type UpstreamAddress, upstreamText } from "../upstream/address.ts";
import type { Group, GroupState, Listing } from "../upstream/group.ts";

export interface View extends Pick<Group, "ask" | "isDown" | "usualMs" | "generation"> {
  /** Not for us: the application's libc asks. As long as the global servers are not known, it does so for their names. */
  readonly isBypassed: boolean;
  readonly limits: TtlLimits;
  readonly staleSeconds: number;
  readonly hasFixedOrder: boolean;
}

export interface Views {
  viewOf(name: string): View;
  /** The global servers, from now on. */
  replaceUpstreams: Group["replace"];
  /** The rule that a name falls under, as it may be written; undefined where only the settings count. */
  ruleOf(name: string): string | undefined;
  /** The servers for a name. */
  groupOf(name: string): GroupState;
  /** All servers, by the names that they are asked for. */
  groups(): ViewedGroup[];
}

export interface ViewedGroup extends GroupState {
  /** "." where it is for all that no rule gives to others. */
  readonly suffixes: readonly string[];
}

export interface ViewsOptions extends TtlLimits {
  readonly upstreams: readonly UpstreamAddress[];
  /** Of the global servers, where they are a list of resolv.conf. */
  readonly listing?: Listing | undefined;
  readonly staleSeconds: number;
  readonly rules: readonly Rule[];
  readonly createGroup: (upstreams: readonly UpstreamAddress[], listing?: Listing) => Group;
}

export function createViews({ rules, createGroup, ...global }: ViewsOptions): Views {
  const globalGroup = createGroup(global.upstreams, global.listing);
  let hasServers = global.upstreams.length > 0;
  const globalView = viewWith(globalGroup, {});
  const { ruleFor } = createRules(rules);
  const groups = new Map<string, Group>();
  const groupOfRule = new Map(
    rules.map((rule) => [rule, rule.upstreams ? groupOf(rule.upstreams) : globalGroup] as const),
  );
  const views = new Map(rules.map((rule) => [rule, viewWith(groupOfRule.get(rule) as Group, rule)]));

  /** One for the same servers in whatever order, since they are equals: what is learned of them is learned once. */
  function groupOf(upstreams: readonly UpstreamAddress[]): Group {
    const key = upstreams.map(upstreamText).sort().join();
    const group = groups.get(key) ?? createGroup(upstreams);
    groups.set(key, group);
    return group;
  }

  function viewWith(group: Group, rule: Partial<Rule>): View {
    const { ask, isDown, usualMs, generation } = group;
    const { minTtlSeconds, maxTtlSeconds, maxNegativeTtlSeconds, staleSeconds } = { ...global, ...rule };
    return {
      ask,
      isDown,
      usualMs,
      generation,
      get isBypassed() {
        return rule.bypass || (group === globalGroup && !hasServers);
      },
      limits: { minTtlSeconds, maxTtlSeconds, maxNegativeTtlSeconds },
      staleSeconds,
      hasFixedOrder: rule.hasFixedOrder ?? false,
    };
  }

  return {
    viewOf(name) {
      const rule = ruleFor(name);
      return (rule && views.get(rule)) ?? globalView;
    },
    replaceUpstreams(upstreams, listing) {
      hasServers = upstreams.length > 0;
      globalGroup.replace(upstreams, listing);
    },
    ruleOf(name) {
      const rule = ruleFor(name);
      return rule && ruleText(rule);
    },
    groupOf(name) {
      const rule = ruleFor(name);
      return ((rule && groupOfRule.get(rule)) ?? globalGroup).state();
    },
    groups: () =>
      [globalGroup, ...groups.values()].map((group) => {
        const own = rules.filter((rule) => group !== globalGroup && groupOfRule.get(rule) === group);
        return { ...group.state(), suffixes: group === globalGroup ? ["."] : own.map(({ suffix }) => suffix) };
      }),
  };
}
