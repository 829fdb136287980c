import { expect, it } from "vitest";
import { createRateCap } from "../../../src/resolve/ratecap.ts";

it("gives a second's worth at once, then evenly, and saves up no more than that", () => {
  const take = createRateCap(10);
  const taken = (nowMs: number) => Array.from({ length: 30 }, () => take(nowMs)).filter(Boolean).length;
  expect(taken(1_000_000)).toBe(10);
  expect(taken(1_000_099)).toBe(0);
  expect(taken(1_000_100)).toBe(1);
  expect(taken(1_000_550)).toBe(4);
  expect(taken(1_000_600)).toBe(1);
  expect(taken(9_000_000)).toBe(10);
});
