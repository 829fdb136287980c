import { expect, it } from "vitest";
import { createViews } from "../../../src/resolve/views.ts";
import { parseRules, type Rule } from "../../../src/settings/rules.ts";
import { type UpstreamAddress, upstreamAddress } from "../../../src/upstream/address.ts";
import type { Group } from "../../../src/upstream/group.ts";

it("makes one group of servers for all rules that name the same, in whatever order, and another for the global ones", () => {
  const made: string[] = [];
  function createGroup(upstreams: readonly UpstreamAddress[]): Group {
    const text = upstreams.map(({ host }) => host).join(" ");
    made.push(text);
    return { usualMs: () => made.indexOf(text) } as unknown as Group;
  }
  const text =
    "a upstream=10.0.0.1,10.0.0.2; b upstream=10.0.0.2,10.0.0.1; c upstream=10.0.0.2; d upstream=10.0.0.3; e max-ttl=5";
  const { viewOf } = createViews({
    upstreams: [upstreamAddress("10.0.0.3") as UpstreamAddress],
    rules: parseRules(text) as Rule[],
    minTtlSeconds: 0,
    maxTtlSeconds: 60,
    maxNegativeTtlSeconds: 30,
    staleSeconds: 0,
    createGroup,
  });
  expect(made).toEqual(["10.0.0.3", "10.0.0.1 10.0.0.2", "10.0.0.2", "10.0.0.3"]);
  expect(["a", "www.b", "c", "e"].map((name) => viewOf(name).usualMs())).toEqual([1, 1, 2, 0]);
  expect(viewOf("a").limits.maxTtlSeconds).toBe(60);
});
