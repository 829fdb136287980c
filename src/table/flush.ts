// Forgets what of the table is meant, slot by slot, for people who know that it is over. A large table is gone through in
// pieces, between which questions are answered.
import { HEADER_BYTES, SET_BYTES, SLOT_BYTES, TAG_BYTES, TAG_LINE_BYTES, WAYS } from "../../assembly/layout.ts";
import { namesOf, typeOf } from "./record.ts";
import type { Wasm } from "./wasm.ts";

const SETS_AT_ONCE = 32; // some 0.2 ms

/**
 * @param isMeant is given a record that it must not keep
 * @param remove empties the slot of a question
 * @returns how many went
 */
export async function flushTable(
  wasm: Wasm,
  isMeant: (record: Uint8Array) => boolean,
  remove: (name: string, type: number) => void,
): Promise<number> {
  let count = 0;
  for (let set = 0; set < wasm.setCount; set++) {
    if (set % SETS_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
    if (!wasm.isUsed(set)) continue;
    const setAt = HEADER_BYTES + set * SET_BYTES;
    for (let way = 0; way < WAYS; way++) {
      if (wasm.image.readBigUInt64LE(setAt + way * TAG_BYTES) === 0n) continue;
      wasm.open(setAt + TAG_LINE_BYTES + way * SLOT_BYTES);
      if (!isMeant(wasm.record)) continue;
      remove(namesOf(wasm.record)[0] as string, typeOf(wasm.record));
      count++;
    }
  }
  return count;
}
