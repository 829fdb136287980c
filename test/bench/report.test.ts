import { describe, expect, it } from "vitest";
import { type Findings, faultsOf, type Goal, goalsText } from "../../bench/report.ts";

const goal = (what: string, measured: string): Goal => ({ what, wanted: "1 µs", measured, isMet: false });
const findings = (...goals: Goal[]): Findings => ({ sections: [], goals });

describe("the results of a bench", () => {
  it("are whole where each part was measured and each goal has a figure, met or not", () => {
    const parts = new Map([["hits", findings(goal("a", "2.00 µs"), goal("b", "0.00"), goal("c", "-0.1 µs"))]]);
    expect(faultsOf(parts)).toEqual([]);
  });

  it("are not for a part that could not be measured, nor for a goal without a figure", () => {
    const parts = new Map<string, Findings | Error>([
      ["sizes", new Error("the server did not go on")],
      ["cold", findings(goal("a miss", "NaN µs"), goal("another", "1 µs"), goal("a third", ""))],
    ]);
    expect(faultsOf(parts)).toEqual([
      "sizes could not be measured: the server did not go on",
      "cold has no figure for this goal: a miss",
      "cold has no figure for this goal: a third",
    ]);
  });

  it("say of each goal whether it is met, not met or not measured", () => {
    const met = { ...goal("a", "0.9 µs"), isMet: true };
    const rows = goalsText([met, goal("b", "2 µs"), goal("c", "NaN µs")])
      .trimEnd()
      .split("\n")
      .slice(-3);
    const verdicts = rows.map((row) => row.split("|").at(-2)?.trim());
    expect(verdicts).toEqual(["met", "not met", "not measured"]);
    expect(goalsText([])).toBe("");
  });
});
