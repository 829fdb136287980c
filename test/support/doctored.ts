// A server in a sandbox, programs there that have client.so or not, and what the doctor says of them.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Result, Running, RunOptions, Sandbox } from "./sandbox.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const DOCTOR = join(ROOT, "dist", `doctor-${process.arch}`);
export const DOCTOR_ARM64 = join(ROOT, "dist", "doctor-arm64");
export const UPSTREAM = "192.0.2.200";

export interface Check {
  level: "ok" | "note" | "warning" | "problem" | "unknown";
  text: string;
  code?: string;
  hint?: string;
  docs?: string;
}
export interface Findings {
  code: number;
  verdict: string;
  checks: Check[];
  /** Those of all findings, in their order. */
  codes: string[];
}

export function findingsOf({ code, stdout, stderr }: Result): Findings {
  if (stderr !== "") throw new Error(`the doctor wrote: ${stderr}`);
  const { groups, verdict } = JSON.parse(stdout) as { groups: { checks: Check[] }[]; verdict: string };
  const checks = groups.flatMap((group) => group.checks);
  return { code, verdict, checks, codes: checks.flatMap((check) => check.code ?? []) };
}

export class Place {
  readonly base = mkdtempSync(join(tmpdir(), "namewell-doctor-"));
  readonly directory = join(this.base, "shared");
  #started: Running[] = [];
  /** Started behind a shell: whoever enters the sandbox stops with a command that is stopped. */
  #servers: string[] = [];

  constructor(readonly box: Sandbox) {
    mkdirSync(this.directory);
  }

  get client(): string {
    return join(this.directory, "client.so");
  }

  /** Its process id within. */
  async server(settings: Record<string, string> = {}): Promise<number> {
    const env = { DNS_CACHE_DIR: this.directory, DNS_CACHE_UPSTREAMS: UPSTREAM, DNS_CACHE_HTTP: "off", ...settings };
    const command = ["sh", "-c", '"$@" & echo "is $!"; wait', "sh", process.execPath, join(ROOT, "dist/server.js")];
    const running = await this.box.start(command, { env, ready: /Listening/ });
    this.#started.push(running);
    const pid = /^is (\d+)/m.exec(running.stdout())?.[1] as string;
    this.#servers.push(pid);
    return Number(pid);
  }

  /** The process id within of a program that says it, as waits.c does. */
  async program(
    command: readonly string[],
    env: Record<string, string> = { LD_PRELOAD: this.client },
  ): Promise<number> {
    const running = await this.box.start([...command], { env, ready: /waits as (\d+)/ });
    this.#started.push(running);
    return Number(/waits as (\d+)/.exec(running.stdout())?.[1]);
  }

  /** The doctor as the server has put it there. */
  get doctor(): string {
    return join(this.directory, "doctor");
  }

  async findings(args: readonly string[], before: readonly string[] = [], options: RunOptions = {}): Promise<Findings> {
    return findingsOf(await this.box.run([...before, DOCTOR, "--json", ...args], options));
  }

  /** Of the shell, since `kill` is a program of its own only where procps is installed. */
  async signal(name: NodeJS.Signals, ...pids: (number | string)[]): Promise<void> {
    await this.box.run(["sh", "-c", 'for pid; do kill -s "$0" "$pid"; done', name.slice(3), ...pids.map(String)]);
  }

  async close(): Promise<void> {
    await this.signal("SIGKILL", ...this.#servers);
    await Promise.all(this.#started.map((running) => running.stop("SIGKILL")));
    rmSync(this.base, { recursive: true, force: true });
  }
}

export function copyInto(directory: string, file: string, name: string): string {
  const copy = join(directory, name);
  rmSync(copy, { force: true });
  copyFileSync(file, copy);
  return copy;
}
