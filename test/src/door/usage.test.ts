import { describe, expect, it } from "vitest";
import * as layout from "../../../assembly/layout.ts";
import { createCounters } from "../../../src/counters.ts";
import { createUsage } from "../../../src/door/usage.ts";
import type { LogLevel } from "../../../src/log.ts";
import { createLog } from "../../../src/log.ts";
import { createNames } from "../../../src/resolve/names.ts";
import { createCache, type Held } from "../../../src/table/cache.ts";
import { address, makeRecord } from "../../support/records.ts";
import { debugWasm } from "../../support/wasm.ts";

const A = layout.TYPE_A;
const NONCE_LOW = 0x0101;

/** Takes what clients tell of a table of eight slots: a.example in slot 0 and b.example in slot 1. */
function usage(level: LogLevel = "debug") {
  const wasm = debugWasm({ entries: 8, random: (bytes) => bytes.fill(NONCE_LOW & 0xff) });
  const cache = createCache(wasm, () => undefined);
  for (const name of ["a.example", "b.example"]) cache.keep(makeRecord({ name, data: [address(1)] }), 0, 0);
  const counters = createCounters();
  const lines: Array<Record<string, unknown>> = [];
  const refreshed: Held[] = [];
  const areMany: boolean[] = [];
  let namesRead = 0;
  const watched = {
    ...cache,
    use(...args: Parameters<typeof cache.use>) {
      const held = cache.use(...args);
      const question = () => {
        namesRead++;
        return (held as Held).question();
      };
      return held && { ...held, question };
    },
  };
  const log = createLog(level, { write: (line) => void lines.push(JSON.parse(line)) });
  function refresh(held: Held, isOneOfMany = false): void {
    refreshed.push(held);
    areMany.push(isOneOfMany);
  }
  const names = createNames();
  const { take } = createUsage({ cache: watched, refresh, names, counters, log });
  const epoch = Buffer.from(wasm.image.subarray(layout.HEADER_EPOCH, layout.HEADER_EPOCH + 8));
  return {
    counters,
    names,
    lines,
    refreshed,
    areMany,
    epoch,
    cache,
    take,
    namesRead: () => namesRead,
    hitsOf: (name: string) => (cache.find({ name, type: A }, 0)?.hits as number) - 1,
  };
}
const use = (slot: number, hits: number, nonce = NONCE_LOW) => ({ slot, nonce, hits });

describe("usage", () => {
  it.each(["touch", "hits"] as const)("adds the hits of %s to the entries, the counters and the log", (kind) => {
    const { take, epoch, counters, lines, hitsOf } = usage();
    take({ kind, epoch, uses: [use(0, 3), use(1, 40)] });
    expect([hitsOf("a.example"), hitsOf("b.example")]).toEqual([3, 40]);
    expect([counters.publishedHits, counters.hits, counters.usesGone]).toEqual([43, 0, 0]);
    expect(lines.map(({ msg, type, hits }) => [msg, type, hits])).toEqual([
      ["Cache hit a.example", "A", 3],
      ["Cache hit b.example", "A", 40],
    ]);
  });

  it("counts what was hit: its name, its type, and whether it is a denial", () => {
    const { take, epoch, counters, names, cache } = usage();
    cache.keep(
      makeRecord({ name: "c.example", type: layout.TYPE_AAAA, outcome: layout.OUTCOME_NO_NAME, ttl: 9 }),
      0,
      0,
    );
    take({ kind: "hits", epoch, uses: [use(0, 3), use(1, 1), use(2, 5)] });
    expect([counters.hitsByType, counters.publishedHitsOfDenials]).toEqual([[4, 5, 0, 0], 5]);
    expect(names.report().top.map(({ name, count }) => [name, count])).toEqual([
      ["c.example", 5],
      ["a.example", 3],
      ["b.example", 1],
    ]);
  });

  it("says nothing and reads no name where there was no hit", () => {
    const { take, epoch, lines, namesRead } = usage();
    take({ kind: "touch", epoch, uses: [use(0, 0)] });
    expect([lines, namesRead()]).toEqual([[], 0]);
  });

  it("has touched entries refreshed, with the hits that came with the touch, and no others", () => {
    const { take, epoch, refreshed } = usage();
    take({ kind: "hits", epoch, uses: [use(0, 9)] });
    expect(refreshed).toEqual([]);
    take({ kind: "touch", epoch, uses: [use(1, 2), use(0, 0)] });
    expect(refreshed.map(({ hits, refreshAtMs, question }) => [hits, refreshAtMs, question().name])).toEqual([
      [2, 54_000, "b.example"],
      [9, 54_000, "a.example"],
    ]);
  });

  it("has those behind the first eight of a frame refreshed as ones of many", () => {
    const { take, epoch, areMany } = usage();
    take({ kind: "touch", epoch, uses: Array(10).fill(use(0, 2)) });
    expect(areMany).toEqual([...Array(8).fill(false), true, true]);
  });

  it("leaves out entries that are not there any more, one by one, and counts them", () => {
    const { take, epoch, counters, refreshed, hitsOf } = usage();
    const gone = [use(0, 5, 2), use(2, 5), use(2, 5, 0), use(8, 5), use(0xffffffff, 5)];
    take({ kind: "touch", epoch, uses: [...gone, use(1, 1)] });
    expect([counters.usesGone, counters.publishedHits, refreshed.length]).toEqual([5, 1, 1]);
    expect([hitsOf("a.example"), hitsOf("b.example")]).toEqual([0, 1]);
  });

  it("leaves out all that is told of another table", () => {
    const { take, epoch, counters, refreshed, hitsOf } = usage();
    epoch[7] = (epoch[7] as number) ^ 1;
    take({ kind: "touch", epoch, uses: [use(0, 5), use(1, 5)] });
    expect([counters.usesOfOtherTable, counters.publishedHits, refreshed.length]).toEqual([2, 0, 0]);
    expect(hitsOf("a.example")).toBe(0);
  });
});
