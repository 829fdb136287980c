import { expect, it } from "vitest";
import { createUsual } from "../../../src/upstream/usual.ts";

it("is the first time at first, then moves an eighth of the way to each new one", () => {
  const usual = createUsual();
  expect(usual.ms()).toBe(0);
  usual.took(80);
  expect(usual.ms()).toBe(80);
  usual.took(160);
  expect(usual.ms()).toBe(90);
  usual.took(10);
  expect(usual.ms()).toBe(80);
  for (let i = 0; i < 100; i++) usual.took(7);
  expect(usual.ms()).toBeCloseTo(7, 1);
});
