// What one warm lookup does: system calls by strace, datagrams by the kernel's count. It also proves that each contender is
// what it says: a cache that asked its upstream, or nscd without its map, ends the run.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { isInstalled } from "../demo/clients.ts";
import { type Contender, datagramsSent } from "./contenders.ts";
import { CALLS, type Call, jobArguments, type Label, measure } from "./lookups.ts";
import type { Findings, Goal } from "./report.ts";
import type { Setting } from "./setting.ts";

interface Work {
  readonly datagrams: number;
  /** By name; undefined without strace. */
  readonly systemCalls: ReadonlyMap<string, number> | undefined;
}

// The difference between two runs is what the lookups cost; what a process's start costs is in both.
const FEW = 100;
const MANY = 1100;
const NAMED_MAX = 6;
const FEW_PER_LOOKUP = 0.05; // files looked at once a second are this rare even under strace
const REST = { first: 8, batch: 1, millis: 60_000 } as const;
/** Several addresses where they have to be sorted; one where nscd would keep no more. */
const LABELS: Record<Call, Label> = { gethostbyname_r: "n", "getaddrinfo-v4": "n", getaddrinfo: "m" };

export async function work({ programs, contenders }: Setting): Promise<Findings> {
  const rows: string[][] = [];
  const goals: Goal[] = [];
  for (const [libc, program] of programs) {
    for (const call of CALLS) {
      for (const contender of contenders.filter(({ libcs }) => libcs.includes(libc))) {
        const done = await workOf(program, contender, call);
        refuseFalse(contender, call, done);
        const total = done.systemCalls && [...done.systemCalls.values()].reduce((sum, count) => sum + count, 0);
        rows.push([
          libc,
          call,
          contender.title,
          count(done.datagrams),
          total === undefined ? "" : count(total),
          names(done),
        ]);
        if (contender.title !== "client.so" || total === undefined) continue;
        goals.push({
          what: `system calls of a hit, ${call}, ${libc}`,
          wanted: "none",
          measured: count(total),
          isMet: total < FEW_PER_LOOKUP,
        });
      }
    }
  }
  return {
    sections: [
      {
        title: "What one warm lookup does",
        notes: [
          `One address, or with getaddrinfo four of each family. Counted over ${MANY - FEW} lookups; datagrams are all of the machine's, replies too.`,
        ],
        head: ["libc", "call", "answered by", "datagrams", "system calls", "which"],
        rows,
      },
    ],
    goals,
    absent: isInstalled("strace") ? [] : ["strace is not installed (apt-get install strace): no system calls"],
  };
}

async function workOf(program: string, contender: Contender, call: Call): Promise<Work> {
  const before = await datagramsSent(contender.box);
  await measure(program, contender, { call, label: LABELS[call], lookups: FEW, ...REST });
  const between = await datagramsSent(contender.box);
  await measure(program, contender, { call, label: LABELS[call], lookups: MANY, ...REST });
  const after = await datagramsSent(contender.box);
  const datagrams = (after - between - (between - before)) / (MANY - FEW);
  if (!isInstalled("strace")) return { datagrams, systemCalls: undefined };
  const few = await systemCalls(program, contender, call, FEW);
  const many = await systemCalls(program, contender, call, MANY);
  const names = [...many.keys()];
  return {
    datagrams,
    systemCalls: new Map(names.map((name) => [name, ((many.get(name) ?? 0) - (few.get(name) ?? 0)) / (MANY - FEW)])),
  };
}

async function systemCalls(program: string, { box, env, title }: Contender, call: Call, lookups: number) {
  const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-bench-"));
  try {
    const file = path.join(directory, "strace");
    const preload = Object.entries(env).flatMap(([name, value]) => ["-E", `${name}=${value}`]);
    const command = ["strace", "-f", "-qq", "-c", "-o", file, ...preload, program];
    const { code, stderr } = await box.run([
      ...command,
      ...jobArguments({ call, label: LABELS[call], lookups, ...REST }),
    ]);
    if (code !== 0) throw new Error(`strace of ${title}, ${call}: ${stderr}`);
    const rows = fs.readFileSync(file, "utf8").matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/gm);
    return new Map(
      [...rows].filter(([, , name]) => name !== "total").map(([, count, name]) => [name as string, Number(count)]),
    );
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/** Each question to a loopback resolver is a datagram there and one back; one more means that it asked its upstream. */
function refuseFalse({ title }: Contender, call: Call, { datagrams, systemCalls }: Work): void {
  const isResolver = title === "unbound" || title === "dnsmasq";
  const expected = isResolver ? (call === "getaddrinfo" ? 4 : 2) : 0;
  if (Math.abs(datagrams - expected) > FEW_PER_LOOKUP) {
    throw new Error(`${title}, ${call}: ${datagrams} datagrams a lookup where a hit has ${expected}`);
  }
  const connects = systemCalls?.get("connect") ?? 0;
  if (title === "nscd" && call === "gethostbyname_r" && connects > FEW_PER_LOOKUP) {
    throw new Error(`nscd, ${call}: ${connects} connections a lookup where its shared map needs none`);
  }
}

function names({ systemCalls }: Work): string {
  const all = [...(systemCalls ?? [])]
    .filter(([, count]) => count >= FEW_PER_LOOKUP)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => (count < 1.5 ? name : `${Math.round(count)} ${name}`));
  return `${all.slice(0, NAMED_MAX).join(", ")}${all.length > NAMED_MAX ? ", …" : ""}`;
}

/** Of which the difference of two runs may be a little below none. */
function count(perLookup: number): string {
  return Math.max(0, perLookup).toFixed(2);
}
