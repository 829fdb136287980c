import { describe, expect, it } from "vitest";
import {
  OUTCOME_DATA,
  OUTCOME_NO_DATA,
  OUTCOME_NO_NAME,
  OUTCOME_TEMPORARY,
  OUTCOME_UNFIT,
  RECORD_CHAIN_COUNT,
  RECORD_HEADER_BYTES,
  RECORD_OUTCOME,
  TYPE_A,
  TYPE_AAAA,
} from "../../assembly/layout.ts";
import { PLAIN_SEARCH, type SearchRule, search } from "../../src/search.ts";

const OUTCOMES: Record<string, number> = {
  data: OUTCOME_DATA,
  empty: OUTCOME_NO_DATA,
  alias: OUTCOME_NO_DATA,
  missing: OUTCOME_NO_NAME,
  broken: OUTCOME_TEMPORARY,
  unfit: OUTCOME_UNFIT,
};
function record(outcome: string): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES);
  bytes[RECORD_OUTCOME] = OUTCOMES[outcome] as number;
  bytes[RECORD_CHAIN_COUNT] = outcome === "alias" ? 1 : 0;
  return bytes;
}

/** Searches candidates whose A and AAAA outcomes are given, such as "missing data". */
async function winnerOf(
  outcomes: readonly string[],
  isWarm: (candidate: number) => boolean,
  rule: SearchRule = PLAIN_SEARCH,
) {
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
    rule,
  );
  const isAtOnce = !(found instanceof Promise);
  return { winner: (await found).candidate, asked: [...new Set(asked)].join(""), isAtOnce };
}

// candidates, winner
const AS_IS_FIRST: SearchRule = { asIsFirst: true, endsAtNoData: false };
const ENDS_AT_NO_DATA: SearchRule = { asIsFirst: false, endsAtNoData: true };
const CASES: ReadonlyArray<[readonly string[], number, SearchRule?]> = [
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
  [["alias empty", "data data"], 0],
  [["missing alias", "data data"], 0],
  [["missing missing", "empty empty", "missing missing"], 0, AS_IS_FIRST],
  [["missing missing", "missing missing", "missing data"], 2, AS_IS_FIRST],
  [["broken missing", "data data"], 0, AS_IS_FIRST],
  [["empty empty", "data data"], 0, ENDS_AT_NO_DATA],
  [["empty missing", "data data"], 1, ENDS_AT_NO_DATA],
  [["missing missing", "empty empty", "data data"], 1, ENDS_AT_NO_DATA],
];

describe("search", () => {
  for (const [outcomes, winner, rule] of CASES) {
    const title = rule === AS_IS_FIRST ? ", the name as it is first" : rule ? ", as musl ends" : "";
    it(`chooses ${winner} of ${outcomes.join(", ")}${title}: warm, cold and from each place on`, async () => {
      expect(await winnerOf(outcomes, () => true, rule)).toMatchObject({ winner, isAtOnce: true });
      for (let cold = 0; cold < outcomes.length; cold++) {
        expect(await winnerOf(outcomes, (candidate) => candidate < cold, rule)).toMatchObject({ winner });
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
  it("asks for the name as it is alone where that comes first, then for the rest at once", async () => {
    const never = () => false;
    expect(await winnerOf(["data data", "data data"], never, AS_IS_FIRST)).toMatchObject({ asked: "0" });
    const later = await winnerOf(["missing missing", "data data", "data data"], never, AS_IS_FIRST);
    expect(later).toMatchObject({ winner: 1, asked: "012" });
  });
});
