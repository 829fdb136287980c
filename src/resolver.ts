// A question's way to its record: the cache, else an equal question that is already under way, else the upstreams; and where
// these fail or are late, the record whose time has passed (RFC 8767).
import { OUTCOME_TEMPORARY, OUTCOME_UNFIT, RECORD_FLAG_FIXED_ORDER, RECORD_FLAG_SILENT } from "../assembly/layout.ts";
import type { Cache, Held, Question } from "./cache.ts";
import { nowMs } from "./clock.ts";
import type { Counters } from "./counters.ts";
import { createFailures, type Failure } from "./failures.ts";
import type { Log } from "./log.ts";
import { createRateCap } from "./ratecap.ts";
import { outcomeOf, refreshAtMsOf, setFlags } from "./record.ts";
import { createRecovery } from "./recovery.ts";
import type { Standstill } from "./standstill.ts";
import { typeName } from "./upstream/query.ts";
import type { View, Views } from "./views.ts";
import type { Wheel } from "./wheel.ts";

export interface Resolver {
  /** A sealed record: at once where it is known, else when the upstreams have answered or failed. Never rejects. */
  resolve(question: Question): Uint8Array | Promise<Uint8Array>;
  /** Asks anew in the background for what is in use and near its end, and for nothing else. */
  refresh(held: Held): void;
  /** Whoever asks from now on does not get what others have asked for before. */
  forget(): void;
}

export interface ResolverOptions {
  readonly cache: Cache;
  readonly views: Views;
  readonly prefetch: boolean;
  readonly standstill: Pick<Standstill, "count">;
  readonly wheel: Wheel;
  readonly counters: Counters;
  readonly log: Log;
}

interface UnderWay {
  readonly record: Promise<Uint8Array>;
  readonly sinceMs: number;
}

const KEPT_FOR_NOTHING = { minTtlSeconds: 0, maxTtlSeconds: 0, maxNegativeTtlSeconds: 0 };
const IN_FLIGHT_MAX = 4096;
const LATE_MS = 1800; // RFC 8767 section 5: the client response timer
const REFRESH_HITS_MIN = 2; // one lookup is no sign of another
// A refresh costs some 35 µs of CPU with its socket, so these are 2 % of a core; 65,536 names in use, of 5 minutes each, need
// 243 a second.
const REFRESHES_PER_SECOND = 500;

