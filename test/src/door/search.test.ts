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
} from "../../../assembly/layout.ts";
import { PLAIN_SEARCH, type SearchRule, search } from "../../../src/door/search.ts";
import type { Resolver } from "../../../src/resolve/resolver.ts";

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

type Resolve = Resolver["resolve"];
const resolving = (resolve: Resolve): Pick<Resolver, "resolve" | "together"> => ({
  resolve,
  together: (_name, _types, records) => records,
});

/** Searches candidates whose A and AAAA outcomes are given, such as "missing data". */
async function winnerOf(
  outcomes: readonly string[],
  isWarm: (candidate: number) => boolean,
  rule: SearchRule = PLAIN_SEARCH,
) {
  const asked: string[] = [];
  const found = search(
    resolving(({ name, type }) => {
      const candidate = Number.parseInt(name, 10);
      asked.push(`${candidate}`);
      const [a, aaaa] = (outcomes[candidate] as string).split(" ") as [string, string];
      const answer = record(type === TYPE_A ? a : aaaa);
      return isWarm(candidate) ? answer : Promise.resolve(answer);
    }),
    outcomes.map((_, i) => `${i}.example`),
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

  /** Names that all do not exist, each answered when the test says so. */
  function slowly(candidates: readonly string[], types: readonly number[], rule = PLAIN_SEARCH) {
    const open: Array<() => void> = [];
    const asked: string[] = [];
    let asks = 0;
    const resolve: Resolve = ({ name }) => {
      asked.push(name);
      return new Promise((answer) => open.push(() => answer(record("missing"))));
    };
    const found = search(resolving(resolve), candidates, types, rule, () => void asks++);
    return {
      found,
      asked: () => [...new Set(asked.splice(0))],
      open,
      asks: () => asks,
      async answer(count: number) {
        for (const each of open.splice(0, count)) each();
        await new Promise((resolve) => setImmediate(resolve));
      },
    };
  }
  const BOTH = [TYPE_A, TYPE_AAAA];
  const list = (count: number) => Array.from({ length: count }, (_, i) => `n.d${i}`);

  it("has at most eight questions under way beside the candidate whose turn it is, and goes on as they are answered", async () => {
    const { found, asked, open, answer } = slowly(list(32), BOTH);
    expect(asked()).toEqual(list(5));
    await answer(2);
    expect(asked()).toEqual(["n.d5"]);
    await answer(6); // those of the next three
    expect(asked()).toEqual(["n.d6", "n.d7", "n.d8"]);
    let most = 0;
    while (open.length > 0) {
      most = Math.max(most, open.length);
      await answer(1);
    }
    expect(most).toBe(10);
    expect(await found).toMatchObject({ candidate: 31 });
  });

  it("asks for a name without a dot when all others do not exist, and not before", async () => {
    const { found, asked, answer } = slowly(["db.one.example", "db.two.example", "db"], BOTH);
    expect(asked()).toEqual(["db.one.example", "db.two.example"]);
    await answer(3);
    expect(asked()).toEqual([]);
    await answer(1);
    expect(asked()).toEqual(["db"]);
    await answer(2);
    expect(await found).toMatchObject({ candidate: 2 });
  });

  it("asks for a name without a dot at once where it is the only one, or comes first", () => {
    expect(slowly(["db"], BOTH).asked()).toEqual(["db"]);
    expect(slowly(["db", "db.one.example"], BOTH, AS_IS_FIRST).asked()).toEqual(["db"]);
  });

  it("tells each time that it asks for more", async () => {
    const { asks, answer } = slowly(["a.b", "a.b.one.example", "a.b.two.example"], BOTH, AS_IS_FIRST);
    expect(asks()).toBe(1);
    await answer(1);
    expect(asks()).toBe(1);
    await answer(1);
    expect(asks()).toBe(2);
    await answer(4);
    expect(asks()).toBe(2);
  });
});
