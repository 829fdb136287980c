// The table's invariants (table.ts), walked. Debug build only.

import { SET_BYTES, WAYS } from "./layout";
import { PLAIN, SETS } from "./memory";
import * as sound from "./sound";
import { denialCount, denials, isUpToDate, setCount, tagAt, usedCount } from "./table";

export function check(): void {
  let used: u32 = 0;
  let denied: u32 = 0;
  for (let index: u32 = 0; index < setCount; index++) {
    const set = SETS + index * SET_BYTES;
    if (!isUpToDate(set)) continue;
    for (let way = 0; way < WAYS; way++) {
      const isUsed = load<u64>(tagAt(set, way)) != 0;
      checkFault(sound.faultOf(set, way));
      if (!isUsed) continue;
      used++;
      denied += denials(PLAIN);
    }
  }
  assert(used == usedCount, "used slots are miscounted");
  assert(denied == denialCount, "denials are miscounted");
}

function checkFault(fault: i32): void {
  assert(fault != sound.NOT_EMPTY, "an empty slot is not zero");
  assert(fault != sound.BAD_LENGTH, "bad length");
  assert(fault != sound.BAD_OUTCOME, "bad outcome");
  assert(fault != sound.BAD_NONCE, "nonce is 0");
  assert(fault != sound.BAD_CHECKSUM, "bad checksum");
  assert(fault != sound.BAD_TAIL, "not zero after the record");
  assert(fault != sound.BAD_NAMES, "data do not follow the names");
  assert(fault != sound.BAD_TYPE, "no such type");
  assert(fault != sound.BAD_COUNT, "data and outcome disagree");
  assert(fault != sound.BAD_DATA, "data do not fill the record");
  assert(fault != sound.BAD_TIMES, "to be refreshed after its end");
  assert(fault != sound.BAD_STALE, "a denial that is given out stale");
  assert(fault != sound.BAD_TAG, "tag is not the question's hash");
  assert(fault != sound.WRONG_SET, "in the wrong set");
  assert(fault != sound.TWICE, "a question is there twice");
  assert(fault == sound.SOUND, "a fault without a name");
}
