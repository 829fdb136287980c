// Loads the Wasm module that reads messages and holds the table. The memory is sized here, once: it never grows, so views
// on it stay good. Only this file knows where the module lies.

import { randomFillSync } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  BOOT_ID_BYTES,
  CLIENT_COOKIE_BYTES,
  ENTRIES_MAX,
  ENTRIES_MIN,
  EPOCH_BYTES,
  HEADER_BOOT_ID,
  HEADER_BYTES,
  HEADER_EPOCH,
  HEADER_FLAG_DENIALS_FINAL,
  HEADER_FLAGS,
  HEADER_SEED_A,
  HEADER_SERVER_COUNT,
  HEADER_SERVERS,
  HEADER_UPSTREAMS,
  IMAGE_AT,
  SEEDS_BYTES,
  SERVER_BYTES,
  SERVER_COOKIE_BYTES_MAX,
  SERVERS_MAX,
  SET_BYTES,
  SIDE_BYTES,
  SLOT_BYTES,
  UPSTREAMS_BYTES_MAX,
  WAYS,
} from "../../assembly/layout.ts";

export interface TtlLimits {
  /** Of data; a denial lasts as long as it says. */
  minTtlSeconds: number;
  maxTtlSeconds: number;
  maxNegativeTtlSeconds: number;
}

/** The server's view of DNS, as the header tells it. */
export interface TableView {
  /** Its name. */
  upstreams: string;
  /** Addresses of 16 bytes: those whose denials a client takes for final when it asks the same. */
  servers?: Uint8Array;
}

export interface TableOptions extends TtlLimits, TableView {
  entries: number;
  /** Of all clients, whom they may ask. */
  denialsAreFinal?: boolean;
  /** Fills the hash's seeds, the epoch and the nonces; tests give a fixed one. */
  random?: (bytes: Uint8Array) => unknown;
}

/** The module's functions; times are milliseconds of CLOCK_MONOTONIC, offsets count from the image's start. */
export interface Functions {
  read(messageBytes: number, id: number, queryBytes: number, isCookieSent: boolean): number;
  seal(): void;
  makeBare(type: number, outcome: number): void;
  /** The slot, and in `record` what it holds; 0 where there is nothing fresh. */
  find(type: number, nowMs: number): number;
  insert(nowMs: number): number;
  /** The slot, and in `record` what it holds, fresh or not; 0 where there is none. */
  peek(type: number): number;
  /** Has in `record` what a slot in use holds. */
  open(slotOffset: number): void;
  rewrite(slotOffset: number): void;
  isInReach(nowMs: number, staleSeconds: number): number;
  /** 0 where `record` was not changed. */
  extend(nowMs: number, staleSeconds: number): number;
  remove(type: number): number;
  hitsOf(slotOffset: number): number;
  /** 0 where the slot does not hold that record any more. */
  use(slotOffset: number, nonceLow: number, hits: number): number;
  /** From now on it is the table of the seeds in the header, and empty, but for the sets that are adopted. */
  takeOver(): void;
  /** Whether there is anything in a set; what is not in use holds old bytes. */
  isUsed(setIndex: number): number;
  /** Empties what is wrong in a set that was read back; the number of slots that it changed. */
  adopt(setIndex: number, nowMs: number): number;
  setHeartbeat(nowMs: number, realMs: number): void;
  setState(state: number): void;
  /** Walks the table's invariants and throws; in the debug build only. */
  check?(): void;
}

export interface Wasm extends Functions {
  /** By the table's limits, where the question has none of its own. */
  settle(nowMs: number, usualMs: number, limits?: Partial<TtlLimits>): void;
  /** The published image: header page and sets. */
  readonly image: Buffer;
  readonly setCount: number;
  // The regions that the functions work on (assembly/memory.ts), each up to its end.
  readonly message: Buffer;
  readonly query: Buffer;
  readonly question: Buffer;
  readonly record: Buffer;
  /** The client's cookie, behind it the server's. */
  readonly cookie: Buffer;
  /** Of the message last read: the bytes of the server's cookie, -1 where none came. */
  serverCookieBytes(): number;
  /** Of the message last read, with the bits that OPT adds. */
  rcode(): number;
  /** Of the message last read: whether it has an OPT. */
  hasOpt(): boolean;
  /** Of the denial last read: the bytes of the name of the zone whose SOA came with it, 0 where none did. */
  zoneBytes(): number;
  usedCount(): number;
  /** Among those in use. */
  denialCount(): number;
  evictedCount(): number;
  /** The record that gave way to the one last inserted, sealed, … */
  readonly evicted: Buffer;
  /** … and its hits; undefined where none did. */
  evictedHits(): number | undefined;
}

