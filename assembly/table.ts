// The hashed table: sets of eight slots, see layout.ts. A question's hash names its set, and it is in no other.
//
// Always true between calls, in the sets of the present age (check.ts walks it in the debug build):
//  - a slot is in use where its tag is not 0; the tag is then the hash of the question in the slot, and the set that hash's;
//  - no question is twice in a set;
//  - a slot in use holds a whole record, masked with a nonce that is not 0 (mask.ts): length 8 more than a multiple of 16
//    and at most SLOT_BYTES, all offsets inside, checksum right, zero behind its end;
//  - an empty slot is zero.
//
// An expired record stays until its place is wanted, so that it can be given out stale.
// Functions that change a slot return its byte offset in the image (0 = none was changed) for the publisher.

import { isFresh, setLimits } from "./expiry";
import { checksum, mix } from "./hash";
import {
  BOOT_ID_BYTES,
  HEADER_BOOT_ID,
  HEADER_BYTES,
  HEADER_EPOCH,
  HEADER_HEADER_BYTES,
  HEADER_HEARTBEAT_MS,
  HEADER_LAYOUT_VERSION,
  HEADER_MAGIC,
  HEADER_REAL_MS,
  HEADER_SEED_A,
  HEADER_SEED_B,
  HEADER_SET_BYTES,
  HEADER_SET_COUNT,
  HEADER_SLOT_BYTES,
  HEADER_STATE,
  HEADER_UPSTREAMS,
  HEADER_WAYS,
  LAYOUT_VERSION,
  OUTCOME_DATA,
  RECORD_CHECKSUM,
  RECORD_EXPIRES_AT_MS,
  RECORD_LENGTH,
  RECORD_NAMES,
  RECORD_NONCE,
  RECORD_OUTCOME,
  RECORD_TYPE,
  SET_BYTES,
  SIDE_BYTES,
  SLOT_BYTES,
  STATE_LIVE,
  TABLE_MAGIC_HIGH,
  TABLE_MAGIC_LOW,
  TAG_BYTES,
  TAG_LINE_BYTES,
  UPSTREAMS_BYTES_MAX,
  WAYS,
} from "./layout";
import { copyMasked, lengthOf, wordAt } from "./mask";
import { bytesNeeded, IMAGE, PLAIN, QUESTION, RECORD, SETS, SETUP } from "./memory";
import { seal } from "./record";

const SIDE_MARKS: usize = 0;
const SIDE_HAND: usize = 1;
const SIDE_AGE: usize = 4;
const SIDE_HITS: usize = 8;

export let setCount: u32 = 0;
export let usedCount: u32 = 0; // slots in use, expired ones too
export let denialCount: u32 = 0; // among them
export let evictedCount: u32 = 0; // fresh records that gave way
export let evictedHits: i32 = -1; // of the record in PLAIN that gave way to the one last inserted, -1 where none did

let seedA: u64 = 0;
let seedB: u64 = 0;
let age: u32 = 0;
let sides: usize = 0;
let foundHash: u64 = 0; // of the question last looked for, and its set
let foundSet: usize = 0;

/** Makes the header page from SETUP; the memory behind it is zero. False where it is too small. */
export function create(entries: u32, maxTtlSeconds: u32, maxNegativeTtlSeconds: u32): bool {
  setCount = (entries + WAYS - 1) / WAYS;
  if ((<u64>memory.size()) << 16 < bytesNeeded(setCount)) return false;
  setLimits(maxTtlSeconds, maxNegativeTtlSeconds);
  sides = SETS + <usize>setCount * SET_BYTES;
  seedA = load<u64>(SETUP, HEADER_SEED_A);
  seedB = load<u64>(SETUP, HEADER_SEED_B);

  store<u32>(IMAGE, TABLE_MAGIC_LOW, HEADER_MAGIC);
  store<u32>(IMAGE, TABLE_MAGIC_HIGH, HEADER_MAGIC + 4);
  store<u32>(IMAGE, LAYOUT_VERSION, HEADER_LAYOUT_VERSION);
  store<u32>(IMAGE, HEADER_BYTES, HEADER_HEADER_BYTES);
  store<u32>(IMAGE, SET_BYTES, HEADER_SET_BYTES);
  store<u32>(IMAGE, SLOT_BYTES, HEADER_SLOT_BYTES);
  store<u32>(IMAGE, WAYS, HEADER_WAYS);
  store<u32>(IMAGE, setCount, HEADER_SET_COUNT);
  store<u64>(IMAGE, seedA, HEADER_SEED_A);
  store<u64>(IMAGE, seedB, HEADER_SEED_B);
  memory.copy(IMAGE + HEADER_BOOT_ID, SETUP + HEADER_BOOT_ID, BOOT_ID_BYTES);
  store<u64>(IMAGE, load<u64>(SETUP, HEADER_EPOCH), HEADER_EPOCH);
  memory.copy(IMAGE + HEADER_UPSTREAMS, SETUP + HEADER_UPSTREAMS, 2 + UPSTREAMS_BYTES_MAX);
  setState(STATE_LIVE);
  return true;
}

