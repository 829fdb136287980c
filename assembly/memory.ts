// The map of Wasm memory. Nothing is allocated: the server sizes the memory for the table and it never grows.
//
//   0            64 KiB      128 KiB     192 KiB    288 KiB                            320 KiB (IMAGE_AT)
//   | compiler's | message   | record    | answers  | question, query, …, slots   | 0 | image … | side … |
//
// The side region holds what readers of the published image have no use for, SIDE_BYTES for each set:
//
//   0       1      2     4         8                24
//   | marks | hand |  0  | age u32 | 8 × u16 hits   |
//
// marks: one bit a slot, set by a hit and cleared by the hand that looks for a victim.
// age: of the table that the set was last used in; that of an older one is empty, whatever it still holds.

import { HEADER_BYTES, IMAGE_AT, SET_BYTES, SIDE_BYTES } from "./layout";

export const MESSAGE: usize = 0x10000; // a reply as it came, up to MESSAGE_BYTES_MAX
export const RECORD: usize = MESSAGE + 0x10000; // the record under construction, up to RECORD_BYTES_MAX
export const ANSWERS: usize = RECORD + 0x10000; // the answer section's records of interest, see message.ts
export const QUESTION: usize = ANSWERS + 0x18000; // name of the question to the table: u8 length, text, zero to a multiple of 16
export const QUERY: usize = QUESTION + 0x200; // the question section that was sent
export const ASKED: usize = QUERY + 0x200; // wire name, lower case: the question's
export const CURRENT: usize = ASKED + 0x100; // … the name that the CNAME chain has come to
export const OWNER: usize = CURRENT + 0x100; // … the owner of the record being read
export const SETUP: usize = OWNER + 0x100; // a header page with the fields that the server fills
export const COOKIE: usize = SETUP + HEADER_BYTES; // the client's that was sent, behind it the server's that came

export const PLAIN: usize = COOKIE + 0x100; // a slot's record, unmasked
export const OTHER: usize = PLAIN + 0x200; // … another's, to be compared to it

export const IMAGE: usize = IMAGE_AT;
export const SETS: usize = IMAGE + HEADER_BYTES;

/** Bytes of memory for a table of so many sets. */
export function bytesNeeded(setCount: u32): u64 {
  return <u64>SETS + <u64>setCount * (SET_BYTES + SIDE_BYTES);
}
