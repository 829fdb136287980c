// cache.table as a file: written whole, read back, retired. Clients have it mapped, so it is never made shorter and its
// place is taken by rename only.
import fs from "node:fs";
import { dirname } from "node:path";
import {
  BOOT_ID_BYTES,
  EPOCH_BYTES,
  HEADER_BOOT_ID,
  HEADER_BYTES,
  HEADER_EPOCH,
  HEADER_FLAGS,
  HEADER_HEADER_BYTES,
  HEADER_HEARTBEAT_MS,
  HEADER_LAYOUT_VERSION,
  HEADER_MAGIC,
  HEADER_REAL_MS,
  HEADER_SEED_A,
  HEADER_SET_BYTES,
  HEADER_SET_COUNT,
  HEADER_SLOT_BYTES,
  HEADER_STATE,
  HEADER_UPSTREAMS,
  HEADER_WAYS,
  SEEDS_BYTES,
  SET_BYTES,
  STATE_RETIRED,
  UPSTREAMS_BYTES_MAX,
} from "../../assembly/layout.ts";
import { AHEAD_MS_MAX } from "./standstill.ts";

export interface TableFile {
  readonly descriptor: number;
  readonly inode: bigint;
}

const TABLE_MODE = 0o644;
const CHUNK_BYTES = 4 * 1024 * 1024;
const STATE_BYTES = 4;
const FLAGS_BYTES = 4;
const TIME_BYTES = 8;
const HEARTBEAT_BYTES = HEADER_REAL_MS + TIME_BYTES - HEADER_HEARTBEAT_MS; // both its times in one write, and the flags

// What must be as in our own header, and what it means where it is not; the first that differs is the reason.
const SAME: ReadonlyArray<readonly [at: number, bytes: number, reason: string]> = [
  [HEADER_MAGIC, 8, "its header is damaged"],
  [HEADER_LAYOUT_VERSION, 4, "it is of another layout"],
  [HEADER_HEADER_BYTES, 4, "it is of another layout"],
  [HEADER_SET_BYTES, 4, "it is of another layout"],
  [HEADER_SLOT_BYTES, 4, "it is of another layout"],
  [HEADER_WAYS, 4, "it is of another layout"],
  [HEADER_BOOT_ID, BOOT_ID_BYTES, "it is of another boot"],
  [HEADER_SET_COUNT, 4, "it has another number of entries"],
  [HEADER_UPSTREAMS, 2 + UPSTREAMS_BYTES_MAX, "its answers are of other upstreams"],
  [HEADER_STATE, STATE_BYTES, "it is retired"],
];
/** Each table's own; the flags are a server's, who writes them with its first heartbeat. */
const OWN: ReadonlyArray<readonly [at: number, bytes: number]> = [
  [HEADER_FLAGS, FLAGS_BYTES],
  [HEADER_SEED_A, SEEDS_BYTES],
  [HEADER_EPOCH, EPOCH_BYTES],
  [HEADER_HEARTBEAT_MS, TIME_BYTES],
  [HEADER_REAL_MS, TIME_BYTES],
];

/** The file to be written, or undefined where there is none. Throws where it is not to be had. */
export function openTable(path: string): TableFile | undefined {
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK); // a fifo would wait for its other end
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const status = fs.fstatSync(descriptor, { bigint: true });
  if (status.isFile()) return { descriptor, inode: status.ino };
  fs.closeSync(descriptor);
  throw new Error(`${path} is not a file`);
}

export function readHeader({ descriptor }: TableFile): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  fs.readSync(descriptor, header, 0, HEADER_BYTES, 0);
  return header;
}

