// The answer section's index. The section is read once, and what may matter in it noted, so that a CNAME chain is followed
// in any order of the records at the price of comparing hashes:
//
//   0         4         6           8      10          12       16
//   | hash of | owner's | type      | data | bytes of  | ttl s  |
//   | owner   | offset  |           | at   | data      |        |
//
// It cannot overflow: a record takes 11 bytes of the message at least, so there are less than 6144.

import { advance, at, end, load16 } from "./bytes";
import { TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_OPT } from "./layout";
import { ANSWERS, CURRENT, MESSAGE, OWNER } from "./memory";
import { nameHash, unpack } from "./name";
import { CLASS_IN, dataBytes, readFields, recordClass, recordTtl, recordType } from "./rr";

const ENTRY_BYTES: usize = 16;
const ENTRY_HASH: usize = 0;
const ENTRY_OWNER: usize = 4;
const ENTRY_TYPE: usize = 6;
const ENTRY_DATA: usize = 8;
const ENTRY_DATA_BYTES: usize = 10;
const ENTRY_TTL: usize = 12;

const NO_OWNER: u32 = 0xffffffff;

let answersEnd: usize = ANSWERS;

let wantedHash: u32 = 0; // of the name in CURRENT
let wantedBytes: u32 = 0;
let sameOwner: u32 = NO_OWNER; // offset of an owner that was compared to it and is equal

/** Reads so many records from the cursor on; false where one is malformed. */
export function indexAnswers(count: u32, askedType: u32): bool {
  let lastPointer: u32 = 0; // most owners are one pointer, the same as before: unpacked once
  let lastHash: u32 = 0;
  answersEnd = ANSWERS;
  for (; count > 0; count--) {
    const start = at;
    const pointer = end - at < 2 ? 0 : load16(MESSAGE + at);
    if (pointer >= 0xc000 && pointer == lastPointer) {
      advance(2);
    } else {
      if (unpack(start, OWNER) == 0) return false;
      lastPointer = pointer;
      lastHash = nameHash;
    }
    if (!readFields() || recordType == TYPE_OPT) return false;
    const data = at;
    advance(dataBytes);
    if (recordClass != CLASS_IN || (recordType != askedType && recordType != TYPE_CNAME)) continue;
    if (recordType == TYPE_A && dataBytes != 4) return false;
    if (recordType == TYPE_AAAA && dataBytes != 16) return false;
    store<u32>(answersEnd, lastHash, ENTRY_HASH);
    store<u16>(answersEnd, <u16>(pointer >= 0xc000 ? pointer & 0x3fff : start), ENTRY_OWNER);
    store<u16>(answersEnd, <u16>recordType, ENTRY_TYPE);
    store<u16>(answersEnd, <u16>data, ENTRY_DATA);
    store<u16>(answersEnd, <u16>dataBytes, ENTRY_DATA_BYTES);
    store<u32>(answersEnd, recordTtl, ENTRY_TTL);
    answersEnd += ENTRY_BYTES;
  }
  return true;
}

/** From now on the owner that is looked for is the name in CURRENT. */
export function lookFor(hash: u32, bytes: u32): void {
  wantedHash = hash;
  wantedBytes = bytes;
  sameOwner = NO_OWNER;
}

/** The first answer after `entry` (0: the first of all) that has this type and the owner that is looked for, or 0. */
export function findAnswer(entry: usize, type: u32): usize {
  for (entry = entry == 0 ? ANSWERS : entry + ENTRY_BYTES; entry < answersEnd; entry += ENTRY_BYTES) {
    if (load<u32>(entry, ENTRY_HASH) != wantedHash || load<u16>(entry, ENTRY_TYPE) != type) continue;
    const owner = <u32>load<u16>(entry, ENTRY_OWNER);
    if (owner == sameOwner) return entry;
    const bytes = unpack(owner, OWNER);
    if (bytes != wantedBytes || memory.compare(OWNER, CURRENT, bytes) != 0) continue;
    sameOwner = owner;
    return entry;
  }
  return 0;
}

/** The name that fills the entry's data, or 0. */
export function unpackData(entry: usize, to: usize): u32 {
  const bytes = unpack(dataAtOf(entry), to);
  return at == dataAtOf(entry) + dataBytesOf(entry) ? bytes : 0;
}

export function ttlOf(entry: usize): u32 {
  return load<u32>(entry, ENTRY_TTL);
}

export function dataAtOf(entry: usize): u32 {
  return load<u16>(entry, ENTRY_DATA);
}

export function dataBytesOf(entry: usize): u32 {
  return load<u16>(entry, ENTRY_DATA_BYTES);
}