export function createResolver(options: ResolverOptions): Resolver {
  const { cache, views, prefetch, standstill, wheel, counters, log } = options;
  const inFlight = new Map<string, UnderWay>();
  const failures = createFailures();
  const mayRefresh = createRateCap(REFRESHES_PER_SECOND);
  const recovery = createRecovery({ refresh: (question) => askAnew(question, viewOf(question)) !== undefined, wheel });

  function resolve(question: Question): Uint8Array | Promise<Uint8Array> {
    standstill.count(); // whatever was known before is forgotten by this
    const known = cache.find(question, nowMs());
    if (known === undefined) {
      counters.misses++;
      return find(question, viewOf(question));
    }
    counters.hits++;
    log.cacheHit(question.name, typeName(question.type));
    if (isDue(known.hits, refreshAtMsOf(known.record))) startRefresh(question);
    return known.record;
  }

  function find(question: Question, view: View): Uint8Array | Promise<Uint8Array> {
    const now = nowMs();
    const key = keyOf(question);
    if (view.isBypassed) return cache.bare(question, OUTCOME_UNFIT, now);
    const failure = failures.get(key, now);
    const stale = failure !== undefined || view.isDown() ? giveStale(question, view) : undefined;
    if (stale !== undefined) return stale;
    let underWay = inFlight.get(key);
    if (underWay !== undefined) counters.joined++;
    else if (failure !== undefined) return failed(question, failure);
    else if (inFlight.size >= IN_FLIGHT_MAX) {
      counters.refusedBusy++;
      return cache.bare(question, OUTCOME_UNFIT, now);
    } else {
      log.cacheWarmup(question.name, typeName(question.type));
      underWay = ask(question, view);
    }
    return cache.mayServeStale(question, now, view.staleSeconds) ? orStale(question, view, underWay) : underWay.record;
  }

  /** What the upstreams say; where they fail or are late, what they said the last time. */
  function orStale(question: Question, view: View, { record, sinceMs }: UnderWay): Promise<Uint8Array> {
    return new Promise((resolve) => {
      const stopWaiting = wheel.after(sinceMs + LATE_MS - nowMs(), () => {
        const stale = giveStale(question, view);
        if (stale !== undefined) resolve(stale);
      });
      void record.then((fresh) => {
        stopWaiting();
        resolve((isFailure(fresh) && giveStale(question, view)) || fresh);
      });
    });
  }

  function giveStale(question: Question, view: View): Uint8Array | undefined {
    const stale = cache.serveStale(question, nowMs(), view.staleSeconds);
    if (stale === undefined) return undefined;
    counters.stale++;
    log.cacheStale(question.name, typeName(question.type));
    if (view.isDown()) recovery.await(keyOf(question), question, view);
    return stale;
  }

  function isDue(hits: number, refreshAtMs: number): boolean {
    return prefetch && hits >= REFRESH_HITS_MIN && refreshAtMs <= nowMs();
  }

  /** Where it fails and the record is about to end, it goes on past its end: nobody is to wait for the same once more. */
  function startRefresh(question: Question): void {
    const view = viewOf(question);
    if (view.isDown()) {
      giveStale(question, view);
      return;
    }
    void askAnew(question, view)?.then((record) => {
      if (isFailure(record) && cache.lifeMs(question, nowMs()) < LATE_MS) giveStale(question, view);
    });
  }

  /** In the background; undefined where that may not be now. */
  function askAnew(question: Question, view: View): Promise<Uint8Array> | undefined {
    const key = keyOf(question);
    if (inFlight.has(key) || failures.get(key, nowMs()) !== undefined) return undefined;
    if (inFlight.size >= IN_FLIGHT_MAX || !mayRefresh(nowMs())) {
      counters.refreshesRefused++;
      return undefined;
    }
    counters.refreshes++;
    log.cacheRefresh(question.name, typeName(question.type));
    const { record } = ask(question, view);
    void record.then((asked) => {
      if (isFailure(asked) || outcomeOf(asked) === OUTCOME_UNFIT) counters.refreshesFailed++;
    });
    return record;
  }

  function ask(question: Question, view: View): UnderWay {
    const key = keyOf(question);
    const record = askUpstreams(question, view, key).finally(() => {
      if (inFlight.get(key) === underWay) inFlight.delete(key);
    });
    const underWay = { record, sinceMs: nowMs() };
    inFlight.set(key, underWay);
    return underWay;
  }

  async function askUpstreams(question: Question, view: View, key: string): Promise<Uint8Array> {
    const generation = view.generation();
    const standstills = standstill.count();
    const asked = await view.ask(question, () => undefined);
    const isOfNow = generation === view.generation() && standstills === standstill.count(); // or of another view
    if ("record" in asked) {
      if (view.hasFixedOrder) setFlags(asked.record, RECORD_FLAG_FIXED_ORDER);
      const limits = isOfNow ? view.limits : KEPT_FOR_NOTHING;
      return cache.keep(asked.record, nowMs(), view.usualMs(), limits);
    }
    counters.failures++;
    log.questionFailed(question.name, typeName(question.type), asked.failure);
    if (asked.why === "lack") return cache.bare(question, OUTCOME_UNFIT, nowMs()); // libc may do better in its own process
    if (isOfNow) failures.add(key, asked, nowMs());
    return failed(question, asked);
  }

  /** glibc goes on with its search list after a server's failure, and not after silence: so the client has to know. */
  function failed(question: Question, { why }: Failure): Uint8Array {
    return cache.bare(question, OUTCOME_TEMPORARY, nowMs(), why === "silent" ? RECORD_FLAG_SILENT : 0);
  }

  function viewOf({ name }: Question): View {
    return views.viewOf(name);
  }

  return {
    resolve,
    refresh(held) {
      if (isDue(held.hits, held.refreshAtMs)) startRefresh(held.question());
    },
    forget() {
      inFlight.clear();
      failures.clear();
    },
  };
}

function keyOf({ name, type }: Question): string {
  return `${typeName(type)} ${name}`;
}

function isFailure(record: Uint8Array): boolean {
  return outcomeOf(record) === OUTCOME_TEMPORARY;
}
