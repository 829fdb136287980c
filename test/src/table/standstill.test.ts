import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { nowMs } from "../../../src/clock.ts";
import { createStandstill } from "../../../src/table/standstill.ts";

const HOUR_MS = 3_600_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "hrtime", "setInterval", "clearInterval"] }));
afterEach(() => void vi.useRealTimers());

/** CLOCK_REALTIME alone goes on by so much. */
const realGoesOn = (ms: number) => void vi.setSystemTime(Date.now() + ms);

function watched() {
  const lost: number[] = [];
  const standstill = createStandstill((ms) => void lost.push(Math.round(ms)));
  standstill.watch();
  return { ...standstill, lost };
}

it("is one where real time runs ahead by more than two seconds", () => {
  const { lost } = watched();
  for (const ms of [8 * HOUR_MS, 2001]) {
    vi.advanceTimersByTime(10_000);
    realGoesOn(ms);
    vi.advanceTimersByTime(249);
    expect(lost).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(lost.splice(0)).toEqual([ms]);
  }
  vi.advanceTimersByTime(HOUR_MS);
  expect(lost).toEqual([]);
});

it("is none where the wall clock is set back, or forward again by as little as it may", () => {
  const { lost } = watched();
  for (const ms of [-8 * HOUR_MS, 1999, -1, -1998, 1999]) {
    realGoesOn(ms);
    vi.advanceTimersByTime(250);
  }
  expect(lost).toEqual([]);
});

it("is one where real time runs ahead in steps that are small each", () => {
  const { lost } = watched();
  for (let beats = 0; beats < 20; beats++) {
    vi.advanceTimersByTime(250);
    realGoesOn(1900);
  }
  vi.advanceTimersByTime(250);
  const sum = lost.reduce((all, ms) => all + ms, 0);
  expect(sum).toBeGreaterThan(0.9 * 20 * 1900);
});

it("is none where the wall clock is corrected little by little, or both go on while the server does not", () => {
  const { lost } = watched();
  for (let beats = 0; beats < 1000; beats++) {
    realGoesOn(20);
    vi.advanceTimersByTime(250);
  }
  expect(lost).toEqual([]);
});

it("is seen by who asks before the next heartbeat, once", () => {
  const { count, lost } = watched();
  expect(count()).toBe(0);
  realGoesOn(HOUR_MS);
  expect([count(), count(), lost.length]).toEqual([1, 1, 1]);
  vi.advanceTimersByTime(250);
  realGoesOn(-2 * HOUR_MS);
  expect(count()).toBe(1);
  realGoesOn(HOUR_MS);
  expect([count(), lost.length]).toEqual([2, 2]);
});

it("is not in what is said of real time before it has been seen", () => {
  const { realMsAt, count } = watched();
  const before = Date.now() - nowMs();
  realGoesOn(HOUR_MS);
  expect(realMsAt(nowMs()) - nowMs()).toBeCloseTo(before);
  count();
  expect(realMsAt(nowMs()) - nowMs()).toBeCloseTo(before + HOUR_MS);
});
