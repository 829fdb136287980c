// How late the event loop is: by how much a timer comes too late, four times a second.
import { nowMs } from "../clock.ts";
import type { DurationCounter } from "../durations.ts";

const EVERY_MS = 250;

export function watchLoop(delays: DurationCounter): void {
  let dueMs = nowMs() + EVERY_MS;
  setInterval(() => {
    const now = nowMs();
    delays.count(Math.max(0, now - dueMs));
    dueMs = now + EVERY_MS;
  }, EVERY_MS).unref();
}