/**
 * Goes on with the seeds that stand in the header by now, and without any record, unless it is adopted (adopt.ts). A set is
 * emptied when it is next used: all of them at once would take a second.
 */
export function takeOver(): void {
  seedA = load<u64>(IMAGE, HEADER_SEED_A);
  seedB = load<u64>(IMAGE, HEADER_SEED_B);
  usedCount = 0;
  denialCount = 0;
  age++;
}

/** The set is of the present table, and so is what it holds. */
export function bringUpToDate(set: usize): void {
  const side = sideOf(set);
  memory.fill(side, 0, SIDE_BYTES);
  store<u32>(side, age, SIDE_AGE);
}

export function isUpToDate(set: usize): bool {
  return load<u32>(sideOf(set), SIDE_AGE) == age;
}

/** Whether there is anything in a set. */
export function isUsed(setIndex: u32): bool {
  const set = SETS + <usize>setIndex * SET_BYTES;
  if (!isUpToDate(set)) return false;
  for (let way = 0; way < WAYS; way++) {
    if (load<u64>(tagAt(set, way)) != 0) return true;
  }
  return false;
}

/** One more slot is in use, by this record. */
export function countUsed(record: usize): void {
  usedCount++;
  denialCount += denials(record);
}

/** 1 for a denial, 0 for data. */
export function denials(record: usize): u32 {
  return load<u8>(record, RECORD_OUTCOME) == OUTCOME_DATA ? 0 : 1;
}

export function setState(state: u32): void {
  store<u32>(IMAGE, state, HEADER_STATE);
}

export function setHeartbeat(nowMs: f64, realMs: f64): void {
  store<u64>(IMAGE, <u64>nowMs, HEADER_HEARTBEAT_MS);
  store<u64>(IMAGE, <u64>realMs, HEADER_REAL_MS);
}

/** The slot with a fresh record for the question whose name is in QUESTION, which is copied to RECORD; counts a hit. */
export function find(type: u32, nowMs: f64): u32 {
  const way = look(QUESTION, type);
  if (way < 0) return 0;
  if (!isFresh(PLAIN, nowMs)) return 0;
  countHits(foundSet, way, 1);
  return take(slotAt(foundSet, way));
}

/**
 * Puts the settled record in RECORD into its set: over the same question, else into an empty slot, else over the record that
 * expired first, else over the first that has had no hit since the hand came by. A record that is too long for a slot is
 * left out. RECORD is sealed as it is given out, without the nonce, which is 64 bits that nobody can foresee, and not 0.
 * What gave way to it is in PLAIN, sealed too.
 */
