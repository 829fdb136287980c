// What clients tell of the entries that they found in the published table: hits, and that one is due to be refreshed. They
// are not trusted: what does not fit the table as it is now is left out, and the resolver decides what is due.
import type { Cache } from "./cache.ts";
import type { Counters } from "./counters.ts";
import type { Log } from "./log.ts";
import type { UseFrame } from "./protocol.ts";
import type { Resolver } from "./resolver.ts";
import { typeName } from "./upstream/query.ts";

export interface Usage {
  take(frame: UseFrame): void;
}

export interface UsageOptions {
  readonly cache: Cache;
  readonly refresh: Resolver["refresh"];
  readonly counters: Counters;
  readonly log: Log;
}

const FEW = 8; // touches of a frame that come before those of larger ones

export function createUsage({ cache, refresh, counters, log }: UsageOptions): Usage {
  return {
    take({ kind, epoch, uses }) {
      if (!cache.isEpoch(epoch)) {
        counters.usesIgnored += uses.length;
        return;
      }
      for (const [index, { slot, nonce, hits }] of uses.entries()) {
        const held = cache.use(slot, nonce, hits);
        if (held === undefined) {
          counters.usesIgnored++;
          continue;
        }
        counters.publishedHits += hits;
        if (hits > 0 && log.saysHits()) {
          const { name, type } = held.question();
          log.cacheHit(name, typeName(type), hits);
        }
        if (kind === "touch") refresh(held, index >= FEW);
      }
    },
  };
}
