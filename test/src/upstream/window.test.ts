import { describe, expect, it } from "vitest";
import { createWindow } from "../../../src/upstream/window.ts";

/** A window, and the names that have been sent through it, in order. */
function windowOf() {
  const window = createWindow();
  const sent: string[] = [];
  return {
    window,
    sent: () => sent.splice(0),
    enter: (name: string) => window.enter(name, () => void sent.push(name)),
  };
}
const names = (count: number, suffix: string) => Array.from({ length: count }, (_, i) => `n${i}.${suffix}`);

describe("the window of a server", () => {
  it("holds a hundred queries, of which one zone has 75 at most, as long as nothing is known", () => {
    const { sent, enter } = windowOf();
    for (const name of names(200, "flood.example")) enter(name);
    expect(sent()).toHaveLength(75);
    for (const name of names(200, "other.test")) enter(name);
    expect(sent()).toHaveLength(25);
  });

  it("goes on with what waits when a reply is there or not waited for any more, zone by zone", () => {
    const { sent, enter } = windowOf();
    const leave = names(75, "flood.example").map(enter);
    const leaveOther = names(25, "other.test").map(enter);
    for (const name of names(3, "a.flood.example")) enter(name);
    for (const suffix of ["x.test", "y.test"]) for (const name of names(2, suffix)) enter(name);
    sent();
    for (const each of leave) each();
    for (const each of leaveOther) each();
    expect(sent()).toEqual([
      "n0.a.flood.example",
      "n0.x.test",
      "n0.y.test",
      "n1.a.flood.example",
      "n1.x.test",
      "n1.y.test",
      "n2.a.flood.example",
    ]);
  });

  it("forgets what is taken back while it waits", () => {
    const { sent, enter } = windowOf();
    const leave = names(75, "flood.example").map(enter);
    const gone = enter("gone.flood.example");
    enter("later.flood.example");
    sent();
    gone();
    leave[0]?.();
    leave[0]?.(); // once more changes nothing
    expect(sent()).toEqual(["later.flood.example"]);
  });

  it("is half as large after most were lost, and not below 32", () => {
    const { window, sent, enter } = windowOf();
    for (let round = 1; round < 9; round++) {
      const all = names(50, `r${round}.test`).map(enter);
      for (const leave of all) {
        window.lost(10 * round, 10 * round + 5);
        leave();
      }
    }
    sent();
    for (const suffix of ["one.test", "two.test", "three.test"]) for (const name of names(75, suffix)) enter(name);
    expect(sent().length).toBeLessThan(60);
  });

  it("does not shrink where half are lost, as on a bad path", () => {
    const { window, sent, enter } = windowOf();
    for (let round = 1; round < 9; round++) {
      const all = names(50, `r${round}.test`).map(enter);
      for (const [i, leave] of all.entries()) {
        if (i % 2 === 0) window.lost(10 * round, 10 * round + 5);
        leave();
      }
    }
    sent();
    for (const suffix of ["one.test", "two.test", "three.test"]) for (const name of names(75, suffix)) enter(name);
    expect(sent().length).toBeGreaterThanOrEqual(100);
  });
});
