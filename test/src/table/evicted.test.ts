import { describe, expect, it } from "vitest";
import { TYPE_A } from "../../../assembly/layout.ts";
import { createEvicted } from "../../../src/table/evicted.ts";
import { address, makeRecord } from "../../support/records.ts";

const BEFORE = -1; // no record here has been settled: all of them end at 0

const recordOf = (name: string, value = 1) => Buffer.from(makeRecord({ name, data: [address(value)] }));
const question = (name: string) => ({ name, type: TYPE_A });

describe("evicted records", () => {
  it("make room for others, the oldest first", () => {
    const evicted = createEvicted(3);
    for (const name of ["a", "b", "c", "d"]) evicted.insert(recordOf(name), 0);
    expect(["a", "b", "c", "d"].map((name) => evicted.peek(question(name)) !== undefined)).toEqual([
      false,
      true,
      true,
      true,
    ]);
    expect(evicted.count()).toBe(3);
  });

  it("are young again when they come once more, and then in one place", () => {
    const evicted = createEvicted(3);
    for (const [name, value] of [
      ["a", 1],
      ["b", 1],
      ["a", 2],
      ["c", 1],
    ] as const)
      evicted.insert(recordOf(name, value), 0);
    expect(evicted.peek(question("a"))).toEqual(new Uint8Array(recordOf("a", 2)));
    expect(evicted.count()).toBe(3);
    evicted.insert(recordOf("d"), 0);
    expect([evicted.peek(question("b")), evicted.count()]).toEqual([undefined, 3]);
  });

  it("are taken once, with the hits that they had", () => {
    const evicted = createEvicted(3);
    evicted.insert(recordOf("a"), 7);
    expect(evicted.take({ name: "a", type: 28 }, BEFORE)).toBeUndefined();
    expect(evicted.take(question("a"), 0)).toBeUndefined(); // it has ended, and stays
    expect(evicted.take(question("a"), BEFORE)).toEqual({ record: new Uint8Array(recordOf("a")), hits: 8 });
    expect(evicted.take(question("a"), BEFORE)).toBeUndefined();
  });
});
