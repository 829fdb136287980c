// What is wrong with a slot, by the table's invariants (table.ts). Its bytes may be anything: no read goes past the slot
// for what stands in it. A sound record is left in PLAIN.

import { checksum } from "./hash";
import {
  CHAIN_MAX,
  OUTCOME_DATA,
  OUTCOME_NO_NAME,
  RECORD_CHAIN_COUNT,
  RECORD_CHECKSUM,
  RECORD_DATA_COUNT,
  RECORD_DATA_OFFSET,
  RECORD_EXPIRES_AT_MS,
  RECORD_HEADER_BYTES,
  RECORD_NAMES,
  RECORD_NONCE,
  RECORD_OUTCOME,
  RECORD_REFRESH_AT_MS,
  RECORD_STALE_MS,
  RECORD_TYPE,
  SLOT_BYTES,
  TYPE_A,
  TYPE_AAAA,
  TYPE_PTR,
} from "./layout";
import { lengthOf } from "./mask";
import { OTHER, PLAIN, QUESTION } from "./memory";
import { hashQuestion, setOf, slotAt, tagAt, unmask } from "./table";

export const SOUND: i32 = 0;
export const NOT_EMPTY: i32 = 1;
export const BAD_LENGTH: i32 = 2;
export const BAD_OUTCOME: i32 = 3;
export const BAD_NONCE: i32 = 4;
export const BAD_CHECKSUM: i32 = 5;
export const BAD_TAIL: i32 = 6;
export const BAD_NAMES: i32 = 7;
export const BAD_TYPE: i32 = 8;
export const BAD_COUNT: i32 = 9;
export const BAD_DATA: i32 = 10;
export const BAD_TIMES: i32 = 11;
export const BAD_STALE: i32 = 12;
export const BAD_TAG: i32 = 13;
export const WRONG_SET: i32 = 14;
export const TWICE: i32 = 15;

const NO_PLACE: u32 = 0xffffffff;

export function faultOf(set: usize, way: u32): i32 {
  const slot = slotAt(set, way);
  const tag = load<u64>(tagAt(set, way));
  if (tag == 0) return isEmpty(slot) ? SOUND : NOT_EMPTY;
  const fault = faultOfSlot(slot);
  if (fault != SOUND) return fault;
  memory.copy(QUESTION, PLAIN + RECORD_NAMES, <u32>load<u8>(PLAIN, RECORD_NAMES) + 1);
  if (hashQuestion(QUESTION, load<u16>(PLAIN, RECORD_TYPE)) != tag) return BAD_TAG;
  if (setOf(tag) != set) return WRONG_SET;
  for (let other: u32 = 0; other < way; other++) {
    if (load<u64>(tagAt(set, other)) != tag) continue;
    unmask(slotAt(set, other), OTHER);
    if (isSameQuestion(OTHER, PLAIN)) return TWICE;
  }
  return SOUND;
}

function isEmpty(slot: usize): bool {
  return isZero(slot, SLOT_BYTES);
}

function faultOfSlot(slot: usize): i32 {
  const length = lengthOf(slot);
  if (load<u64>(slot, RECORD_NONCE) == 0) return BAD_NONCE;
  if (length <= <u32>RECORD_HEADER_BYTES || length > <u32>SLOT_BYTES || length % 16 != 8) return BAD_LENGTH;
  if (load<u64>(slot, RECORD_CHECKSUM) != checksum(slot, length)) return BAD_CHECKSUM;
  if (!isZero(slot + length, SLOT_BYTES - length)) return BAD_TAIL;
  unmask(slot, PLAIN);
  return faultOfRecord(PLAIN, length);
}

function faultOfRecord(record: usize, length: u32): i32 {
  const outcome = <i32>load<u8>(record, RECORD_OUTCOME);
  if (outcome < OUTCOME_DATA || outcome > OUTCOME_NO_NAME) return BAD_OUTCOME;
  if (load<u64>(record, RECORD_REFRESH_AT_MS) > load<u64>(record, RECORD_EXPIRES_AT_MS)) return BAD_TIMES;
  if (load<u32>(record, RECORD_STALE_MS) != 0 && outcome != OUTCOME_DATA) return BAD_STALE;

  const chain = <u32>load<u8>(record, RECORD_CHAIN_COUNT);
  if (chain > <u32>CHAIN_MAX) return BAD_NAMES;
  const at = afterNames(record, RECORD_NAMES, chain + 1, length);
  const data = <u32>load<u16>(record, RECORD_DATA_OFFSET);
  if (at == NO_PLACE || data < at || data - at >= 4 || data > length) return BAD_NAMES;
  if (!isZero(record + at, data - at)) return BAD_NAMES;

  const type = <u32>load<u16>(record, RECORD_TYPE);
  const count = <u32>load<u16>(record, RECORD_DATA_COUNT);
  if ((count != 0) != (outcome == OUTCOME_DATA)) return BAD_COUNT;
  let end = NO_PLACE;
  if (type == TYPE_A) end = data + count * 4;
  else if (type == TYPE_AAAA) end = data + count * 16;
  else if (type == TYPE_PTR) end = afterNames(record, data, count, length);
  else return BAD_TYPE;
  if (end > length || length - end >= 16 || !isZero(record + end, length - end)) return BAD_DATA;
  return SOUND;
}

/** Where so many names, of u8 length and text, end that start at `at`, or NO_PLACE. */
function afterNames(record: usize, at: u32, count: u32, length: u32): u32 {
  for (; count > 0; count--) {
    if (at >= length) return NO_PLACE;
    at += <u32>load<u8>(record + at) + 1;
  }
  return at > length ? NO_PLACE : at;
}

function isSameQuestion(one: usize, other: usize): bool {
  if (load<u16>(one, RECORD_TYPE) != load<u16>(other, RECORD_TYPE)) return false;
  return memory.compare(one + RECORD_NAMES, other + RECORD_NAMES, <u32>load<u8>(one, RECORD_NAMES) + 1) == 0;
}

/** Eight at a time: a start looks at every byte of a large table. */
function isZero(from: usize, bytes: u32): bool {
  for (; bytes >= 8; bytes -= 8, from += 8) if (load<u64>(from) != 0) return false;
  for (; bytes > 0; bytes--, from++) if (load<u8>(from) != 0) return false;
  return true;
}
