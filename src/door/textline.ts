// A question as a line of text, for people: `google.com` gets its addresses one a line, or a line that says why not.
import * as layout from "../../assembly/layout.ts";
import { addressesOf, outcomeOf } from "../table/record.ts";

export const LINE_BYTES_MAX = layout.NAME_BYTES_MAX + "\r\n".length + 1; // a name may end with a dot

const REASONS: Record<number, string> = {
  [layout.OUTCOME_NO_DATA]: "no data",
  [layout.OUTCOME_NO_NAME]: "no such name",
  [layout.OUTCOME_TEMPORARY]: "temporary failure",
  [layout.OUTCOME_UNFIT]: "cannot be answered here",
};

export function textAnswer(name: string, records: readonly Uint8Array[]): string {
  const addresses = records.flatMap((record) => (outcomeOf(record) === layout.OUTCOME_DATA ? addressesOf(record) : []));
  if (addresses.length > 0) return `${addresses.join("\n")}\n`;
  const worst = Math.max(...records.map(outcomeOf));
  return textError(name, REASONS[worst] ?? "no answer");
}

export function textError(subject: string, reason: string): string {
  return `${subject}: ${reason}\n`;
}
