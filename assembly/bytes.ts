// Network order, and a cursor over the message that is checked once at the end of a read: past the message's end every
// read gives 0 and `failed` stays set.

import { MESSAGE } from "./memory";

export let at: u32 = 0;
export let end: u32 = 0;
export let failed: bool = false;

export function load16(pointer: usize): u32 {
  return bswap<u16>(load<u16>(pointer));
}

export function load32(pointer: usize): u32 {
  return bswap<u32>(load<u32>(pointer));
}

export function open(messageBytes: u32): void {
  at = 0;
  end = messageBytes;
  failed = false;
}

export function read16(): u32 {
  return advance(2) ? load16(MESSAGE + at - 2) : 0;
}

export function read32(): u32 {
  return advance(4) ? load32(MESSAGE + at - 4) : 0;
}

/** False, and failed, where less than `bytes` are left. */
export function advance(bytes: u32): bool {
  if (failed || bytes > end - at) {
    failed = true;
    return false;
  }
  at += bytes;
  return true;
}

export function moveTo(offset: u32): void {
  if (offset > end) failed = true;
  else at = offset;
}
