// `npm run bench`: Namewell beside nscd, unbound and dnsmasq, on this machine, in one run.
//   node dist/bench.js [hits] [work] [cores] [sizes] [cold] [loss] [outage] [search] [denials] [beside] [--rounds=N] [--write]
// Without names all parts run. --write puts the results into bench/RESULTS.md. Timing decides no exit code. The run ends with
// an error where a part gave no results (a wrong answer, a contender that is not what it says) or a goal has no figure, and
// with --write also where something to be measured is not installed.
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { sandboxMissing } from "../test/support/sandbox.ts";
import { beside } from "./beside.ts";
import { cold } from "./cold.ts";
import { type ContenderName, type Contenders, startContenders } from "./contenders.ts";
import { cores } from "./cores.ts";
import { denials } from "./denials.ts";
import { hits } from "./hits.ts";
import { buildLookups, type Libc } from "./lookups.ts";
import { loss } from "./loss.ts";
import { machineText } from "./machine.ts";
import { outage } from "./outage.ts";
import { type Findings, faultsOf, goalsText, sectionText } from "./report.ts";
import { SEARCH_LIST, search } from "./search.ts";
import type { Setting } from "./setting.ts";
import { sizes } from "./sizes.ts";
import { throughput } from "./throughput.ts";
import { work } from "./work.ts";

interface Part {
  readonly contenders: readonly ContenderName[];
  readonly resolvConf?: string;
  run(setting: Setting): Promise<Findings>;
}

const WARM: readonly ContenderName[] = ["client.so", "nscd", "unbound", "dnsmasq", "client.so, socket only"];
const PARTS: Readonly<Record<string, Part>> = {
  hits: { contenders: WARM, run: hits },
  work: { contenders: WARM, run: work },
  cores: { contenders: WARM, run: cores },
  sizes: { contenders: [], run: sizes },
  cold: { contenders: ["upstream itself", "client.so", "unbound", "dnsmasq"], run: cold },
  throughput: { contenders: ["client.so", "upstream itself", "unbound", "dnsmasq"], run: throughput },
  loss: { contenders: [], run: loss },
  outage: { contenders: [], run: outage },
  search: {
    contenders: ["client.so", "nscd", "unbound", "dnsmasq", "upstream itself"],
    resolvConf: SEARCH_LIST,
    run: search,
  },
  denials: { contenders: ["client.so", "upstream itself"], resolvConf: SEARCH_LIST, run: denials },
  beside: { contenders: ["client.so"], run: beside },
};
const RESULTS = fileURLToPath(new URL("../bench/RESULTS.md", import.meta.url));
const MEANING = `Made by \`npm run bench -- --write\`. All of it was measured in one run, side by side: each round measures every contender
once, and the figures are medians of the rounds. The machine is shared and virtual, so absolute times move by half from run
to run; what can be relied on are the ratios of one run.

Every contender has a private network and the same upstream, and is warm unless misses are measured. Every answer was
checked. \`client.so\` is this project with its shared table; \`client.so, socket only\` has DNS_CACHE_SHARED_TABLE=off; nscd
answers from the map that it shares with glibc; unbound and dnsmasq are libc's nameserver on loopback.
`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "5" }, write: { type: "boolean", default: false } },
});
const names = positionals.length > 0 ? positionals : Object.keys(PARTS);
const unknown = names.find((name) => PARTS[name] === undefined);
const rounds = Number(values.rounds);
const missing = sandboxMissing();
if (unknown !== undefined || !(Number.isInteger(rounds) && rounds > 0)) {
  console.error(`usage: node dist/bench.js [${Object.keys(PARTS).join("] [")}] [--rounds=N] [--write]`);
  process.exit(2);
}
if (missing !== undefined) {
  console.error(`The bench runs in private namespaces, and there are ${missing}`);
  process.exit(2);
}

// Directories in memory are removed at the end of the process, which a signal alone would not bring about.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const began = performance.now();
let text = "";
function say(more: string): void {
  console.log(more);
  text += `${more}\n`;
}

say(`# Results\n\n${MEANING}\n${machineText()}`);
const absent = new Set<string>();
function sayAbsent(line: string): void {
  if (!absent.has(line)) say(`${line}\n`);
  absent.add(line);
}

const programs = new Map<Libc, string>();
for (const libc of ["glibc", "musl"] as const) {
  const program = buildLookups(libc);
  if (program !== undefined) programs.set(libc, program);
  else
    sayAbsent(`No compiler for ${libc} is here (apt-get install ${libc === "musl" ? "musl-tools" : "gcc"}): left out`);
}
const parts = new Map<string, Findings | Error>();
for (const name of names) parts.set(name, await runPart(name, PARTS[name] as Part));
say(goalsText([...parts.values()].flatMap((outcome) => (outcome instanceof Error ? [] : outcome.goals))));
console.log(`${((performance.now() - began) / 1000).toFixed(0)} s`);
if (values.write) fs.writeFileSync(RESULTS, text);
const faults = [...faultsOf(parts), ...(values.write ? absent : [])];
for (const fault of faults) console.error(`Not whole: ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;

async function runPart(name: string, { contenders: wanted, resolvConf, run }: Part): Promise<Findings | Error> {
  let contenders: Contenders | undefined;
  try {
    contenders = await startContenders(wanted, resolvConf);
    contenders.skipped.forEach(sayAbsent);
    const findings = await run({ programs, contenders: contenders.all, rounds });
    findings.absent?.forEach(sayAbsent);
    for (const section of findings.sections) say(sectionText(section));
    return findings;
  } catch (error) {
    say(`## ${name}: could not be measured\n`);
    return error as Error;
  } finally {
    await contenders?.close();
  }
}
