// Which servers and limits are for a name: those of the longest rule that it falls under, else the global ones.
import { createRules, type Rule } from "./rules.ts";
import { type UpstreamAddress, upstreamText } from "./upstream/address.ts";
import type { Group, Listing } from "./upstream/group.ts";
import type { TtlLimits } from "./wasm.ts";

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
  const views = new Map(
    rules.map((rule) => [rule, viewWith(rule.upstreams ? groupOf(rule.upstreams) : globalGroup, rule)]),
  );

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
  };
}
