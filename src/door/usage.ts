// What clients tell of the entries that they found in the published table: hits, and that one is due to be refreshed. They
// are not trusted: what does not fit the table as it is now is left out, and the resolver decides what is due.

import type { Counters } from "../counters.ts";
import type { Log } from "../log.ts";
import type { Names } from "../resolve/names.ts";
import type { Resolver } from "../resolve/resolver.ts";
import type { Cache, Held } from "../table/cache.ts";
import { typeIndex, typeName } from "../type.ts";
import type { UseFrame } from "./protocol.ts";

export interface Usage {
  take(frame: UseFrame): void;
}

export interface UsageOptions {
  readonly cache: Cache;
  readonly refresh: Resolver["refresh"];
  readonly names: Names;
  readonly counters: Counters;
  readonly log: Log;
}

const FEW = 8; // touches of a frame that come before those of larger ones

export function createUsage({ cache, refresh, names, counters, log }: UsageOptions): Usage {
  return {
    take({ kind, epoch, uses }) {
      if (!cache.isEpoch(epoch)) {
        counters.usesOfOtherTable += uses.length;
        return;
      }
      for (const [index, { slot, nonce, hits }] of uses.entries()) {
        const held = cache.use(slot, nonce, hits);
        if (held === undefined) {
          counters.usesGone++;
          continue;
        }
        if (hits > 0) count(held, hits);
        if (kind === "touch") refresh(held, index >= FEW);
      }
    },
  };

  function count(held: Held, hits: number): void {
    const { name, type } = held.question();
    counters.publishedHits += hits;
    counters.hitsByType[typeIndex(type)] += hits;
    if (held.isDenial) counters.publishedHitsOfDenials += hits;
    names.used(name, hits);
    log.cacheHit(name, typeName(type), hits);
  }
}
