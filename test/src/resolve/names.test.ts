import { expect, it } from "vitest";
import { createNames } from "../../../src/resolve/names.ts";

const MINUTE_MS = 60_000;

it("has the names that were asked for most, and those that failed most, first", () => {
  const names = createNames();
  names.used("a.example");
  names.used("b.example", 3);
  names.failed("c.example");
  expect(names.report()).toEqual({
    top: [
      { name: "b.example", count: 3, error: 0 },
      { name: "a.example", count: 1, error: 0 },
    ],
    failing: [{ name: "c.example", count: 1, error: 0 }],
    slow: [],
  });
});

it("has the slowest first, each name and type once, by its slowest time", () => {
  const names = createNames(() => 0);
  names.took("a.example", "A", 20);
  names.took("b.example", "A", 30);
  names.took("a.example", "A", 40);
  names.took("a.example", "A", 10);
  names.took("a.example", "AAAA", 5);
  expect(names.report().slow.map(({ name, type, seconds }) => [name, type, seconds])).toEqual([
    ["a.example", "A", 0.04],
    ["b.example", "A", 0.03],
    ["a.example", "AAAA", 0.005],
  ]);
});

it("keeps the fifty slowest of a quarter of an hour", () => {
  let now = 0;
  const names = createNames(() => now);
  for (let i = 0; i < 200; i++) names.took(`n${i}.example`, "A", 1000 + i);
  names.took("fast.example", "A", 1);
  expect(names.report().slow.map(({ seconds }) => seconds)).toEqual(
    Array.from({ length: 50 }, (_, i) => (1199 - i) / 1000),
  );
  now = 15 * MINUTE_MS;
  expect(names.report().slow).toEqual([]);
  names.took("fast.example", "A", 1);
  expect(names.report().slow.map(({ name }) => name)).toEqual(["fast.example"]);
});