/** Why a server with this image may not go on with the file, or undefined where it may. */
export function reasonAgainst(
  file: TableFile,
  header: Buffer,
  image: Buffer,
  nowMs: number,
  realMs: number,
): string | undefined {
  for (const [at, bytes, reason] of SAME) {
    if (header.compare(image, at, at + bytes, at, at + bytes) !== 0) return reason;
  }
  const expected = Buffer.from(image.subarray(0, HEADER_BYTES));
  for (const [at, bytes] of OWN) header.copy(expected, at, at, at + bytes);
  if (!expected.equals(header)) return "its header is damaged";
  if (header.readBigUInt64LE(HEADER_HEARTBEAT_MS) > BigInt(Math.floor(nowMs))) return "it is of another clock"; // time namespaces
  const aheadMs = Number(header.readBigUInt64LE(HEADER_REAL_MS) - header.readBigUInt64LE(HEADER_HEARTBEAT_MS));
  if (realMs - nowMs - aheadMs > AHEAD_MS_MAX) return "the machine slept or was restored since, or its clock was set";
  const { size, uid } = fs.fstatSync(file.descriptor);
  if (size !== image.length) return "it has a wrong size";
  if (uid !== process.geteuid?.()) return "it is another user's";
  return undefined;
}

/**
 * Takes over the seeds and the epoch, and reads the sets that are not empty over the image's; gives their numbers. The image's
 * other pages stay untouched, so that a start takes no more memory than its entries need.
 */
export function readTable({ descriptor }: TableFile, header: Buffer, image: Buffer): number[] {
  header.copy(image, HEADER_SEED_A, HEADER_SEED_A, HEADER_SEED_A + SEEDS_BYTES);
  header.copy(image, HEADER_EPOCH, HEADER_EPOCH, HEADER_EPOCH + EPOCH_BYTES);
  const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, image.length - HEADER_BYTES));
  const empty = Buffer.alloc(SET_BYTES);
  const used: number[] = [];
  for (let at = HEADER_BYTES; at < image.length; at += chunk.length) {
    const bytes = Math.min(chunk.length, image.length - at);
    readAll(descriptor, chunk, bytes, at);
    for (let set = 0; set < bytes; set += SET_BYTES) {
      if (chunk.compare(empty, 0, SET_BYTES, set, set + SET_BYTES) === 0) continue;
      chunk.copy(image, at + set, set, set + SET_BYTES);
      used.push((at + set - HEADER_BYTES) / SET_BYTES);
    }
  }
  return used;
}

/**
 * A new file for the image of an empty table. It is written to its end: who maps a hole gets its pages on his own account, or
 * a SIGBUS where the volume is full by then. The zeros come from one chunk, so that the image's pages stay untouched.
 */
export function makeTable(path: string, image: Buffer): TableFile {
  const file = createTable(path);
  try {
    writeHeader(file.descriptor, image);
    const zeros = zerosFor(image.length);
    for (let at = HEADER_BYTES; at < image.length; at += zeros.length) {
      writeAll(file.descriptor, zeros, 0, Math.min(zeros.length, image.length - at), at);
    }
    return file;
  } catch (error) {
    fs.closeSync(file.descriptor); // at once: its header is to have the room
    fs.rmSync(path, { force: true });
    throw error;
  }
}

/**
 * The same for a table of so many bytes, without its header, by other threads than the loop's: gigabytes take seconds. Gives a
 * function that ends it, after which `onEnd` is not called. Throws where there can be no such file.
 */
export function fillTable(path: string, bytes: number, onEnd: (end: TableFile | Error) => void): () => void {
  const file = createTable(path);
  const zeros = zerosFor(bytes);
  let isGivenUp = false;
  fillFrom(0);
  return () => {
    isGivenUp = true;
    fs.rmSync(path, { force: true });
  };

  function fillFrom(at: number): void {
    fs.write(file.descriptor, zeros, 0, Math.min(zeros.length, bytes - at), at, (error, written) => {
      if (isGivenUp) {
        closeLast(file.descriptor); // not before: its number may be another file's by then
      } else if (error) {
        dropTable(path, file);
        onEnd(error);
      } else if (at + written < bytes) fillFrom(at + written);
      else onEnd(file);
    });
  }
}

/** Why so much more cannot be written on the volume, or undefined. To try would take what others need of it. */
export function lackOfRoom(path: string, bytes: number): string | undefined {
  const { blocks, bavail, bsize } = fs.statfsSync(dirname(path));
  const isLimited = blocks > 0; // a tmpfs need not be
  return isLimited && bavail * bsize < bytes ? `no room on the volume for ${bytes} bytes` : undefined;
}

