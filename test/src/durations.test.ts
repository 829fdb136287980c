import fc from "fast-check";
import { expect, it } from "vitest";
import { BOUND_SECONDS, createDurations } from "../../src/durations.ts";

it("has bounds from 0.25 ms, doubled, to 8.192 s", () => {
  expect([BOUND_SECONDS.length, BOUND_SECONDS[0], BOUND_SECONDS[1], BOUND_SECONDS.at(-1)]).toEqual([
    16, 0.00025, 0.0005, 8.192,
  ]);
});

it("counts each duration in the first bucket whose bound it does not pass, and else in the last", () => {
  const ms = fc.oneof(
    fc.double({ min: 0, max: 20_000, noNaN: true }),
    fc.constantFrom(...BOUND_SECONDS.map((each) => each * 1000)),
  );
  fc.assert(
    fc.property(ms, (took) => {
      const durations = createDurations();
      durations.count(took);
      const expected = BOUND_SECONDS.findIndex((bound) => took / 1000 <= bound);
      const counted = durations.buckets.map((count, bucket) => (count > 0 ? bucket : -1)).filter((each) => each >= 0);
      expect(counted).toEqual([expected < 0 ? 16 : expected]);
      expect(durations.sumSeconds).toBe(took / 1000);
    }),
  );
});
