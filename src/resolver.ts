// A question's way to its record: the cache, else an equal question that is already under way, else the upstreams.
import { OUTCOME_DATA, OUTCOME_TEMPORARY, OUTCOME_UNFIT } from "../assembly/layout.ts";
import type { Cache, Held, Question } from "./cache.ts";
import { nowMs } from "./clock.ts";
import type { Counters } from "./counters.ts";
import type { Log } from "./log.ts";
import { createRateCap } from "./ratecap.ts";
import { limitTtl, outcomeOf, refreshAtMsOf } from "./record.ts";
import type { Ask } from "./upstream/ask.ts";
import { typeName } from "./upstream/query.ts";
import type { Usual } from "./upstream/usual.ts";

export interface Resolver {
  /** A sealed record: at once where it is known, else when the upstreams have answered or failed. Never rejects. */
  resolve(question: Question): Uint8Array | Promise<Uint8Array>;
  /** Asks anew in the background for what is in use and near its end, and for nothing else. */
  refresh(held: Held): void;
}

export interface ResolverOptions {
  readonly cache: Cache;
  readonly ask: Ask;
  readonly usual: Usual;
  readonly prefetch: boolean;
  readonly counters: Counters;
  readonly log: Log;
}

const IN_FLIGHT_MAX = 4096;
const FAILURE_MS = 1000; // RFC 9520 section 3.2: at least a second
const FAILURES_MAX = 4096;
const CLUSTER_DENIAL_SECONDS = 5; // Kubernetes' names come into being all the time, and its SOA promises 30 s
const REFRESH_HITS_MIN = 2; // one lookup is no sign of another
// A refresh costs some 35 µs of CPU with its socket, so these are 2 % of a core; 65,536 names in use, of 5 minutes each, need
// 243 a second.
const REFRESHES_PER_SECOND = 500;

export function createResolver({ cache, ask, usual, prefetch, counters, log }: ResolverOptions): Resolver {
  const inFlight = new Map<string, Promise<Uint8Array>>();
  const failedUntilMs = new Map<string, number>(); // oldest first, since all last equally long
  const mayRefresh = createRateCap(REFRESHES_PER_SECOND);

  function resolve(question: Question): Uint8Array | Promise<Uint8Array> {
    const type = typeName(question.type);
    const known = cache.find(question, nowMs());
    if (known !== undefined) {
      counters.hits++;
      log.cacheHit(question.name, type);
      if (isDue(known.hits, refreshAtMsOf(known.record))) startRefresh(question);
      return known.record;
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
    log.cacheWarmup(question.name, type);
    return underWay(key, askUpstreams(question, key));
  }

  function isDue(hits: number, refreshAtMs: number): boolean {
    return prefetch && hits >= REFRESH_HITS_MIN && refreshAtMs <= nowMs();
  }

  function startRefresh(question: Question): void {
    const type = typeName(question.type);
    const key = `${type} ${question.name}`;
    if (inFlight.has(key) || hasFailed(key)) return;
    if (inFlight.size >= IN_FLIGHT_MAX || !mayRefresh(nowMs())) {
      counters.refreshesRefused++;
      return;
    }
    counters.refreshes++;
    log.cacheRefresh(question.name, type);
    void underWay(key, askUpstreams(question, key)).then((record) => {
      const outcome = outcomeOf(record);
      if (outcome === OUTCOME_TEMPORARY || outcome === OUTCOME_UNFIT) counters.refreshesFailed++;
    });
  }

  function underWay(key: string, asking: Promise<Uint8Array>): Promise<Uint8Array> {
    const ending = asking.finally(() => inFlight.delete(key));
    inFlight.set(key, ending);
    return ending;
  }

  async function askUpstreams(question: Question, key: string): Promise<Uint8Array> {
    const asked = await ask(question);
    if ("record" in asked) {
      if (isClusterDenial(question, asked.record)) limitTtl(asked.record, CLUSTER_DENIAL_SECONDS);
      return cache.keep(asked.record, nowMs(), usual.ms());
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

  return {
    resolve,
    refresh(held) {
      if (isDue(held.hits, held.refreshAtMs)) startRefresh(held.question());
    },
  };
}

function isClusterDenial({ name }: Question, record: Uint8Array): boolean {
  return name.endsWith(".cluster.local") && outcomeOf(record) !== OUTCOME_DATA;
}
