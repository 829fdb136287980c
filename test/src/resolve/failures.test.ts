import { describe, expect, it } from "vitest";
import { createFailures, type Failing } from "../../../src/resolve/failures.ts";

const KEY = "AAAA a.example";
const SILENT: Failing = { why: "unanswered", isOneSided: true, askedAtMs: 0, generation: 0 };
const SAID: Failing = { ...SILENT, why: "said", isOneSided: false };

/** For how many milliseconds it is remembered, from the time of this one. */
function lifeOf(failures: ReturnType<typeof createFailures>, nowMs: number): number {
  let lastMs = 0;
  for (let ms = 0; ms <= 600_000; ms += 500) if (failures.get(KEY, 0, nowMs + ms) !== undefined) lastMs = ms + 500;
  return lastMs;
}

describe("a failure", () => {
  it("is remembered for a second, however often it comes", () => {
    const failures = createFailures();
    for (let nowMs = 0; nowMs < 20_000; nowMs += 2000) {
      failures.add(KEY, SAID, nowMs);
      expect(lifeOf(failures, nowMs)).toBe(1000);
      expect(failures.get(KEY, 0, nowMs)).toEqual({ why: "said", isLasting: false });
    }
  });

  it("is remembered twice as long each time where one type alone stays silent, up to 5 minutes", () => {
    const failures = createFailures();
    const lives: number[] = [];
    for (let i = 0, nowMs = 0; i < 11; i++) {
      failures.add(KEY, SILENT, nowMs);
      lives.push(lifeOf(failures, nowMs) / 1000);
      expect(failures.get(KEY, 0, nowMs)?.isLasting).toBe(i > 0);
      nowMs += (lives[i] as number) * 1000 + 2500;
    }
    expect(lives).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

  it("begins with a second again where the next one is 5 minutes away, is of another kind, or follows an answer", () => {
    const failures = createFailures();
    failures.add(KEY, SILENT, 0);
    failures.add(KEY, SILENT, 301_000);
    expect(lifeOf(failures, 301_000)).toBe(1000);
    failures.add(KEY, SILENT, 303_000);
    expect(lifeOf(failures, 303_000)).toBe(2000);
    failures.add(KEY, SAID, 306_000);
    failures.add(KEY, SILENT, 308_000);
    expect(lifeOf(failures, 308_000)).toBe(1000);
    failures.forget(KEY);
    expect(failures.get(KEY, 0, 308_000)).toBeUndefined();
    failures.add(KEY, SILENT, 310_000);
    expect(lifeOf(failures, 310_000)).toBe(1000);
  });

  it("of other servers does not count", () => {
    const failures = createFailures();
    failures.add(KEY, SILENT, 0);
    expect(failures.get(KEY, 1, 0)).toBeUndefined();
    failures.add(KEY, { ...SILENT, generation: 1 }, 0);
    expect(failures.get(KEY, 1, 0)).toEqual({ why: "unanswered", isLasting: false });
    expect(failures.get(KEY, 0, 0)).toBeUndefined();
  });

  it("tells since when its like follow each other", () => {
    const failures = createFailures();
    expect(failures.sinceMs(KEY, 0, 0)).toBeUndefined();
    failures.add(KEY, { ...SILENT, askedAtMs: 100 }, 2600);
    failures.add(KEY, { ...SILENT, askedAtMs: 5000 }, 7500);
    expect(failures.sinceMs(KEY, 0, 9000)).toBe(100);
    expect(failures.sinceMs(KEY, 1, 9000)).toBeUndefined();
  });

  it("is forgotten, the oldest first, above 4096 of them", () => {
    const failures = createFailures();
    for (let i = 0; i < 4097; i++) failures.add(`${i}`, SAID, 0);
    expect([failures.get("0", 0, 0), failures.get("1", 0, 0)?.why]).toEqual([undefined, "said"]);
    failures.add("1", SAID, 0);
    failures.add("more", SAID, 0);
    expect([failures.get("1", 0, 0)?.why, failures.get("2", 0, 0)]).toEqual(["said", undefined]);
  });
});
