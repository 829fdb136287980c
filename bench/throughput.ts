// Different names, hardly any of them asked for before, by many processes at once: how many a second.
import { measure, type Times } from "./lookups.ts";
import { digits, type Findings, ratioText } from "./report.ts";
import { inRounds, median } from "./rounds.ts";
import type { Setting } from "./setting.ts";

const PROCESSES = 16;
const MILLIS = 1000;
const FIRST = 1_000_000; // of numbers that no other run uses
const NAMES_A_ROUND = 1_000_000; // taken at random: some thousands are asked for, so hardly any twice

export async function throughput({ programs, contenders, rounds }: Setting): Promise<Findings> {
  const program = programs.get("glibc");
  const own = contenders.find(({ title }) => title === "client.so");
  if (program === undefined || own === undefined) return { sections: [], goals: [] };
  const measured = await inRounds(rounds, contenders, (contender, round) =>
    measure(program, contender, {
      call: "gethostbyname_r",
      first: FIRST + round * NAMES_A_ROUND,
      names: NAMES_A_ROUND,
      millis: MILLIS,
      processes: PROCESSES,
      batch: 1,
      uncounted: 1,
      seed: round,
    }),
  );
  const of = (contender: (typeof contenders)[number]) => measured.get(contender) as Times[];
  return {
    sections: [
      {
        title: `Different names, glibc, gethostbyname_r, ${PROCESSES} processes at once`,
        notes: [
          "Nearly every name is asked for the first time. `x`: client.so's lookups a second, in the same round, as so many times these.",
        ],
        head: ["answered by", "lookups a second", "x"],
        rows: contenders.map((contender) => [
          contender.title,
          digits(median(of(contender).map(({ perSecond }) => perSecond))),
          ratioText(median(of(contender).map(({ perSecond }, i) => (of(own)[i] as Times).perSecond / perSecond))),
        ]),
      },
    ],
    goals: [],
  };
}
