// The table's invariants (table.ts), walked. Debug build only.

import { checksum } from "./hash";
import {
  OUTCOME_DATA,
  OUTCOME_NO_NAME,
  RECORD_CHAIN_COUNT,
  RECORD_CHECKSUM,
  RECORD_DATA_COUNT,
  RECORD_DATA_OFFSET,
  RECORD_GENERATION,
  RECORD_HEADER_BYTES,
  RECORD_LENGTH,
  RECORD_NAMES,
  RECORD_OUTCOME,
  RECORD_TYPE,
  SET_BYTES,
  SLOT_BYTES,
  TYPE_A,
  TYPE_AAAA,
  WAYS,
} from "./layout";
import { QUESTION, SETS } from "./memory";
import { hashQuestion, setCount, setOf, slotAt, tagAt, usedCount } from "./table";

export function check(): void {
  let used: u32 = 0;
  for (let index: u32 = 0; index < setCount; index++) {
    const set = SETS + index * SET_BYTES;
    for (let way = 0; way < WAYS; way++) {
      const tag = load<u64>(tagAt(set, way));
      if (tag == 0) checkEmpty(slotAt(set, way));
      else {
        used++;
        checkUsed(slotAt(set, way), tag, set);
        for (let other = 0; other < way; other++) {
          if (load<u64>(tagAt(set, other)) == tag)
            assert(!isSameQuestion(slotAt(set, other), slotAt(set, way)), "a question is there twice");
        }
      }
    }
  }
  assert(used == usedCount, "used slots are miscounted");
}

function checkEmpty(slot: usize): void {
  assert(
    isZero(slot, RECORD_GENERATION) && isZero(slot + RECORD_LENGTH, SLOT_BYTES - RECORD_LENGTH),
    "an empty slot is not zero",
  );
}

function checkUsed(slot: usize, tag: u64, set: usize): void {
  const length = <u32>load<u16>(slot, RECORD_LENGTH);
  const outcome = <i32>load<u8>(slot, RECORD_OUTCOME);
  assert(length > <u32>RECORD_HEADER_BYTES && length <= <u32>SLOT_BYTES && length % 16 == 8, "bad length");
  assert(outcome >= OUTCOME_DATA && outcome <= OUTCOME_NO_NAME, "bad outcome");
  assert(load<u32>(slot, RECORD_GENERATION) != 0, "generation is 0");
  assert(load<u64>(slot, RECORD_CHECKSUM) == checksum(slot, length), "bad checksum");
  assert(isZero(slot + length, SLOT_BYTES - length), "not zero after the record");

  let at: u32 = RECORD_NAMES;
  for (let names = <u32>load<u8>(slot, RECORD_CHAIN_COUNT) + 1; names > 0; names--) at += <u32>load<u8>(slot + at) + 1;
  const data = <u32>load<u16>(slot, RECORD_DATA_OFFSET);
  assert(data >= at && data - at < 4 && isZero(slot + at, data - at), "data do not follow the names");
  const type = <u32>load<u16>(slot, RECORD_TYPE);
  const count = <u32>load<u16>(slot, RECORD_DATA_COUNT);
  assert((count != 0) == (outcome == OUTCOME_DATA), "data and outcome disagree");
  let end = data;
  if (type == TYPE_A) end += count * 4;
  else if (type == TYPE_AAAA) end += count * 16;
  else for (let names = count; names > 0; names--) end += <u32>load<u8>(slot + end) + 1;
  assert(end <= length && length - end < 16 && isZero(slot + end, length - end), "data do not fill the record");

  memory.copy(QUESTION, slot + RECORD_NAMES, <u32>load<u8>(slot, RECORD_NAMES) + 1);
  assert(hashQuestion(QUESTION, type) == tag, "tag is not the question's hash");
  assert(setOf(tag) == set, "in the wrong set");
}

function isSameQuestion(one: usize, other: usize): bool {
  if (load<u16>(one, RECORD_TYPE) != load<u16>(other, RECORD_TYPE)) return false;
  return memory.compare(one + RECORD_NAMES, other + RECORD_NAMES, <u32>load<u8>(one, RECORD_NAMES) + 1) == 0;
}

function isZero(from: usize, bytes: u32): bool {
  for (let i: u32 = 0; i < bytes; i++) if (load<u8>(from + i) != 0) return false;
  return true;
}
