// Which candidate of a search list wins, and its records. The rule that protects users: a candidate that failed for a
// temporary reason is never skipped over to a later one that exists, since traffic would go to the wrong service.
import { OUTCOME_NO_DATA, OUTCOME_NO_NAME } from "../assembly/layout.ts";
import { outcomeOf } from "./record.ts";
import type { Resolver } from "./resolver.ts";

export interface Found {
  /** Index of the candidate that the records are for. */
  readonly candidate: number;
  /** One per type asked for, in that order. */
  readonly records: readonly Uint8Array[];
}

/**
 * The first candidate with data, or with a failure that is not final; else the first that exists without data; else
 * the last one. While answers are at hand they are taken in turn; from the first that is not, the rest is asked for
 * at once, so that a cold search costs one round trip.
 */
export function search(
  resolve: Resolver["resolve"],
  candidates: readonly string[],
  types: readonly number[],
): Found | Promise<Found> {
  let existing: Found | undefined;
  for (const [candidate, name] of candidates.entries()) {
    const answers = types.map((type) => resolve({ name, type }));
    if (answers.some((answer) => answer instanceof Promise)) {
      const rest = candidates.slice(candidate + 1).map((later) => types.map((type) => resolve({ name: later, type })));
      return searchRest([answers, ...rest], candidate, existing);
    }
    const found = { candidate, records: answers as Uint8Array[] };
    if (isFinal(found) || (candidate === candidates.length - 1 && existing === undefined)) return found;
    existing ??= exists(found) ? found : undefined;
  }
  return existing as Found;
}

async function searchRest(
  rest: ReadonlyArray<ReadonlyArray<Uint8Array | Promise<Uint8Array>>>,
  first: number,
  existing: Found | undefined,
): Promise<Found> {
  let last: Found | undefined;
  for (const [index, answers] of rest.entries()) {
    last = { candidate: first + index, records: await Promise.all(answers) };
    if (isFinal(last)) return last;
    existing ??= exists(last) ? last : undefined;
  }
  return existing ?? (last as Found);
}

/** Data, or a failure that is not the name's own: the search goes no further. */
function isFinal({ records }: Found): boolean {
  return records.some((record) => {
    const outcome = outcomeOf(record);
    return outcome !== OUTCOME_NO_DATA && outcome !== OUTCOME_NO_NAME;
  });
}

function exists({ records }: Found): boolean {
  return records.some((record) => outcomeOf(record) === OUTCOME_NO_DATA);
}
