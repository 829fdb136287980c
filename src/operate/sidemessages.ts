// What the main thread and the HTTP side's thread tell each other: messages, and two words of shared memory by which each
// sees that the other lives, whatever waits in its queue.
import type { HttpAddress } from "../settings/config.ts";
import type { DoorEvent } from "./doors.ts";
import type { Door } from "./sidestate.ts";
import type { Asking } from "./snapshot.ts";

export interface SideData {
  readonly http: HttpAddress | undefined;
  readonly controlPath: string | undefined;
  readonly areNamesShown: boolean;
  readonly patienceMs: number;
  readonly restarts: number;
  readonly beats: SharedArrayBuffer;
}
export type ToMain = { readonly id: number; readonly asking: Asking } | ({ readonly door: Door } & DoorEvent);
export interface ToWorker {
  readonly id: number;
  readonly answer: unknown;
}

const MAIN_AT = 0; // milliseconds of CLOCK_MONOTONIC; 0: dns.sock does not listen
const WORKER_AT = 1; // counts
const WORDS = 2;
const LIVE_MS = 5000;

export function createBeats(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * BigInt64Array.BYTES_PER_ELEMENT);
}

export function beatMain(beats: SharedArrayBuffer, isListening: boolean, nowMs: number): void {
  Atomics.store(new BigInt64Array(beats), MAIN_AT, isListening ? BigInt(Math.floor(nowMs)) : 0n);
}

export function isMainLive(beats: SharedArrayBuffer, nowMs: number): boolean {
  const atMs = Number(Atomics.load(new BigInt64Array(beats), MAIN_AT));
  return atMs > 0 && nowMs - atMs < LIVE_MS;
}

export function beatWorker(beats: SharedArrayBuffer): void {
  Atomics.add(new BigInt64Array(beats), WORKER_AT, 1n);
}

export function workerBeats(beats: SharedArrayBuffer): bigint {
  return Atomics.load(new BigInt64Array(beats), WORKER_AT);
}
