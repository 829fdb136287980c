// What is always true of the numbers, whenever they are looked at. Each test that ends a server holds it to this.
import type { Snapshot } from "./snapshot.ts";

/** Those that do not hold, a line each. */
export function brokenIdentities({ counts, groups }: Pick<Snapshot, "counts" | "groups">): string[] {
  const { lookups, hits, misses, outcomes, waiting } = counts;
  const notPublished = sum(hits.socket) + sum(hits.dns) + sum(misses);
  const identities: Array<readonly [string, number, number]> = [
    ["hits by type = hits by way and kind", sum(lookups.hits), sum(hits.table) + sum(hits.socket) + sum(hits.dns)],
    ["misses by type = misses by kind", sum(lookups.misses), sum(misses)],
    ["outcomes and waiting = lookups but those in the published table", sum(outcomes) + waiting, notPublished],
    ...groups.flatMap(({ upstreams }) =>
      upstreams.flatMap(({ text, ways }) =>
        ways.map(({ transport, requests, replies, timeouts, errors, unneeded, inFlight }) => {
          const replied = replies.reduce((all, { buckets }) => all + sum(buckets), 0);
          const ends = replied + timeouts + errors + unneeded + inFlight;
          return [`ends = queries to ${text} over ${transport}`, ends, requests] as const;
        }),
      ),
    ),
  ];
  return identities
    .filter(([, one, other]) => !(one === other && one >= 0))
    .map(([what, one, other]) => `${what}: ${one} and ${other}`);
}

function sum(counts: object): number {
  return Object.values(counts).reduce((all: number, count: number) => all + count, 0);
}
