// A question's way to its record: the cache, else an equal question that is already under way, else the upstreams; and where
// these fail or are late, the record whose time has passed (RFC 8767).
//
// The map of this folder. Who is asked for a name, and by which limits: views.ts; what of that the table's header tells:
// view.ts. What is under way: underway.ts; what has failed: failures.ts, and what its clients are told: failed.ts. What is
// refreshed when servers are back: recovery.ts, at which rate at most: ratecap.ts. For people: names.ts (by toplist.ts) and
// origins.ts.
import { OUTCOME_DATA, OUTCOME_UNFIT, RECORD_FLAG_FIXED_ORDER, TYPE_A, TYPE_AAAA } from "../../assembly/layout.ts";
import { nowMs, realMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Log } from "../log.ts";
import type { Cache, Held, Question } from "../table/cache.ts";
import { outcomeOf, refreshAtMsOf, setFlags } from "../table/record.ts";
import type { Standstill } from "../table/standstill.ts";
import { typeIndex, typeName } from "../type.ts";
import type { Why } from "../upstream/ask.ts";
import type { Wheel } from "../wheel.ts";
import { failed, isFailure, together } from "./failed.ts";
import { createFailures, type Failure } from "./failures.ts";
import type { Names } from "./names.ts";
import { createOrigins, type Origin } from "./origins.ts";
import { createRateCap } from "./ratecap.ts";
import { createRecovery } from "./recovery.ts";
import { createQuestions, keyOf, type UnderWay } from "./underway.ts";
import type { View, Views } from "./views.ts";

export interface Resolver {
  /** A sealed record: at once where it is known, else when the upstreams have answered or failed. Never rejects. */
  resolve(question: Question): Uint8Array | Promise<Uint8Array>;
  /** The records of a name's types, each resolved, for who has asked for all of them. */
  together(name: string, types: readonly number[], records: readonly Uint8Array[]): readonly Uint8Array[];
  /**
   * Asks anew in the background for what is in use and near its end, and for nothing else; less readily for one of many that
   * a client has told of at once.
   */
  refresh(held: Held, isOneOfMany?: boolean): void;
  /** Whoever asks from now on for one that is meant does not get what others have asked for before. */
  forget(isMeant?: (name: string) => boolean): Forgotten;
  /** Why its last attempt failed, while that is remembered. */
  failureOf(question: Question): Failure | undefined;
  /** Where its last answer came from, while that is remembered. */
  originOf(question: Question): Origin | undefined;
  /** Questions that upstreams are asked. */
  inFlight(): number;
}

export interface Forgotten {
  readonly failures: number;
  readonly underWay: number;
}

export interface ResolverOptions {
  readonly cache: Cache;
  readonly views: Pick<Views, "viewOf">;
  readonly prefetch: boolean;
  readonly standstill: Pick<Standstill, "count">;
  readonly wheel: Wheel;
  readonly names: Names;
  readonly counters: Counters;
  readonly log: Log;
}

const AT_ONCE_MS = 250; // nobody is kept waiting by it, and a server that answers again usually does so within
const LATE_MS = 1800; // RFC 8767 section 5: the client response timer
const REFRESH_HITS_MIN = 2; // one lookup is no sign of another
// A refresh costs some 35 µs of CPU with its socket, so these are 2 % of a core; 65,536 names in use, of 5 minutes each, need
// 243 a second. Who has many at once leaves others the last half.
const REFRESHES_PER_SECOND = 500;
const REFRESHES_LEFT_BY_MANY = REFRESHES_PER_SECOND / 2;
const OTHER_TYPES = new Map([
  [TYPE_A, TYPE_AAAA],
  [TYPE_AAAA, TYPE_A],
]);

