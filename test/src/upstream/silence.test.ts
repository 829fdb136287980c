import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createSilence, type Silence } from "../../../src/upstream/silence.ts";

let noticed = 0;
let silence: Silence;

beforeEach(() => {
  vi.useFakeTimers();
  noticed = 0;
  silence = createSilence(100, () => noticed++);
});
afterEach(() => {
  vi.useRealTimers();
});

/** And lets what has come meanwhile be heard. */
function pass(ms: number): void {
  vi.advanceTimersByTime(ms);
  vi.advanceTimersToNextTimer();
}

it("is noticed when nothing is heard from the first that waits, however many wait after it", () => {
  vi.advanceTimersByTime(1000);
  for (let waiting = 0; waiting < 3; waiting++) {
    silence.wait();
    vi.advanceTimersByTime(33);
  }
  expect(noticed).toBe(0);
  pass(1);
  expect(noticed).toBe(1);
});

it("begins anew with each sound while something waits, and is none when nothing does", () => {
  silence.wait();
  vi.advanceTimersByTime(99);
  silence.hear(true);
  vi.advanceTimersByTime(99);
  silence.hear(false);
  vi.advanceTimersByTime(1000);
  expect(noticed).toBe(0);
  silence.wait();
  pass(100);
  expect(noticed).toBe(1);
});

it("is not noticed after its end", () => {
  silence.wait();
  silence.end();
  vi.advanceTimersByTime(1000);
  expect(noticed).toBe(0);
});

it("is none where this process was not there to hear", () => {
  silence.wait();
  const wake = process.hrtime();
  vi.spyOn(process, "hrtime").mockImplementation((() => [wake[0] + 10, wake[1]]) as never);
  pass(100);
  expect(noticed).toBe(0);
  vi.mocked(process.hrtime).mockImplementation((() => [wake[0] + 10, wake[1] + 100_000_000]) as never);
  pass(100);
  expect(noticed).toBe(1);
  vi.mocked(process.hrtime).mockRestore();
});