export function insert(nowMs: f64, nonceLow: u32, nonceHigh: u32): u32 {
  const length = <u32>load<u16>(RECORD, RECORD_LENGTH);
  evictedHits = -1;
  if (length > <u32>SLOT_BYTES) return 0;
  const name = RECORD + RECORD_NAMES;
  const nameBytes = <u32>load<u8>(name) + 1;
  memory.copy(QUESTION, name, nameBytes);
  let way = look(QUESTION, load<u16>(RECORD, RECORD_TYPE));
  if (way < 0) {
    way = choose(foundSet, nowMs);
    if (load<u64>(tagAt(foundSet, way)) != 0) {
      evict(way);
      discount(PLAIN);
    }
    store<u8>(sideOf(foundSet), <u8>(marksOf(sideOf(foundSet)) & ~(1 << way)), SIDE_MARKS);
  } else discount(PLAIN);
  countUsed(RECORD);
  const slot = slotAt(foundSet, way);
  put(slot, nonceLow, nonceHigh);
  store<u64>(tagAt(foundSet, way), foundHash);
  store<u16>(hitsAt(sideOf(foundSet), way), 0);
  return <u32>(slot - IMAGE);
}

/** The slot of the question whose name is in QUESTION, fresh or not; its record is copied to RECORD. Counts no hit. */
export function peek(type: u32): u32 {
  const way = look(QUESTION, type);
  if (way < 0) return 0;
  return take(slotAt(foundSet, way));
}

/** Copies what a slot in use holds to RECORD. */
export function open(slotOffset: u32): void {
  unmask(IMAGE + slotOffset, RECORD);
  seal();
}

/** Puts RECORD, of which no more than the times have changed since peek, back to its slot, sealed; its hits stay. */
export function rewrite(slotOffset: u32, nonceLow: u32, nonceHigh: u32): void {
  put(IMAGE + slotOffset, nonceLow, nonceHigh);
}

/** Empties the slot of the question whose name is in QUESTION. */
export function remove(type: u32): u32 {
  const way = look(QUESTION, type);
  if (way < 0) return 0;
  emptySlot(foundSet, way);
  discount(PLAIN);
  return <u32>(slotAt(foundSet, way) - IMAGE);
}

export function emptySlot(set: usize, way: u32): void {
  const slot = slotAt(set, way);
  store<u64>(tagAt(set, way), 0);
  memory.fill(slot, 0, SLOT_BYTES);
}

/** Adds hits that readers of the published image had, where the slot still holds the record that they saw. */
export function use(slotOffset: u32, nonceLow: u32, hits: u32): bool {
  const set = IMAGE + slotOffset - ((slotOffset - HEADER_BYTES) % SET_BYTES);
  const way = wayOf(slotOffset);
  emptyOld(set);
  if (load<u64>(tagAt(set, way)) == 0) return false;
  if (<u32>load<u16>(IMAGE + slotOffset, RECORD_NONCE) != nonceLow) return false;
  if (hits > 0) countHits(set, way, hits);
  return true;
}

/** Hits of a slot since it was last written. */
export function hitsOf(slotOffset: u32): u32 {
  const setIndex = (slotOffset - HEADER_BYTES) / SET_BYTES;
  return load<u16>(hitsAt(sides + <usize>setIndex * SIDE_BYTES, wayOf(slotOffset)));
}

export function imageBytes(): u32 {
  return HEADER_BYTES + setCount * SET_BYTES;
}

/** Hash of the question: its name as u8 length and text, zero-padded in place, and its type. */
export function hashQuestion(name: usize, type: u32): u64 {
  const bytes = <u32>load<u8>(name) + 1;
  const padded = (bytes + 15) & ~15;
  memory.fill(name + bytes, 0, padded - bytes);
  const hash = mix(name, padded, seedA ^ type, seedB);
  return hash == 0 ? 1 : hash;
}

export function setOf(hash: u64): usize {
  return SETS + <usize>(((hash >> 32) * setCount) >> 32) * SET_BYTES;
}

export function tagAt(set: usize, way: u32): usize {
  return set + way * TAG_BYTES;
}

export function slotAt(set: usize, way: u32): usize {
  return set + TAG_LINE_BYTES + way * SLOT_BYTES;
}

/** A slot's record as it is outside. */
export function unmask(slot: usize, to: usize): void {
  store<u64>(to, 0, RECORD_NONCE);
  copyMasked(to, slot, lengthOf(slot), load<u64>(slot, RECORD_NONCE));
}

