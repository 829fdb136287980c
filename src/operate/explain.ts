// What is known of one name and type, and where it comes from: for who asks why a lookup is answered as it is.
import { OUTCOME_DATA, OUTCOME_NO_DATA, OUTCOME_NO_NAME } from "../../assembly/layout.ts";
import { nowMs } from "../clock.ts";
import type { Resolver } from "../resolve/resolver.ts";
import type { Views } from "../resolve/views.ts";
import type { Cache, Holding, Question } from "../table/cache.ts";
import { addressesOf, expiresAtMsOf, madeAtMsOf, namesOf, outcomeOf, refreshAtMsOf, ttlOf } from "../table/record.ts";
import { typeName } from "../type.ts";
import { outcomeName } from "./counts.ts";
import type { HeldReport, LookupReport } from "./snapshot.ts";

export interface Explaining {
  readonly cache: Pick<Cache, "hold">;
  readonly resolver: Pick<Resolver, "resolve" | "failureOf" | "originOf">;
  readonly views: Pick<Views, "viewOf" | "ruleOf" | "groupOf">;
}

/** @param mayAsk looks it up as a client would, where nothing fresh is held */
export async function explain(
  { cache, resolver, views }: Explaining,
  question: Question,
  mayAsk: boolean,
): Promise<LookupReport> {
  const { name } = question;
  const now = nowMs();
  const holding = cache.hold(question);
  const isFresh = holding !== undefined && expiresAtMsOf(holding.record) > now;
  const { isBypassed } = views.viewOf(name);
  const failure = resolver.failureOf(question);
  const hasAsked = mayAsk && !isFresh && !isBypassed;
  const record = hasAsked ? await resolver.resolve(question) : holding?.record;
  return {
    name,
    type: typeName(question.type),
    rule: views.ruleOf(name),
    upstreams: views.groupOf(name).upstreams.map(({ text }) => text),
    isBypassed,
    held: holding && held(holding, now),
    failure: failure?.why,
    asked: hasAsked ? { seconds: (nowMs() - now) / 1000 } : undefined,
    origin: record !== undefined && isAnswer(record) ? resolver.originOf(question) : undefined,
    outcome: record && outcomeName(outcomeOf(record)),
    aliases: record === undefined ? [] : namesOf(record).slice(1),
    data: record === undefined ? [] : addressesOf(record),
  };
}

/** What else is given out comes from nobody. */
function isAnswer(record: Uint8Array): boolean {
  return [OUTCOME_DATA, OUTCOME_NO_NAME, OUTCOME_NO_DATA].includes(outcomeOf(record));
}

function held({ place, slot, record, hits }: Holding, now: number): HeldReport {
  const remainingSeconds = (expiresAtMsOf(record) - now) / 1000;
  return {
    place,
    slot,
    outcome: outcomeName(outcomeOf(record)),
    originalTtlSeconds: ttlOf(record),
    remainingSeconds,
    refreshInSeconds: (refreshAtMsOf(record) - now) / 1000,
    hits,
    isStale: madeAtMsOf(record) + ttlOf(record) * 1000 <= now,
  };
}
