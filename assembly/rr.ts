// One resource record of a message: owner and fixed fields. The cursor is then at its data.

import { at, end, failed, read16, read32 } from "./bytes";
import { OWNER } from "./memory";
import { unpack } from "./name";

export const CLASS_IN: u32 = 1;

export let ownerBytes: u32 = 0; // of the name in OWNER
export let recordType: u32 = 0;
export let recordClass: u32 = 0;
export let recordTtl: u32 = 0;
export let dataBytes: u32 = 0;

/** False where these are malformed or the data go past the message's end. */
export function readOwnerAndFields(): bool {
  ownerBytes = unpack(at, OWNER);
  return ownerBytes != 0 && readFields();
}

export function readFields(): bool {
  recordType = read16();
  recordClass = read16();
  recordTtl = read32();
  if (recordTtl & 0x80000000) recordTtl = 0; // RFC 2181 section 8
  dataBytes = read16();
  return !failed && dataBytes <= end - at;
}
