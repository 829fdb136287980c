// A question's way to its record: the cache, else an equal question that is already under way, else the upstreams.
import { OUTCOME_DATA, OUTCOME_TEMPORARY, OUTCOME_UNFIT } from "../assembly/layout.ts";
import type { Cache, Question } from "./cache.ts";
import { nowMs } from "./clock.ts";
import type { Counters } from "./counters.ts";
import type { Log } from "./log.ts";
import { limitTtl, outcomeOf } from "./record.ts";
import type { Ask } from "./upstream/ask.ts";
import { typeName } from "./upstream/query.ts";

/** A sealed record: at once where it is known, else when the upstreams have answered or failed. Never rejects. */
export type Resolve = (question: Question) => Uint8Array | Promise<Uint8Array>;

export interface ResolverOptions {
  readonly cache: Cache;
  readonly ask: Ask;
  readonly counters: Counters;
  readonly log: Log;
}

const IN_FLIGHT_MAX = 4096;
const FAILURE_MS = 1000; // RFC 9520 section 3.2: at least a second
const FAILURES_MAX = 4096;
const CLUSTER_DENIAL_SECONDS = 5; // Kubernetes' names come into being all the time, and its SOA promises 30 s

export function createResolver({ cache, ask, counters, log }: ResolverOptions): Resolve {
  const inFlight = new Map<string, Promise<Uint8Array>>();
  const failedUntilMs = new Map<string, number>(); // oldest first, since all last equally long

  return function resolve(question) {
    const type = typeName(question.type);
    const known = cache.find(question, nowMs());
    if (known !== undefined) {
      counters.hits++;
      log.cacheHit(question.name, type);
      return known;
    }
    counters.misses++;
    const key = `${type} ${question.name}`;
    const joined = inFlight.get(key);
    if (joined !== undefined) {
      counters.joined++;
      return joined;
    }
    if (hasFailed(key)) return cache.bare(question, OUTCOME_TEMPORARY, nowMs());
    if (inFlight.size >= IN_FLIGHT_MAX) {
      counters.refusedBusy++;
      return cache.bare(question, OUTCOME_UNFIT, nowMs());
    }
    const asking = warmUp(question, key).finally(() => inFlight.delete(key));
    inFlight.set(key, asking);
    return asking;
  };

  async function warmUp(question: Question, key: string): Promise<Uint8Array> {
    log.cacheWarmup(question.name, typeName(question.type));
    const asked = await ask(question);
    if ("record" in asked) {
      if (isClusterDenial(question, asked.record)) limitTtl(asked.record, CLUSTER_DENIAL_SECONDS);
      return cache.keep(asked.record, nowMs());
    }
    counters.failures++;
    log.questionFailed(question.name, typeName(question.type), asked.failure);
    if (asked.isOwnLack) return cache.bare(question, OUTCOME_UNFIT, nowMs()); // libc may do better in its own process
    rememberFailure(key);
    return cache.bare(question, OUTCOME_TEMPORARY, nowMs());
  }

  function hasFailed(key: string): boolean {
    const until = failedUntilMs.get(key);
    if (until === undefined) return false;
    if (until > nowMs()) return true;
    failedUntilMs.delete(key);
    return false;
  }

  function rememberFailure(key: string): void {
    failedUntilMs.delete(key);
    failedUntilMs.set(key, nowMs() + FAILURE_MS);
    for (const oldest of failedUntilMs.keys()) {
      if (failedUntilMs.size <= FAILURES_MAX) break;
      failedUntilMs.delete(oldest);
    }
  }
}

function isClusterDenial({ name }: Question, record: Uint8Array): boolean {
  return name.endsWith(".cluster.local") && outcomeOf(record) !== OUTCOME_DATA;
}
