// The C client: compiled for each libc that is here, and run in a contender's sandbox.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Sandbox } from "../test/support/sandbox.ts";

export type Libc = "glibc" | "musl";
export type Call = "gethostbyname_r" | "getaddrinfo-v4" | "getaddrinfo";

/** One address per family, four, or one of IPv4 alone. */
export type Label = "n" | "m" | "o";

export const CALLS: readonly Call[] = ["gethostbyname_r", "getaddrinfo-v4", "getaddrinfo"];

/** As lookups.c reads them. */
export interface Job {
  readonly call: Call;
  readonly label?: Label;
  readonly first?: number;
  readonly names?: number;
  /** A file of 32-bit numbers, in place of `first` and `names`. */
  readonly numbers?: string;
  readonly suffix?: string;
  readonly order?: "random" | "each";
  readonly sweep?: 0 | 1;
  readonly millis?: number;
  readonly lookups?: number;
  readonly batch?: number;
  readonly uncounted?: number;
  readonly processes?: number;
  readonly seed?: number;
}

export interface Times {
  /** Calls in one sample. */
  readonly batch: number;
  readonly lookups: number;
  /** Of all processes together. */
  readonly perSecond: number;
  readonly medianNs: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
}

/** Where and how a client runs. */
export interface Place {
  readonly title: string;
  readonly box: Sandbox;
  readonly env: Record<string, string>;
}

// dist/, where the bundle of this file is.
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const COMPILERS: Record<Libc, string> = { glibc: "cc", musl: "musl-gcc" };

/** The path of the client for this libc, or undefined where no compiler for it is here. */
export function buildLookups(libc: Libc): string | undefined {
  const directory = path.join(ROOT, "build", "bench");
  fs.mkdirSync(directory, { recursive: true });
  const target = path.join(directory, `lookups-${libc}`);
  const args = ["-std=gnu11", "-O2", "-o", target, path.join(ROOT, "bench", "lookups.c")];
  const { status, stderr, error } = spawnSync(COMPILERS[libc], args, { encoding: "utf8" });
  if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return undefined;
  if (status !== 0) throw new Error(`${COMPILERS[libc]} lookups.c: ${error?.message ?? stderr}`);
  return target;
}

/** Throws where a lookup fails or an address is wrong. */
export async function measure(program: string, place: Place, job: Job): Promise<Times> {
  const { code, stdout, stderr } = await place.box.run([program, ...jobArguments(job)], { env: place.env });
  if (code !== 0) throw new Error(`${place.title}: ${jobArguments(job).join(" ")} ended with ${code}: ${stderr}`);
  const [batch, lookups, perSecond, medianNs, p90Ns, p99Ns] = stdout.trim().split(" ").map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return { batch, lookups, perSecond, medianNs, p90Ns, p99Ns };
}

export function jobArguments(job: Job): string[] {
  return Object.entries(job).map(([field, value]) => `${field}=${value}`);
}