/** Of a file that nobody has seen. */
export function dropTable(path: string, { descriptor }: TableFile): void {
  fs.rmSync(path, { force: true });
  closeLast(descriptor);
}

/** Whatever a backup or an administrator has made of it: a file that clients cannot read is no table to them. */
export function restoreMode(descriptor: number): void {
  fs.fchmodSync(descriptor, TABLE_MODE);
}

/** One write of these bytes of the image to their place in the file. */
export function write(descriptor: number, image: Buffer, at: number, bytes: number): void {
  writeAll(descriptor, image, at, bytes, at);
}

export function writeHeader(descriptor: number, image: Buffer): void {
  write(descriptor, image, 0, HEADER_BYTES);
}

export function writeHeartbeat(descriptor: number, image: Buffer): void {
  write(descriptor, image, HEADER_HEARTBEAT_MS, HEARTBEAT_BYTES);
}

/** The header page of a table without sets: it says whom the server asks, and that it lives, and holds no name. */
export function headerAlone(image: Buffer): Buffer {
  const header = Buffer.from(image.subarray(0, HEADER_BYTES));
  header.writeUInt32LE(0, HEADER_SET_COUNT);
  return header;
}

/** Tells whoever has the file mapped that nothing in it counts any more. */
export function retire(descriptor: number): void {
  const state = Buffer.alloc(STATE_BYTES);
  state.writeUInt32LE(STATE_RETIRED);
  writeAll(descriptor, state, 0, STATE_BYTES, HEADER_STATE);
}

/** Puts the file at `aside` in the place of the one at `path`, which is retired, as far as that is allowed. */
export function replaceTable(path: string, aside: string): void {
  const last = openIfAllowed(path);
  try {
    fs.renameSync(aside, path);
  } catch (error) {
    if (last !== undefined) fs.closeSync(last.descriptor);
    throw error;
  }
  if (last !== undefined) retireAndClose(last);
}

/** Retires what is at `path`, as far as that is allowed, and removes it. Throws where it cannot be removed. */
export function removeTable(path: string): void {
  const last = openIfAllowed(path);
  if (last !== undefined) retireAndClose(last);
  fs.rmSync(path, { force: true });
}

/** As far as it can be written. */
export function retireAndClose({ descriptor }: TableFile): void {
  try {
    retire(descriptor);
  } catch {
    // The old heartbeat says the same, later.
  } finally {
    closeLast(descriptor);
  }
}

export function inodeAt(path: string): bigint | undefined {
  return fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function openIfAllowed(path: string): TableFile | undefined {
  try {
    return openTable(path);
  } catch {
    return undefined;
  }
}

/** By another thread than the loop's: whoever closes a large file that has no name any more takes its pages apart. */
function closeLast(descriptor: number): void {
  fs.close(descriptor, () => undefined);
}

function createTable(path: string): TableFile {
  const descriptor = fs.openSync(path, "wx+", TABLE_MODE);
  fs.fchmodSync(descriptor, TABLE_MODE);
  return { descriptor, inode: fs.fstatSync(descriptor, { bigint: true }).ino };
}

function zerosFor(bytes: number): Buffer {
  return Buffer.alloc(Math.min(CHUNK_BYTES, bytes));
}

function readAll(descriptor: number, to: Buffer, bytes: number, at: number): void {
  for (let offset = 0; offset < bytes; ) {
    const read = fs.readSync(descriptor, to, offset, bytes - offset, at + offset);
    if (read === 0) throw new Error("it became shorter");
    offset += read;
  }
}

function writeAll(descriptor: number, from: Buffer, offset: number, bytes: number, at: number): void {
  while (bytes > 0) {
    const written = fs.writeSync(descriptor, from, offset, bytes, at); // less where the volume is full: then the next throws
    offset += written;
    at += written;
    bytes -= written;
  }
}
