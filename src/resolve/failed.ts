// What lookups are given for a question that has failed.
import {
  OUTCOME_DATA,
  OUTCOME_NO_NAME,
  OUTCOME_TEMPORARY,
  OUTCOME_UNFIT,
  RECORD_FLAG_SILENT,
  TYPE_A,
} from "../../assembly/layout.ts";
import { nowMs } from "../clock.ts";
import type { Cache, Question } from "../table/cache.ts";
import { flagsOf, outcomeOf } from "../table/record.ts";
import type { Failure } from "./failures.ts";

type Maker = Pick<Cache, "bare">;

/**
 * glibc goes on with its search list after a server's failure, and not after silence: so the client has to know. Where the
 * servers are there libc may wait longer than we do, and goes on itself, until that is known to be in vain.
 */
export function failed({ bare }: Maker, question: Question, { why, isLasting }: Failure): Uint8Array {
  if (why === "lack") return bare(question, OUTCOME_UNFIT, nowMs()); // libc may do better in its own process
  const outcome = why === "unanswered" && !isLasting ? OUTCOME_UNFIT : OUTCOME_TEMPORARY;
  return bare(question, outcome, nowMs(), why === "said" ? 0 : RECORD_FLAG_SILENT);
}

/**
 * The records of a name's types, for who has asked for all of them. Where one has data, nobody is to wait in libc for another
 * that servers are silent to. Both libcs take a denial of A for the name's own; a denial of AAAA alone is often false.
 */
export function together(
  { bare }: Maker,
  name: string,
  types: readonly number[],
  records: readonly Uint8Array[],
): readonly Uint8Array[] {
  if (!records.some(isSilence)) return records;
  const hasData = records.some((record) => outcomeOf(record) === OUTCOME_DATA);
  const isDenied = types.some((type, i) => type === TYPE_A && outcomeOf(records[i] as Uint8Array) === OUTCOME_NO_NAME);
  return records.map((record, i) => {
    const question = { name, type: types[i] as number };
    if (!isSilence(record)) return record;
    if (hasData) return bare(question, OUTCOME_TEMPORARY, nowMs(), RECORD_FLAG_SILENT);
    const isDeniedToo = isDenied && outcomeOf(record) === OUTCOME_TEMPORARY;
    return isDeniedToo ? bare(question, OUTCOME_NO_NAME, nowMs()) : record;
  });
}

export function isFailure(record: Uint8Array): boolean {
  return outcomeOf(record) === OUTCOME_TEMPORARY || isSilence(record);
}

function isSilence(record: Uint8Array): boolean {
  const isNone = outcomeOf(record) === OUTCOME_TEMPORARY || outcomeOf(record) === OUTCOME_UNFIT;
  return isNone && (flagsOf(record) & RECORD_FLAG_SILENT) !== 0;
}