/** Seals RECORD, and writes it to the slot with masks of its own. */
function put(slot: usize, nonceLow: u32, nonceHigh: u32): void {
  const length = <u32>load<u16>(RECORD, RECORD_LENGTH);
  const nonce = ((<u64>nonceHigh) << 32) | <u64>nonceLow;
  seal();
  store<u64>(slot, nonce, RECORD_NONCE);
  copyMasked(slot, RECORD, length, nonce);
  memory.fill(slot + length, 0, SLOT_BYTES - length);
  store<u64>(slot, checksum(slot, length), RECORD_CHECKSUM);
}

function discount(record: usize): void {
  usedCount--;
  denialCount -= denials(record);
}

function evict(way: u32): void {
  unmask(slotAt(foundSet, way), PLAIN);
  store<u64>(PLAIN, checksum(PLAIN, <u32>load<u16>(PLAIN, RECORD_LENGTH)), RECORD_CHECKSUM);
  evictedHits = load<u16>(hitsAt(sideOf(foundSet), way));
}

/** Copies the record in PLAIN, of this slot, to RECORD, sealed. */
function take(slot: usize): u32 {
  memory.copy(RECORD, PLAIN, <u32>load<u16>(PLAIN, RECORD_LENGTH));
  seal();
  return <u32>(slot - IMAGE);
}

/** The way that holds the question, fresh or not, and its record in PLAIN; or -1. */
function look(name: usize, type: u32): i32 {
  foundHash = hashQuestion(name, type);
  foundSet = setOf(foundHash);
  emptyOld(foundSet);
  const nameBytes = <u32>load<u8>(name) + 1;
  for (let way = 0; way < WAYS; way++) {
    if (load<u64>(tagAt(foundSet, way)) != foundHash) continue;
    unmask(slotAt(foundSet, way), PLAIN);
    if (load<u16>(PLAIN, RECORD_TYPE) == type && memory.compare(PLAIN + RECORD_NAMES, name, nameBytes) == 0) return way;
  }
  return -1;
}

function emptyOld(set: usize): void {
  if (isUpToDate(set)) return;
  memory.fill(set, 0, SET_BYTES);
  bringUpToDate(set);
}

function countHits(set: usize, way: u32, hits: u32): void {
  const side = sideOf(set);
  const counted = <u32>load<u16>(hitsAt(side, way));
  store<u8>(side, <u8>(marksOf(side) | (1 << way)), SIDE_MARKS);
  store<u16>(hitsAt(side, way), <u16>min(counted + hits, <u32>u16.MAX_VALUE));
}

function choose(set: usize, nowMs: f64): i32 {
  let expired = -1;
  let expiredAtMs: u64 = u64.MAX_VALUE;
  for (let way = 0; way < WAYS; way++) {
    if (load<u64>(tagAt(set, way)) == 0) return way;
    const expiresAtMs = wordAt(slotAt(set, way), RECORD_EXPIRES_AT_MS);
    if (expiresAtMs > <u64>nowMs || expiresAtMs >= expiredAtMs) continue;
    expired = way;
    expiredAtMs = expiresAtMs;
  }
  if (expired >= 0) return expired;
  evictedCount++;
  return sweep(sideOf(set));
}

/** Ends within two rounds: the first takes away every mark. */
function sweep(side: usize): i32 {
  let marks = marksOf(side);
  let way = <i32>load<u8>(side, SIDE_HAND);
  for (; marks & (1 << way); way = (way + 1) % WAYS) marks &= ~(1 << way);
  store<u8>(side, <u8>marks, SIDE_MARKS);
  store<u8>(side, <u8>((way + 1) % WAYS), SIDE_HAND);
  return way;
}

function wayOf(slotOffset: u32): u32 {
  return (((slotOffset - HEADER_BYTES) % SET_BYTES) - TAG_LINE_BYTES) / SLOT_BYTES;
}

function sideOf(set: usize): usize {
  return sides + ((set - SETS) / SET_BYTES) * SIDE_BYTES;
}

function marksOf(side: usize): u32 {
  return load<u8>(side, SIDE_MARKS);
}

function hitsAt(side: usize, way: u32): usize {
  return side + SIDE_HITS + way * 2;
}
