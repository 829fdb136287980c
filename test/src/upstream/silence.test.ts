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

it("is noticed when nothing is heard from the first that waits, however many wait after it", () => {
  vi.advanceTimersByTime(1000);
  for (let waiting = 0; waiting < 3; waiting++) {
    silence.wait();
    vi.advanceTimersByTime(33);
  }
  expect(noticed).toBe(0);
  vi.advanceTimersByTime(1);
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
  vi.advanceTimersByTime(100);
  expect(noticed).toBe(1);
});

it("is not noticed after its end", () => {
  silence.wait();
  silence.end();
  vi.advanceTimersByTime(1000);
  expect(noticed).toBe(0);
});
