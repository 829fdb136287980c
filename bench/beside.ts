// What is done to the HTTP side, and what lookups feel of it: the same lookups alone, and beside each attack.
import { fileURLToPath } from "node:url";
import type { Contender } from "./contenders.ts";
import { measure, type Times } from "./lookups.ts";
import { type Findings, type Goal, microseconds, ratioText } from "./report.ts";
import { median, medianTimes } from "./rounds.ts";
import type { Setting } from "./setting.ts";

export const ATTACKS = {
  nothing: "nothing",
  flood: "16 connections that ask for /metrics without a pause",
  halfOpen: "200 connections that never end their request",
  slow: "64 clients that read a byte a second",
} as const;
export type Attack = keyof typeof ATTACKS;

const KINDS = ["a hit in the table", "a miss"] as const;
type Kind = (typeof KINDS)[number];
const ATTACKER = fileURLToPath(new URL("../bench/besideAttacker.ts", import.meta.url));
const FIRST = 30_000_000; // of numbers that no other run uses
const NAMES = 500;
const HITS_MS = 100;
/** The attacker itself takes a core's share, and the machine may have two. */
const TIMES_MAX = 3;

export async function beside({ programs, contenders, rounds }: Setting): Promise<Findings> {
  const program = programs.get("glibc");
  const [contender] = contenders;
  if (program === undefined || contender === undefined) return { sections: [], goals: [] };
  const measured = new Map<string, Times[]>();
  let run = 0;
  for (let round = 0; round < rounds; round++) {
    for (const attack of Object.keys(ATTACKS) as Attack[]) {
      const attacker = attack === "nothing" ? undefined : await startAttacker(contender, attack);
      for (const kind of KINDS) {
        const times = await measure(program, contender, job(kind, run++));
        const key = keyOf(attack, kind);
        measured.set(key, [...(measured.get(key) ?? []), times]);
      }
      await attacker?.stop();
    }
  }
  const timesOf = (attack: Attack, kind: Kind) => measured.get(keyOf(attack, kind)) as Times[];
  return { sections: [section(timesOf)], goals: goals(timesOf) };
}

function startAttacker({ box }: Contender, attack: Attack) {
  return box.startModule(ATTACKER, [attack], { ready: /ready/ });
}

function job(kind: Kind, run: number) {
  const call = "gethostbyname_r" as const;
  if (kind === "a hit in the table") return { call, first: 8, suffix: "bench.example", millis: HITS_MS, seed: run };
  const first = FIRST + run * NAMES;
  return { call, order: "each" as const, suffix: "bench.example", first, names: NAMES, millis: 30_000 };
}

function keyOf(attack: Attack, kind: Kind): string {
  return `${attack} ${kind}`;
}

type TimesOf = (attack: Attack, kind: Kind) => readonly Times[];

function section(timesOf: TimesOf) {
  return {
    title: "Lookups beside what is done to the HTTP side, glibc, gethostbyname_r: µs per lookup",
    notes: ["The HTTP side is a thread of its own, of low priority; the attacker runs on the same cores."],
    head: ["beside", "lookup", "median", "p99"],
    rows: (Object.keys(ATTACKS) as Attack[]).flatMap((attack) =>
      KINDS.map((kind) => {
        const { medianNs, p99Ns } = medianTimes(timesOf(attack, kind));
        return [ATTACKS[attack], kind, microseconds(medianNs), microseconds(p99Ns)];
      }),
    ),
  };
}

function goals(timesOf: TimesOf): Goal[] {
  const attacks = (Object.keys(ATTACKS) as Attack[]).filter((attack) => attack !== "nothing");
  return attacks.map((attack) => {
    const alone = timesOf("nothing", "a miss");
    const ratio = median(timesOf(attack, "a miss").map((times, i) => times.medianNs / (alone[i] as Times).medianNs));
    return {
      what: `a miss beside ${ATTACKS[attack]}, median`,
      wanted: `less than ${TIMES_MAX} times what it takes alone`,
      measured: ratioText(ratio),
      isMet: ratio < TIMES_MAX,
    };
  });
}
