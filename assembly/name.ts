// Names out of a message: unpacked to lower-case wire form (labels, each after its length, and a 0), then to text.
// Length bytes are at most 63 and no letter, so a wire name is lowered and compared as plain bytes.

import { end, failed, moveTo } from "./bytes";
import { LABEL_BYTES_MAX, NAME_BYTES_MAX } from "./layout";
import { MESSAGE } from "./memory";

const WIRE_BYTES_MAX: u32 = NAME_BYTES_MAX + 2;

// What unpacking may cost in one message, in labels, bytes and pointers: four times the longest message. Without it 64 KiB
// of records that all end in one ladder of pointers would be millions of steps.
const WORK_MAX: i32 = 0x40000;
let workLeft: i32 = 0;

export let nameHash: u32 = 0; // of the name last unpacked

export function allowWork(): void {
  workLeft = WORK_MAX;
}

export function isOverworked(): bool {
  return workLeft <= 0;
}

/** The name at `start`, unpacked; its bytes, or 0 where it is malformed. The cursor then stands behind it. */
export function unpack(start: u32, to: usize): u32 {
  let from = start;
  let segment = start; // a pointer goes before the start of the segment it ends, so each is lower than the last
  let after: u32 = 0;
  let bytes: u32 = 0;
  let hash: u32 = 0x811c9dc5;
  while (from < end && workLeft > 0) {
    const head = <u32>load<u8>(MESSAGE + from);
    if (head >= 0xc0) {
      if (from + 2 > end) return 0;
      if (after == 0) after = from + 2;
      const target = ((head & 0x3f) << 8) | <u32>load<u8>(MESSAGE + from, 1);
      if (target >= segment) return 0;
      segment = from = target;
      workLeft--;
    } else {
      if (head > <u32>LABEL_BYTES_MAX || head + 1 > end - from || bytes + head + 1 > WIRE_BYTES_MAX) return 0;
      for (let i: u32 = 0; i <= head; i++) {
        const byte = lower(load<u8>(MESSAGE + from + i));
        store<u8>(to + bytes + i, byte);
        hash = (hash ^ byte) * 0x01000193;
      }
      bytes += head + 1;
      from += head + 1;
      workLeft -= head + 1;
      if (head == 0) {
        nameHash = hash;
        moveTo(after == 0 ? from : after);
        return failed ? 0 : bytes;
      }
    }
  }
  return 0;
}

/** Whether `zone` is the name or an ancestor of it; both in wire form. */
export function isInZone(name: usize, nameBytes: u32, zone: usize, zoneBytes: u32): bool {
  while (nameBytes > zoneBytes) {
    const label = <u32>load<u8>(name) + 1;
    name += label;
    nameBytes -= label;
  }
  return nameBytes == zoneBytes && memory.compare(name, zone, zoneBytes) == 0;
}

/** Whether the name can be written as text and read back: printable, with no dot or backslash inside a label. */
export function isText(wire: usize): bool {
  if (load<u8>(wire) == 0) return false; // the root
  for (let label = <u32>load<u8>(wire++); label != 0; label = load<u8>(wire++)) {
    for (const next = wire + label; wire < next; wire++) {
      const byte = load<u8>(wire);
      if (byte < 0x21 || byte > 0x7e || byte == 0x2e || byte == 0x5c) return false;
    }
  }
  return true;
}

/**
 * Whether glibc would give the name out as a host's: letters, digits, '-' and '_', no '-' at the start. It refuses others
 * as canonical names and from PTR, so that no shell or log meets them.
 */
export function isHost(wire: usize): bool {
  if (load<u8>(wire) == 0 || load<u8>(wire, 1) == 0x2d) return false;
  for (let label = <u32>load<u8>(wire++); label != 0; label = load<u8>(wire++)) {
    for (const next = wire + label; wire < next; wire++) {
      const byte = load<u8>(wire);
      if (byte - 0x61 >= 26 && byte - 0x30 >= 10 && byte != 0x2d && byte != 0x5f) return false;
    }
  }
  return true;
}

/** Writes u8 length and text; gives the bytes written. `bytes` counts the wire form's. */
export function writeText(wire: usize, bytes: u32, to: usize): u32 {
  memory.copy(to, wire, bytes - 1);
  const first = <u32>load<u8>(wire);
  for (let dot = first + 1; dot < bytes - 1; ) {
    const label = <u32>load<u8>(wire + dot);
    store<u8>(to + dot, 0x2e);
    dot += label + 1;
  }
  const length = bytes < 2 ? 0 : bytes - 2; // the root has no text
  store<u8>(to, <u8>length);
  return length + 1;
}

export function lower(byte: u8): u8 {
  return byte - 0x41 < 26 ? byte | 0x20 : byte;
}
