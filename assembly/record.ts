// Builds a record in the RECORD region (layout.ts shows its form): begin, names, data, finish. Room is checked at each
// step: a record that would pass RECORD_BYTES_MAX is given up, never cut.

import { checksum } from "./hash";
import {
  RECORD_BYTES_MAX,
  RECORD_CHAIN_COUNT,
  RECORD_CHECKSUM,
  RECORD_DATA_COUNT,
  RECORD_DATA_OFFSET,
  RECORD_HEADER_BYTES,
  RECORD_LENGTH,
  RECORD_NAMES,
  RECORD_OUTCOME,
  RECORD_TTL_SECONDS,
  RECORD_TYPE,
} from "./layout";
import { QUESTION, RECORD } from "./memory";
import { writeText } from "./name";

let end: u32 = 0;

/** A record with no name yet; the question's comes first. */
export function begin(type: u32): void {
  memory.fill(RECORD, 0, RECORD_HEADER_BYTES);
  store<u16>(RECORD, <u16>type, RECORD_TYPE);
  end = RECORD_NAMES;
}

export function addName(wire: usize, wireBytes: u32): bool {
  if (end + wireBytes > <u32>RECORD_BYTES_MAX) return false;
  end += writeText(wire, wireBytes, RECORD + end);
  return true;
}

export function addChainName(wire: usize, wireBytes: u32): bool {
  store<u8>(RECORD, load<u8>(RECORD, RECORD_CHAIN_COUNT) + 1, RECORD_CHAIN_COUNT);
  return addName(wire, wireBytes);
}

/** After the names, before the data: these start at a multiple of 4. */
export function endNames(): void {
  zeroTo((end + 3) & ~3);
  store<u16>(RECORD, <u16>end, RECORD_DATA_OFFSET);
}

export function addData(from: usize, bytes: u32): bool {
  if (end + bytes > <u32>RECORD_BYTES_MAX) return false;
  memory.copy(RECORD + end, from, bytes);
  end += bytes;
  countData();
  return true;
}

export function addDataName(wire: usize, wireBytes: u32): bool {
  countData();
  return addName(wire, wireBytes);
}

/** Neither settled nor sealed yet. */
export function finish(outcome: u32, ttlSeconds: u32): void {
  zeroTo(8 + ((end - 8 + 15) & ~15)); // fits: RECORD_BYTES_MAX is 8 more than a multiple of 16 too
  store<u8>(RECORD, <u8>outcome, RECORD_OUTCOME);
  store<u32>(RECORD, ttlSeconds, RECORD_TTL_SECONDS);
  store<u16>(RECORD, <u16>end, RECORD_LENGTH);
}

/** A record without data for the question whose name is in QUESTION. */
export function makeBare(type: u32, outcome: u32): void {
  begin(type);
  const bytes = <u32>load<u8>(QUESTION) + 1;
  memory.copy(RECORD + end, QUESTION, bytes);
  end += bytes;
  endNames();
  finish(outcome, 0);
}

export function seal(): void {
  store<u64>(RECORD, checksum(RECORD, <u32>load<u16>(RECORD, RECORD_LENGTH)), RECORD_CHECKSUM);
}

function countData(): void {
  store<u16>(RECORD, load<u16>(RECORD, RECORD_DATA_COUNT) + 1, RECORD_DATA_COUNT);
}

function zeroTo(offset: u32): void {
  memory.fill(RECORD + end, 0, offset - end);
  end = offset;
}