type Region = "COOKIE" | "IMAGE" | "MESSAGE" | "PLAIN" | "QUERY" | "QUESTION" | "RECORD" | "SETUP";
type Exports = Omit<Functions, "insert" | "rewrite"> & {
  insert(nowMs: number, nonceLow: number, nonceHigh: number): number;
  rewrite(slotOffset: number, nonceLow: number, nonceHigh: number): void;
  create(entries: number, maxTtlSeconds: number, maxNegativeTtlSeconds: number): number;
  settle(nowMs: number, usualMs: number, minSeconds: number, maxSeconds: number, maxNegativeSeconds: number): void;
  imageBytes(): number;
} & Record<
    | Region
    | "serverCookieBytes"
    | "rcode"
    | "zoneBytes"
    | "hasOpt"
    | "usedCount"
    | "denialCount"
    | "evictedCount"
    | "evictedHits",
    WebAssembly.Global
  >;

export const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";

const WASM_PAGE_BYTES = 65536;
const MESSAGE_REGION_BYTES = 65536;
const RECORD_REGION_BYTES = 65536;
const NAME_REGION_BYTES = 512;
const NONCES_AT_ONCE = 512;

/** Throws where the module or the memory for so many entries is not to be had. */
export function loadWasm(options: TableOptions, path = besideBundle()): Wasm {
  const setCount = Math.ceil(options.entries / WAYS);
  if (!(options.entries >= ENTRIES_MIN && options.entries <= ENTRIES_MAX)) {
    throw new RangeError(`a table has ${ENTRIES_MIN} to ${ENTRIES_MAX} entries`);
  }
  const pages = Math.ceil((IMAGE_AT + HEADER_BYTES + setCount * (SET_BYTES + SIDE_BYTES)) / WASM_PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(path)), {
    env: { memory, abort: abort(memory) },
  });
  const exports = instance.exports as unknown as Exports;
  const region = (name: Region, bytes: number) => Buffer.from(memory.buffer, exports[name].value >>> 0, bytes);

  fillSetup(region("SETUP", HEADER_BYTES), options);
  if (!exports.create(options.entries, options.maxTtlSeconds, options.maxNegativeTtlSeconds)) {
    throw new Error("the Wasm memory is too small for the table");
  }
  const image = region("IMAGE", exports.imageBytes() >>> 0);
  writeView(image, options);
  image.writeUInt32LE(options.denialsAreFinal ? HEADER_FLAG_DENIALS_FINAL : 0, HEADER_FLAGS);
  const { read, seal, makeBare, insert, peek, open, rewrite, isInReach, extend, remove, find, hitsOf, use, check } =
    exports;
  const { takeOver, isUsed, adopt, setHeartbeat, setState } = exports;
  const nonce = nonces(options.random ?? randomFillSync);
  return {
    read,
    settle(nowMs, usualMs, limits) {
      const { minTtlSeconds, maxTtlSeconds, maxNegativeTtlSeconds } = { ...options, ...limits };
      exports.settle(nowMs, usualMs, minTtlSeconds, maxTtlSeconds, maxNegativeTtlSeconds);
    },
    seal,
    makeBare,
    // Offsets in a large table are above 2^31, and Wasm's u32 come out signed.
    find: (type, nowMs) => find(type, nowMs) >>> 0,
    insert: (nowMs) => insert(nowMs, ...nonce()) >>> 0,
    peek: (type) => peek(type) >>> 0,
    open,
    rewrite: (slotOffset) => rewrite(slotOffset, ...nonce()),
    isInReach,
    extend,
    remove: (type) => remove(type) >>> 0,
    hitsOf,
    use,
    takeOver,
    isUsed,
    adopt,
    setHeartbeat,
    setState,
    ...(check && { check }),
    image,
    setCount,
    message: region("MESSAGE", MESSAGE_REGION_BYTES),
    query: region("QUERY", NAME_REGION_BYTES),
    question: region("QUESTION", NAME_REGION_BYTES),
    record: region("RECORD", RECORD_REGION_BYTES),
    cookie: region("COOKIE", CLIENT_COOKIE_BYTES + SERVER_COOKIE_BYTES_MAX),
    serverCookieBytes: () => exports.serverCookieBytes.value,
    rcode: () => exports.rcode.value,
    hasOpt: () => exports.hasOpt.value !== 0,
    zoneBytes: () => exports.zoneBytes.value,
    usedCount: () => exports.usedCount.value,
    denialCount: () => exports.denialCount.value,
    evictedCount: () => exports.evictedCount.value >>> 0,
    evicted: region("PLAIN", SLOT_BYTES),
    evictedHits: () => (exports.evictedHits.value < 0 ? undefined : exports.evictedHits.value),
  };
}