export function createResolver(options: ResolverOptions): Resolver {
  const { cache, views, prefetch, standstill, wheel, names, counters, log } = options;
  const questions = createQuestions();
  const failures = createFailures();
  const origins = createOrigins();
  const mayRefresh = createRateCap(REFRESHES_PER_SECOND);
  const recovery = createRecovery({ refresh: (question) => askAnew(question, viewOf(question)) !== undefined, wheel });

  function resolve(question: Question): Uint8Array | Promise<Uint8Array> {
    standstill.count(); // whatever was known before is forgotten by this
    names.used(question.name);
    const known = cache.find(question, nowMs());
    if (known === undefined) {
      counters.misses++;
      counters.missesByType[typeIndex(question.type)]++;
      const found = find(question, viewOf(question));
      if (!(found instanceof Promise)) return counted(found);
      counters.waiting++;
      return found.then((record) => {
        counters.waiting--;
        return counted(record);
      });
    }
    counters.hits++;
    counters.hitsByType[typeIndex(question.type)]++;
    if (outcomeOf(known.record) !== OUTCOME_DATA) counters.hitsOfDenials++;
    counted(known.record);
    log.cacheHit(question.name, typeName(question.type));
    if (isDue(known.hits, refreshAtMsOf(known.record))) startRefresh(question);
    return known.record;
  }

  function find(question: Question, view: View): Uint8Array | Promise<Uint8Array> {
    const now = nowMs();
    const key = keyOf(question);
    if (view.isBypassed) {
      counters.bypassed++;
      return cache.bare(question, OUTCOME_UNFIT, now);
    }
    const failure = failures.get(key, view.generation(), now);
    const stale = failure !== undefined || view.isDown() ? giveStale(question, view) : undefined;
    if (stale !== undefined) {
      counters.givenStale++;
      return stale;
    }
    const standing = failures.standing(key, view.generation(), now);
    let underWay = questions.find(key, view);
    if (underWay !== undefined) counters.joined++;
    else if (failure !== undefined) {
      counters.failuresKnown++;
      return failed(cache, question, failure);
    } else if (!questions.hasRoom() && !giveUpOldest()) {
      counters.refusedBusy++;
      return cache.bare(question, OUTCOME_UNFIT, now);
    } else {
      counters.asked++;
      log.cacheWarmup(question.name, typeName(question.type));
      underWay = ask(question, key, view);
    }
    if (standing !== undefined) return orFailed(question, standing, underWay);
    return cache.mayServeStale(question, now, view.staleSeconds) ? orStale(question, view, underWay) : underWay.record;
  }

  /** What they say at once, for they were silent the last time. */
  function orFailed(question: Question, failure: Failure, { record, sinceMs }: UnderWay): Promise<Uint8Array> {
    return new Promise((resolve) => {
      const giveUp = () => resolve(failed(cache, question, failure));
      const stopWaiting = wheel.after(sinceMs + AT_ONCE_MS - nowMs(), giveUp);
      void record.then((fresh) => {
        stopWaiting();
        resolve(fresh);
      });
    });
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
  function startRefresh(question: Question, isOneOfMany = false): void {
    const view = viewOf(question);
    if (view.isDown()) {
      giveStale(question, view);
      return;
    }
    void askAnew(question, view, isOneOfMany)?.then((record) => {
      if (isFailure(record) && cache.lifeMs(question, nowMs()) < LATE_MS) giveStale(question, view);
    });
  }

  /** In the background; undefined where that may not be now. */
  function askAnew(question: Question, view: View, isOneOfMany = false): Promise<Uint8Array> | undefined {
    const now = nowMs();
    const key = keyOf(question);
    if (questions.find(key, view) !== undefined) return undefined;
    if (failures.get(key, view.generation(), now) !== undefined) return undefined;
    if (!questions.hasRoom() || !mayRefresh(now, isOneOfMany ? REFRESHES_LEFT_BY_MANY : 0)) {
      counters.refreshesRefused++;
      return undefined;
    }
    counters.refreshes++;
    log.cacheRefresh(question.name, typeName(question.type));
    const { record } = ask(question, key, view);
    void record.then((asked) => {
      if (isFailure(asked) || outcomeOf(asked) === OUTCOME_UNFIT) counters.refreshesFailed++;
      else counters.refreshesDone++;
    });
    return record;
  }

  function ask(question: Question, key: string, view: View): UnderWay {
    const underWay = questions.begin(question, key, view);
    void askUpstreams(underWay).then((record) => {
      questions.ended();
      underWay.give(record);
    });
    return underWay;
  }

  /** Its clients' libc goes on with it. */
  function giveUpOldest(): boolean {
    const oldest = questions.overdue();
    if (oldest === undefined) return false;
    const { question, generation, sinceMs } = oldest;
    const failing = { why: "unanswered", isOneSided: false, askedAtMs: sinceMs, generation } as const;
    counters.givenUp++;
    failures.add(keyOf(question), failing, nowMs());
    oldest.give(failed(cache, question, { why: "unanswered", isLasting: false }));
    return true;
  }

  async function askUpstreams(underWay: UnderWay): Promise<Uint8Array> {
    const { question, key, view, generation, sinceMs } = underWay;
    const standstills = standstill.count();
    const isOfNow = () =>
      !underWay.isForgotten && generation === view.generation() && standstills === standstill.count(); // or of another view
    const asked = await view.ask(question, (record) => {
      if (isOfNow()) takeLate(underWay, record);
    });
    names.took(question.name, typeName(question.type), nowMs() - sinceMs);
    if ("record" in asked) {
      const { origin } = asked;
      if (origin !== undefined) origins.add(question, origin, realMs());
      return isOfNow() ? keep(underWay, asked.record) : cache.pass(marked(asked.record, view), nowMs());
    }
    counters.failures++;
    names.failed(question.name);
    log.questionFailed(question.name, typeName(question.type), asked.failure);
    const { why } = asked;
    const now = nowMs();
    if (isOfNow() && why !== "lack") {
      failures.add(key, { why, isOneSided: isOneSided(underWay, why), askedAtMs: sinceMs, generation }, now);
    }
    return failed(cache, question, failures.get(key, generation, now) ?? { why, isLasting: false });
  }

  function counted(record: Uint8Array): Uint8Array {
    counters.outcomes[outcomeOf(record)] = (counters.outcomes[outcomeOf(record)] as number) + 1;
    return record;
  }

  function keep({ question, key, view }: UnderWay, record: Uint8Array): Uint8Array {
    failures.forget(key);
    const other = questions.find(keyOf(otherOf(question)), view);
    if (other !== undefined) other.isOtherAnswered = true;
    return cache.keep(marked(record, view), nowMs(), view.usualMs(), view.limits);
  }

  function marked(record: Uint8Array, { hasFixedOrder }: View): Uint8Array {
    if (hasFixedOrder) setFlags(record, RECORD_FLAG_FIXED_ORDER);
    return record;
  }

  /** Whoever asks for it once more need not wait for the servers again. */
  function takeLate(underWay: UnderWay, record: Uint8Array): void {
    if ((cache.answeredAtMs(underWay.question) ?? 0) > underWay.sinceMs) return;
    counters.answersLate++;
    const kept = keep(underWay, record);
    questions.find(underWay.key, underWay.view)?.give(kept);
  }

  /** Silence to one type alone, from a server that is there: the other type's answer is younger than the silence. */
  function isOneSided({ question, key, generation, sinceMs, isOtherAnswered }: UnderWay, why: Why): boolean {
    if (why === "said" || cache.answeredAtMs(question) !== undefined) return false;
    if (isOtherAnswered) return true;
    const otherAtMs = cache.answeredAtMs(otherOf(question));
    return otherAtMs !== undefined && otherAtMs >= (failures.sinceMs(key, generation, nowMs()) ?? sinceMs);
  }

  function viewOf({ name }: Question): View {
    return views.viewOf(name);
  }

  return {
    resolve,
    together: (name, types, records) => together(cache, name, types, records),
    refresh(held, isOneOfMany) {
      if (isDue(held.hits, held.refreshAtMs)) startRefresh(held.question(), isOneOfMany);
    },
    forget: (isMeant = () => true) => ({ underWay: questions.forget(isMeant), failures: failures.forgetAll(isMeant) }),
    failureOf: (question) => failures.get(keyOf(question), viewOf(question).generation(), nowMs()),
    originOf: origins.get,
    inFlight: questions.count,
  };
}

function otherOf({ name, type }: Question): Question {
  return { name, type: OTHER_TYPES.get(type) ?? type };
}
