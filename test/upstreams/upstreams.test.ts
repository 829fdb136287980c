// The judge of what we make of servers: libc, which asks the same ones. No name that it resolves, within its own time-outs,
// fails with us or has other addresses, also where our server is left alone with it; and what the first of a list denies has
// none. What we resolve and libc does not is fine.
// NAMEWELL_UPSTREAMS_SEED sets the seed, NAMEWELL_UPSTREAMS_COUNT the number of combinations, and
// NAMEWELL_UPSTREAMS="refuses TCP; truncates // both big" runs one, as a failure prints it (or several, a line each).
import { describe, expect, it } from "vitest";
import { IS_FULL } from "../differential/size.ts";
import { sandboxMissing } from "../support/sandbox.ts";
import { type Combination, combinationOf, combinations, single, textOf, zoneUnder } from "./combination.ts";
import { type Results, runWave, SIDES } from "./wave.ts";

const SEED = Number(process.env.NAMEWELL_UPSTREAMS_SEED ?? (IS_FULL ? Date.now() % 2 ** 31 : 1));
const COUNT = Number(process.env.NAMEWELL_UPSTREAMS_COUNT ?? (IS_FULL ? 2200 : 20));
const LISTED_SHARE = 1 / 20;
const WAVE = { equal: 200, listed: 20 };
const WAVES_AT_ONCE = 4;
const ONE = process.env.NAMEWELL_UPSTREAMS;

/** Of one type libc might wait longer than we do, who give the other one meanwhile. */
const ONE_TYPE_LATE = /takes [1-9]\d{3} ms|is silent|loses the next|bears|every \d/;
const DENIAL = /^(says NXDOMAIN|is empty)/;
const NAMES_SUFFIX = "c0.example"; // of which does not matter
const ZONE = zoneUnder(NAMES_SUFFIX);

function addressesIn(result: string, family: "A" | "AAAA"): string[] {
  const [, ...addresses] = result.startsWith("addresses") ? result.split(" ") : [];
  return addresses.filter((address) => address.includes(":") === (family === "AAAA")).sort();
}

/** Undefined where all is well. */
function fault({ servers, mode }: Combination, call: string, libc: string, ours: string): string | undefined {
  const name = `${call.split(" ")[1]}.${NAMES_SUFFIX}`;
  const entry = ZONE[ZONE[name]?.CNAME ?? name];
  const isLate = servers.some((habits) => habits.some((words) => ONE_TYPE_LATE.test(words)));
  const [first = []] = servers;
  const isDenied = mode === "listed" && first.every((words) => DENIAL.test(words));
  for (const family of ["A", "AAAA"] as const) {
    const wanted = addressesIn(libc, family);
    const given = addressesIn(ours, family);
    const isSpared = isLate && given.length === 0 && ours.startsWith("addresses");
    if (wanted.length > 0 && given.join() !== wanted.join() && !isSpared) return "other addresses";
    if (!given.every((address) => entry?.[family]?.includes(address))) return "false addresses";
    if (isDenied && libc === "denied" && given.length > 0) return "addresses in spite of a denial";
  }
  return undefined;
}

async function compare(all: readonly Combination[]): Promise<string[]> {
  const faults: string[] = [];
  const counts = { calls: 0, libc: 0, ours: 0, alone: 0, more: 0 };
  function judge(combination: Combination, results: Results): void {
    const own: string[] = [];
    for (const { call, got } of results) {
      counts.calls++;
      for (const side of SIDES) counts[side] += Number(got[side].startsWith("addresses"));
      counts.more += Number(got.ours.startsWith("addresses") && !got.libc.startsWith("addresses"));
      const what = (["ours", "alone"] as const).map((side) => {
        const wrong = fault(combination, call, got.libc, got[side]);
        return wrong === undefined ? "" : `; ${wrong}: ${side} ${short(got[side])}`;
      });
      if (what.join("") !== "") own.push(`  ${call}: libc ${short(got.libc)}${what.join("")}`);
    }
    if (own.length > 0) faults.push([textOf(combination), ...own].join("\n"));
  }
  const waves = wavesOf(all);
  await Promise.all(
    Array.from({ length: WAVES_AT_ONCE }, async () => {
      for (let wave = waves.shift(); wave !== undefined; wave = waves.shift()) {
        const results = await runWave(wave);
        wave.forEach((combination, i) => void judge(combination, results[i] as Results));
      }
    }),
  );
  const { calls, libc, ours, alone, more } = counts;
  console.log(
    `${all.length} combinations, seed ${SEED}: of ${calls} calls libc resolves ${libc}, programs with us ${ours} (${more} that libc does not), our server alone ${alone}`,
  );
  return faults;
}

function short(result: string): string {
  return result.length > 60 ? `${result.slice(0, 60)}…` : result;
}

/** The longest first. */
function wavesOf(all: readonly Combination[]): Combination[][] {
  return (["listed", "equal"] as const).flatMap((mode) => {
    const own = all.filter((each) => each.mode === mode);
    const waves: Combination[][] = [];
    for (let i = 0; i < own.length; i += WAVE[mode]) waves.push(own.slice(i, i + WAVE[mode]));
    return waves;
  });
}

describe.skipIf(sandboxMissing())("servers with habits", () => {
  it("are made of what libc makes of them", { timeout: IS_FULL ? 3_600_000 : 300_000 }, async () => {
    const listed = Math.ceil(COUNT * LISTED_SHARE);
    const all =
      ONE === undefined
        ? [
            ...(IS_FULL ? single() : []),
            ...combinations("equal", SEED, COUNT - listed),
            ...combinations("listed", SEED, listed),
          ]
        : ONE.split("\n").map(combinationOf);
    expect((await compare(all)).join("\n")).toBe("");
  });
});