/** dist/server.js and dist/namewell.wasm are siblings; from the sources it is dist/ beside src/. */
function besideBundle(): string {
  const sibling = fileURLToPath(new URL("namewell.wasm", import.meta.url));
  return existsSync(sibling) ? sibling : fileURLToPath(new URL("../../dist/namewell.wasm", import.meta.url));
}

function fillSetup(setup: Buffer, options: TableOptions): void {
  const random = options.random ?? randomFillSync;
  random(setup.subarray(HEADER_SEED_A, HEADER_SEED_A + SEEDS_BYTES));
  random(setup.subarray(HEADER_EPOCH, HEADER_EPOCH + EPOCH_BYTES));
  setup.write(bootId(), HEADER_BOOT_ID, BOOT_ID_BYTES, "hex");
}

/** Empty where there is no /proc. */
function bootId(): string {
  try {
    return readFileSync(BOOT_ID_FILE, "latin1").replace(/[^0-9a-f]/g, "");
  } catch {
    return "";
  }
}

/** Into a header page. */
export function writeView(header: Buffer, { upstreams, servers = new Uint8Array() }: TableView): void {
  header.fill(0, HEADER_UPSTREAMS, HEADER_UPSTREAMS + 2 + UPSTREAMS_BYTES_MAX);
  header.fill(0, HEADER_SERVERS, HEADER_SERVERS + SERVERS_MAX * SERVER_BYTES);
  header.set(servers, HEADER_SERVERS);
  header.writeUInt32LE(servers.length / SERVER_BYTES, HEADER_SERVER_COUNT);
  header.writeUInt16LE(header.write(upstreams, HEADER_UPSTREAMS + 2, UPSTREAMS_BYTES_MAX, "latin1"), HEADER_UPSTREAMS);
}

/** One for each write of a slot, in two halves: never foreseen by anybody and never 0 (assembly/mask.ts). */
function nonces(random: (bytes: Uint8Array) => unknown): () => [low: number, high: number] {
  const halves = new Uint32Array(NONCES_AT_ONCE * 2);
  let next = halves.length;
  return () => {
    for (;;) {
      if (next === halves.length) {
        random(new Uint8Array(halves.buffer));
        next = 0;
      }
      const low = halves[next++] as number;
      const high = halves[next++] as number;
      if (low !== 0 || high !== 0) return [low, high];
    }
  };
}

function abort(memory: WebAssembly.Memory) {
  const text = (pointer: number) => {
    if (pointer === 0) return "?";
    const bytes = Buffer.from(memory.buffer).readUInt32LE((pointer >>> 0) - 4); // AssemblyScript's string header
    return Buffer.from(memory.buffer, pointer >>> 0, bytes).toString("utf16le");
  };
  return (message: number, file: number, line: number, column: number) => {
    throw new Error(`${text(message)} (${text(file)}:${line}:${column})`);
  };
}
