// Which candidate of a search list wins, and its records. The rule that protects users: a candidate that failed for a
// temporary reason is never skipped over to a later one that exists, since traffic would go to the wrong service.
import { OUTCOME_NO_DATA, OUTCOME_NO_NAME } from "../../assembly/layout.ts";
import type { Resolver } from "../resolve/resolver.ts";
import { chainCountOf, outcomeOf } from "../table/record.ts";

export interface Found {
  /** Index of the candidate that the records are for. */
  readonly candidate: number;
  /** One per type asked for, in that order. */
  readonly records: readonly Uint8Array[];
}
/** Where the libcs differ. */
export interface SearchRule {
  /** The first candidate is the name as it is: the rest is for where it does not exist, and its failure is the answer. */
  readonly asIsFirst: boolean;
  /** A candidate that exists without data ends the search. */
  readonly endsAtNoData: boolean;
}

export const PLAIN_SEARCH: SearchRule = { asIsFirst: false, endsAtNoData: false };

// Kubernetes' four domains, both families, are asked for at once; a longer list comes as fast as its answers do. So a client
// has no more than ten questions under way, and a server gets no burst that it would drop.
const AHEAD_MAX = 8;

/**
 * The first candidate with data, or with a failure that is not final; else the first that exists without data; else
 * the last one. While answers are at hand they are taken in turn; from the first that is not, those behind it are asked for
 * with it, so that a cold search costs one round trip. Two where the name as it is comes first, and where it comes last
 * without a dot: no server is told of `db` whose list knows it.
 *
 * @param asks is told each time that questions are put which are not answered at once
 */
export function search(
  { resolve, together }: Pick<Resolver, "resolve" | "together">,
  candidates: readonly string[],
  types: readonly number[],
  rule = PLAIN_SEARCH,
  asks: () => void = () => undefined,
): Found | Promise<Found> {
  const waiting = new Set<Answers[number]>();
  let hasAsked = false;
  const isBareLast = candidates.length > 1 && !(candidates.at(-1) as string).includes(".");
  const aheadEnd = candidates.length - Number(isBareLast);

  let failing: Found | undefined;
  for (let candidate = 0; candidate < candidates.length; candidate++) {
    const answers = answersOf(candidate);
    if (waiting.size > 0) return wait(candidate, answers);
    const found = foundAt(candidate, answers as Uint8Array[]);
    if (isFinal(found, rule)) return found;
    failing = failure(failing, found, rule);
  }
  return failing as Found;

  function answersOf(candidate: number): Answers {
    const name = candidates[candidate] as string;
    return types.map((type) => {
      const answer = resolve({ name, type });
      if (answer instanceof Promise) {
        hasAsked = true;
        waiting.add(answer);
        void answer.then(() => waiting.delete(answer));
      }
      return answer;
    });
  }

  async function wait(first: number, answers: Answers): Promise<Found> {
    const ahead: Answers[] = [];
    for (let candidate = first, current = answers; ; candidate++) {
      if (!(rule.asIsFirst && candidate === 0)) askAhead(candidate, ahead);
      if (hasAsked) asks();
      hasAsked = false;
      const found = foundAt(candidate, await Promise.all(current));
      if (isFinal(found, rule)) return found;
      failing = failure(failing, found, rule);
      if (candidate + 1 === candidates.length) return failing;
      current = ahead.shift() ?? answersOf(candidate + 1);
    }
  }

  function askAhead(candidate: number, ahead: Answers[]): void {
    let open = ahead.flat().filter((answer) => waiting.has(answer)).length;
    for (let next = candidate + 1 + ahead.length; next < aheadEnd && open + types.length <= AHEAD_MAX; next++) {
      const answers = answersOf(next);
      open += answers.filter((answer) => waiting.has(answer)).length;
      ahead.push(answers);
    }
  }

  function foundAt(candidate: number, records: readonly Uint8Array[]): Found {
    return { candidate, records: together(candidates[candidate] as string, types, records) };
  }
}

type Answers = ReadonlyArray<Uint8Array | Promise<Uint8Array>>;

/** Data, an alias that leads to none, or a failure that is not the name's own: the search goes no further. */
function isFinal({ records }: Found, { endsAtNoData }: SearchRule): boolean {
  const isNoData = (record: Uint8Array) => outcomeOf(record) === OUTCOME_NO_DATA;
  return (
    records.some((record) => (isNoData(record) ? chainCountOf(record) > 0 : outcomeOf(record) !== OUTCOME_NO_NAME)) ||
    (endsAtNoData && records.every(isNoData))
  );
}

/** Of two failing candidates the one that counts in the end. */
function failure(earlier: Found | undefined, later: Found, { asIsFirst }: SearchRule): Found {
  const counts = (found: Found) =>
    (asIsFirst && found.candidate === 0) || found.records.some((record) => outcomeOf(record) === OUTCOME_NO_DATA);
  return earlier !== undefined && counts(earlier) ? earlier : later;
}
