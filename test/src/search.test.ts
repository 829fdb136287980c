import { describe, expect, it } from "vitest";
import {
  OUTCOME_DATA,
  OUTCOME_NO_DATA,
  OUTCOME_NO_NAME,
  OUTCOME_TEMPORARY,
  OUTCOME_UNFIT,
  RECORD_HEADER_BYTES,
  RECORD_OUTCOME,
  TYPE_A,
  TYPE_AAAA,
} from "../../assembly/layout.ts";
import { search } from "../../src/search.ts";

const OUTCOMES: Record<string, number> = {
  data: OUTCOME_DATA,
  empty: OUTCOME_NO_DATA,
  missing: OUTCOME_NO_NAME,
  broken: OUTCOME_TEMPORARY,
  unfit: OUTCOME_UNFIT,
};
function record(outcome: string): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES);
  bytes[RECORD_OUTCOME] = OUTCOMES[outcome] as number;
  return bytes;
}

/** Searches candidates whose A and AAAA outcomes are given, such as "missing data". */
async function winnerOf(outcomes: readonly string[], isWarm: (candidate: number) => boolean) {
  const asked: string[] = [];
  const found = search(
    ({ name, type }) => {
      asked.push(name);
      const [a, aaaa] = (outcomes[Number(name)] as string).split(" ") as [string, string];
      const answer = record(type === TYPE_A ? a : aaaa);
      return isWarm(Number(name)) ? answer : Promise.resolve(answer);
    },
    outcomes.map((_, i) => `${i}`),
    [TYPE_A, TYPE_AAAA],
  );
  const isAtOnce = !(found instanceof Promise);
  return { winner: (await found).candidate, asked: [...new Set(asked)].join(""), isAtOnce };
}

// candidates, winner
const CASES: ReadonlyArray<[readonly string[], number]> = [
  [["data data"], 0],
  [["missing missing"], 0],
  [["missing missing", "data empty"], 1],
  [["missing missing", "empty data", "data data"], 1],
  [["empty empty", "data data"], 1],
  [["empty empty", "missing missing"], 0],
  [["missing missing", "empty empty", "empty missing"], 1],
  [["missing missing", "missing missing"], 1],
  [["broken broken", "data data"], 0],
  [["missing broken", "data data"], 0],
  [["empty broken", "data data"], 0],
  [["data broken", "data data"], 0],
  [["unfit missing", "data data"], 0],
  [["missing missing", "broken missing", "data data"], 1],
  [["empty empty", "broken missing"], 1],
];

describe("search", () => {
  for (const [outcomes, winner] of CASES) {
    it(`chooses ${winner} of ${outcomes.join(", ")}, warm, cold and from each place on`, async () => {
      expect(await winnerOf(outcomes, () => true)).toMatchObject({ winner, isAtOnce: true });
      for (let cold = 0; cold < outcomes.length; cold++) {
        expect(await winnerOf(outcomes, (candidate) => candidate < cold)).toMatchObject({ winner });
      }
    });
  }

  it("asks for nothing behind a winner that is at hand", async () => {
    expect(await winnerOf(["missing missing", "data data", "data data"], () => true)).toMatchObject({ asked: "01" });
  });
  it("asks for all that is left at once when one is not at hand", async () => {
    const cold = await winnerOf(["missing missing", "data data", "data data"], () => false);
    expect(cold).toMatchObject({ winner: 1, asked: "012", isAtOnce: false });
  });
});
