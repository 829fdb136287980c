// Which candidate of a search list wins, and its records. The rule that protects users: a candidate that failed for a
// temporary reason is never skipped over to a later one that exists, since traffic would go to the wrong service.
import { OUTCOME_NO_DATA, OUTCOME_NO_NAME } from "../assembly/layout.ts";
import { chainCountOf, outcomeOf } from "./record.ts";
import type { Resolver } from "./resolver.ts";

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

/**
 * The first candidate with data, or with a failure that is not final; else the first that exists without data; else
 * the last one. While answers are at hand they are taken in turn; from the first that is not, the rest is asked for
 * at once, so that a cold search costs one round trip (two where the name as it is comes first).
 */
export function search(
  resolve: Resolver["resolve"],
  candidates: readonly string[],
  types: readonly number[],
  rule = PLAIN_SEARCH,
): Found | Promise<Found> {
  const answersOf = (name: string) => types.map((type) => resolve({ name, type }));
  return searchFrom(0, undefined);

  function searchFrom(start: number, failing: Found | undefined): Found | Promise<Found> {
    for (let candidate = start; candidate < candidates.length; candidate++) {
      const answers = answersOf(candidates[candidate] as string);
      if (answers.some((answer) => answer instanceof Promise)) return wait(candidate, answers, failing);
      const found = { candidate, records: answers as Uint8Array[] };
      if (isFinal(found, rule)) return found;
      failing = failure(failing, found, rule);
    }
    return failing as Found;
  }

  async function wait(candidate: number, answers: Answers, failing: Found | undefined): Promise<Found> {
    if (candidate > 0 || !rule.asIsFirst) {
      const rest = candidates.slice(candidate + 1).map(answersOf);
      return searchRest([answers, ...rest], candidate, failing, rule);
    }
    const found = { candidate, records: await Promise.all(answers) };
    return isFinal(found, rule) ? found : searchFrom(1, found);
  }
}

type Answers = ReadonlyArray<Uint8Array | Promise<Uint8Array>>;

async function searchRest(
  rest: readonly Answers[],
  first: number,
  failing: Found | undefined,
  rule: SearchRule,
): Promise<Found> {
  for (const [index, answers] of rest.entries()) {
    const found = { candidate: first + index, records: await Promise.all(answers) };
    if (isFinal(found, rule)) return found;
    failing = failure(failing, found, rule);
  }
  return failing as Found;
}

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
