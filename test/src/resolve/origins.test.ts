import { expect, it } from "vitest";
import { createOrigins } from "../../../src/resolve/origins.ts";

const FROM = { upstream: "udp 10.0.0.2:53", transport: "udp", tookMs: 1 } as const;

it("remembers the last ones, the latest of each", () => {
  const { add, get } = createOrigins(3);
  for (const [key, atMs] of [
    ["a", 1],
    ["b", 2],
    ["a", 3],
    ["c", 4],
  ] as const)
    add(key, FROM, atMs);
  expect(["a", "b", "c", "d"].map((key) => get(key)?.atMs)).toEqual([3, 2, 4, undefined]);
  expect(get("c")).toEqual({ upstream: "udp 10.0.0.2:53", transport: "udp", seconds: 0.001, atMs: 4 });
  add("d", FROM, 5);
  expect(["a", "b", "c", "d"].map((key) => get(key)?.atMs)).toEqual([3, undefined, 4, 5]);
  add("e", FROM, 6);
  expect(["a", "c", "d", "e"].map((key) => get(key)?.atMs)).toEqual([undefined, 4, 5, 6]);
});
