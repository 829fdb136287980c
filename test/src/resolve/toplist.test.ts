import fc from "fast-check";
import { expect, it } from "vitest";
import { createTopList } from "../../../src/resolve/toplist.ts";

it("counts exactly while there is a place for each name", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 19 }), fc.integer({ min: 1, max: 9 }))), (adds) => {
      const list = createTopList(20);
      const model = new Map<string, number>();
      for (const [name, count] of adds) {
        list.add(`n${name}`, count);
        model.set(`n${name}`, (model.get(`n${name}`) ?? 0) + count);
      }
      const listed = list.list(20);
      expect(Object.fromEntries(listed.map(({ name, count }) => [name, count]))).toEqual(Object.fromEntries(model));
      expect(listed.every(({ error }) => error === 0)).toBe(true);
      expect(listed.map(({ count }) => count)).toEqual([...model.values()].sort((one, other) => other - one));
    }),
  );
});

it("counts who has a place exactly from then on, and before that by what it says", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.integer({ min: 0, max: 30 })), (places, names) => {
      const list = createTopList(places);
      const model = new Map<string, number>();
      for (const name of names) {
        list.add(`n${name}`);
        model.set(`n${name}`, (model.get(`n${name}`) ?? 0) + 1);
      }
      const listed = list.list(1000);
      expect(listed.length).toBe(Math.min(places, model.size));
      for (const { name, count, error } of listed) {
        expect(count - error).toBeGreaterThan(0);
        expect(count - error).toBeLessThanOrEqual(model.get(name) as number);
      }
    }),
  );
});

it("finds the frequent ones in a flood of names that come once", () => {
  const list = createTopList(100);
  let once = 0;
  for (let round = 0; round < 5000; round++) {
    for (let i = 0; i < 20; i++) list.add(`once${once++}`);
    for (let i = 0; i < 10; i++) list.add(`often${i}`);
  }
  const first = list.list(10);
  expect(first.map(({ name }) => name).sort()).toEqual(Array.from({ length: 10 }, (_, i) => `often${i}`));
  for (const { count, error } of first) {
    expect(count).toBeGreaterThanOrEqual(5000 - 200);
    expect(count - error).toBeLessThanOrEqual(5000);
  }
});

it("is empty again", () => {
  const list = createTopList(2);
  list.add("a");
  list.clear();
  expect(list.list(2)).toEqual([]);
  list.add("b");
  expect(list.list(2)).toEqual([{ name: "b", count: 1, error: 0 }]);
});

it("finds each name again, whoever has come and gone beside it", () => {
  const list = createTopList(8);
  for (let i = 0; i < 20_000; i++) {
    const before = new Map(list.list(8).map(({ name, count }) => [name, count]));
    const name = `n${(i * 7919) % 23}`;
    list.add(name);
    const after = list.list(8);
    expect(new Set(after.map((each) => each.name)).size).toBe(Math.min(i + 1, 8));
    const known = before.get(name);
    if (known !== undefined) expect(after.find((each) => each.name === name)?.count).toBe(known + 1);
  }
});
