// Going on with the table of a server that is gone: its sets have been read over the image's, its seeds and its epoch over
// the header's, and nothing of them is trusted. First takeOver (table.ts), then each set that is not empty is adopted, once.

import { endsInTime } from "./expiry";
import { SET_BYTES, WAYS } from "./layout";
import { PLAIN, SETS } from "./memory";
import { faultOf, SOUND } from "./sound";
import { bringUpToDate, countUsed, emptySlot, tagAt } from "./table";

/** Empties what is not sound and what would last longer than the limits allow; gives the number of slots changed. */
export function adopt(setIndex: u32, nowMs: f64): u32 {
  const set = SETS + <usize>setIndex * SET_BYTES;
  let changed: u32 = 0;
  bringUpToDate(set);
  for (let way: u32 = 0; way < <u32>WAYS; way++) {
    const isUsed = load<u64>(tagAt(set, way)) != 0;
    if (faultOf(set, way) == SOUND && (!isUsed || endsInTime(PLAIN, nowMs))) {
      if (isUsed) countUsed(PLAIN);
    } else {
      emptySlot(set, way);
      changed++;
    }
  }
  return changed;
}
