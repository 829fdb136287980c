// What a published table holds, read as a test may: nobody writes it meanwhile.
import * as layout from "../../assembly/layout.ts";
import { namesOf } from "../../src/table/record.ts";
import { unmasked } from "./masks.ts";

/** Where the slots with a record are in a table, with the names that they are of, in their order. */
export function slotsIn(table: Buffer): { name: string; at: number }[] {
  const found: { name: string; at: number }[] = [];
  for (let set = layout.HEADER_BYTES; set < table.length; set += layout.SET_BYTES) {
    for (let way = 0; way < layout.WAYS; way++) {
      const at = set + layout.TAG_LINE_BYTES + way * layout.SLOT_BYTES;
      if (table.readBigUInt64LE(at + layout.RECORD_NONCE) === 0n) continue;
      found.push({ name: namesOf(unmasked(table.subarray(at, at + layout.SLOT_BYTES)))[0] as string, at });
    }
  }
  return found;
}
