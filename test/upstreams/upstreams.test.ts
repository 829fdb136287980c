// The judge of what we make of servers: libc, which asks the same ones. No name that it resolves, within its own time-outs,
// fails with us or has other addresses, whether our server answers it or leaves it to libc; and what the first of a list
// denies has none. What we resolve and libc does not is fine.
// NAMEWELL_UPSTREAMS_SEED sets the seed, NAMEWELL_UPSTREAMS_COUNT the number of combinations, and
// NAMEWELL_UPSTREAMS="refuses TCP; truncates // both big" runs one, as a failure prints it (or several, a line each).
import { describe, expect, it } from "vitest";
import { IS_FULL } from "../differential/size.ts";
import { sandboxMissing } from "../support/sandbox.ts";
import { type Combination, combinationOf, combinations, single, textOf, zoneUnder } from "./combination.ts";
import { LEFT, type Results, runWave, SIDES } from "./wave.ts";

const SEED = Number(process.env.NAMEWELL_UPSTREAMS_SEED ?? (IS_FULL ? Date.now() % 2 ** 31 : 1));
const COUNT = Number(process.env.NAMEWELL_UPSTREAMS_COUNT ?? (IS_FULL ? 2200 : 20));
const LISTED_SHARE = 1 / 20;
const WAVE = { equal: 200, listed: 20 };
const ROOMY_WAVE = { equal: 60, listed: 5 };
const WAVES_AT_ONCE = 2;
const ONE = process.env.NAMEWELL_UPSTREAMS;

/** Of one type libc might wait longer than we do, who give the other one meanwhile. */
const ONE_TYPE_LATE = /takes [1-9]\d{3} ms|is silent|loses the next|bears|every \d/;
/** Which of many queries they hit is chance: such combinations are judged all together. */
const CHANCE = /every \d|bears/;
const DENIAL = /^(says NXDOMAIN|is empty)/;
const NAMES_SUFFIX = "c0.example"; // of which does not matter
const ZONE = zoneUnder(NAMES_SUFFIX);

function addressesIn(result: string, family: "A" | "AAAA"): string[] {
  const [, ...addresses] = result.startsWith("addresses") ? result.split(" ") : [];
  return addresses.filter((address) => address.includes(":") === (family === "AAAA")).sort();
}

function isLeft(result: string): boolean {
  return result === `addresses ${LEFT}`;
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

interface Judged {
  readonly combination: Combination;
  /** A line for each call; none where all is well. */
  readonly faults: readonly string[];
}

async function compare(all: readonly Combination[], waveSizes: typeof WAVE, atOnce: number): Promise<Judged[]> {
  if (all.length === 0) return [];
  const byChance = { libc: 0, ours: 0 };
  const judged: Judged[] = [];
  const counts = { calls: 0, libc: 0, ours: 0, alone: 0, left: 0, more: 0 };
  function judge(combination: Combination, results: Results): void {
    const faults: string[] = [];
    const isChance =
      ONE === undefined && combination.servers.some((habits) => habits.some((each) => CHANCE.test(each)));
    for (const { call, got } of results) {
      counts.calls++;
      for (const side of SIDES) counts[side] += Number(got[side].startsWith("addresses"));
      counts.left += Number(isLeft(got.alone));
      counts.more += Number(got.ours.startsWith("addresses") && !got.libc.startsWith("addresses"));
      if (isChance) {
        byChance.libc += Number(got.libc.startsWith("addresses"));
        byChance.ours += Number(got.ours.startsWith("addresses"));
        continue;
      }
      const what = (["ours", "alone"] as const).map((side) => {
        const wrong = isLeft(got[side]) ? undefined : fault(combination, call, got.libc, got[side]);
        return wrong === undefined ? "" : `; ${wrong}: ${side} ${short(got[side])}`;
      });
      if (what.join("") !== "") faults.push(`  ${call}: libc ${short(got.libc)}${what.join("")}`);
    }
    judged.push({ combination, faults });
  }
  const waves = wavesOf(all, waveSizes);
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let wave = waves.shift(); wave !== undefined; wave = waves.shift()) {
        const results = await runWave(wave);
        wave.forEach((combination, i) => void judge(combination, results[i] as Results));
      }
    }),
  );
  const { calls, libc, ours, alone, left, more } = counts;
  console.log(
    `${all.length} combinations, seed ${SEED}: of ${calls} calls libc resolves ${libc}, programs with us ${ours} (${more} that libc does not), our server ${alone - left}, ${left} are left to libc`,
  );
  if (IS_FULL && byChance.libc > 0) {
    console.log(`by chance: libc ${byChance.libc}, programs with us ${byChance.ours}`);
    expect(byChance.ours).toBeGreaterThanOrEqual(byChance.libc);
  }
  return judged.filter(({ faults }) => faults.length > 0);
}

function short(result: string): string {
  return result.length > 60 ? `${result.slice(0, 60)}…` : result;
}

/** The longest first. */
function wavesOf(all: readonly Combination[], sizes: typeof WAVE): Combination[][] {
  return (["listed", "equal"] as const).flatMap((mode) => {
    const own = all.filter((each) => each.mode === mode);
    const waves: Combination[][] = [];
    for (let i = 0; i < own.length; i += sizes[mode]) waves.push(own.slice(i, i + sizes[mode]));
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
    const doubted = await compare(all, WAVE, WAVES_AT_ONCE);
    // Once more with room: a machine that has too much to do loses packets and patience of its own.
    const faulty = await compare(
      doubted.map(({ combination }) => combination),
      ROOMY_WAVE,
      1,
    );
    expect(faulty.map(({ combination, faults }) => [textOf(combination), ...faults].join("\n")).join("\n")).toBe("");
  });
});
