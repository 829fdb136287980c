import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createAsker } from "../../../src/operate/asker.ts";
import { makeSnapshot } from "../../support/snapshot.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A main thread that answers when it is told to. */
function asker() {
  const posted: Array<{ id: number; ask: string }> = [];
  const own = createAsker({
    post: (id, { ask }) => posted.push({ id, ask }),
    nowMs: () => Date.now(),
    patienceMs: 3000,
  });
  let taken = 0;
  return {
    ...own,
    posted,
    answerAll: () => posted.splice(0).forEach(({ id }) => void own.answered(id, makeSnapshot({ pid: ++taken }))),
  };
}
const settle = () => vi.advanceTimersByTimeAsync(0);
const pidOf = (seen: { value: { pid: number } } | undefined) => seen?.value.pid;

describe("the numbers", () => {
  it("are asked for once for all who wait, and anew for who comes after that", async () => {
    const { snapshot, posted, answerAll } = asker();
    const first = [snapshot(), snapshot()];
    await settle();
    expect(posted.length).toBe(1);
    const later = snapshot(); // what is under way may have been counted before
    await settle();
    expect(posted.length).toBe(1);
    answerAll();
    expect((await Promise.all(first)).map(pidOf)).toEqual([1, 1]);
    await vi.advanceTimersByTimeAsync(49);
    expect(posted.length).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(posted.length).toBe(1);
    answerAll();
    expect(pidOf(await later)).toBe(2);
  });

  it("are asked for twenty times a second at most, however many want them", async () => {
    const { snapshot, posted, answerAll } = asker();
    let asked = 0;
    for (let ms = 0; ms < 1000; ms++) {
      for (let i = 0; i < 20; i++) void snapshot();
      await vi.advanceTimersByTimeAsync(1);
      asked += posted.length;
      answerAll();
    }
    expect(asked).toBeLessThanOrEqual(21);
    expect(asked).toBeGreaterThan(15);
  });

  it("are the last ones, with their age, while the main thread is silent, and it is not asked again meanwhile", async () => {
    const { snapshot, posted, answerAll } = asker();
    const first = snapshot();
    await settle();
    answerAll();
    await first;
    const waiting = snapshot();
    await vi.advanceTimersByTimeAsync(1100);
    expect(await waiting).toMatchObject({ value: { pid: 1 }, ageMs: 1000 });
    const more = Array.from({ length: 100 }, () => snapshot());
    await vi.advanceTimersByTimeAsync(5000);
    await Promise.all(more);
    expect(posted.length).toBe(1);
    answerAll();
    const back = snapshot();
    await vi.advanceTimersByTimeAsync(60);
    answerAll();
    expect(pidOf(await back)).toBe(3);
  });

  it("are none where it has never told any", async () => {
    const { snapshot } = asker();
    const seen = snapshot();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await seen).toBeUndefined();
  });
});

describe("other questions", () => {
  const lookup = { ask: "lookup", name: "a.example", types: ["A"], mayAsk: false } as const;

  it("are twenty at once, then a hundred a second", async () => {
    const { ask, posted } = asker();
    for (let i = 0; i < 100; i++) void ask(lookup);
    expect(posted.length).toBe(20);
    await vi.advanceTimersByTimeAsync(100);
    for (let i = 0; i < 100; i++) void ask(lookup);
    expect(posted.length).toBe(30);
  });

  it("are 32 under way at most, and given up after their time", async () => {
    const { ask, posted } = asker();
    const all = [];
    for (let i = 0; i < 100; i++) {
      all.push(ask(lookup));
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(posted.length).toBe(32);
    await vi.advanceTimersByTimeAsync(3000);
    expect((await Promise.all(all)).every((each) => each === undefined)).toBe(true);
  });
});
