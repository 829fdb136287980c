import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nowMs } from "../../src/clock.ts";
import { createWheel, TICK_MS } from "../../src/wheel.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["hrtime", "setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

describe("the wheel", () => {
  it("wakes each once, not before its time and at most a tick after it, in order of their times", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ at: fc.nat(9000), ms: fc.nat(31_000), back: fc.boolean() })), (plans) => {
        const wheel = createWheel();
        const woken: Array<{ plan: number; atMs: number }> = [];
        const started = new Map<number, number>();
        plans.forEach(({ at, ms, back }, plan) => {
          setTimeout(() => {
            started.set(plan, nowMs());
            const takeBack = wheel.after(ms, () => woken.push({ plan, atMs: nowMs() }));
            if (back && ms > 4) setTimeout(takeBack, Math.floor(ms / 2));
          }, at);
        });
        vi.advanceTimersByTime(45_000);
        const isTakenBack = ({ back, ms }: (typeof plans)[number]) => back && ms > 4;
        const wanted = plans.flatMap((plan, index) => (isTakenBack(plan) ? [] : [index]));
        for (const { plan, atMs } of woken) {
          const due = (started.get(plan) as number) + (plans[plan]?.ms as number);
          expect(atMs).toBeGreaterThanOrEqual(due);
          expect(atMs).toBeLessThanOrEqual(due + 2 * TICK_MS);
        }
        expect(woken.map(({ atMs }) => atMs)).toEqual(woken.map(({ atMs }) => atMs).sort((a, b) => a - b));
        expect(woken.map(({ plan }) => plan).sort((a, b) => a - b)).toEqual(wanted);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps no timer when nobody waits", () => {
    const wheel = createWheel();
    wheel.after(100, () => undefined);
    vi.advanceTimersByTime(200);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("takes back a wait that is due at the same moment as the one that does so", () => {
    const wheel = createWheel();
    const woken: string[] = [];
    let takeBack = (): void => undefined;
    wheel.after(100, () => {
      woken.push("first");
      takeBack();
    });
    takeBack = wheel.after(100, () => woken.push("second"));
    vi.advanceTimersByTime(300);
    expect(woken).toEqual(["first"]);
  });

  it("wakes one that is put in by another, also where that one is due sooner than all there are", () => {
    const wheel = createWheel();
    const woken: string[] = [];
    wheel.after(50, () => {
      wheel.after(6000, () => woken.push("late"));
      wheel.after(0, () => woken.push("soon"));
    });
    wheel.after(4000, () => woken.push("between"));
    vi.advanceTimersByTime(70);
    expect(woken).toEqual(["soon"]);
    vi.advanceTimersByTime(3950);
    expect(woken).toEqual(["soon", "between"]);
    vi.advanceTimersByTime(3000);
    expect(woken).toEqual(["soon", "between", "late"]);
  });
});
