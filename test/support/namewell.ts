// `namewell` as built, run as a user types it.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Record<string, string>;
  readonly uid?: number;
  /** Sent once its standard output matches. */
  readonly signalAt?: readonly [RegExp, NodeJS.Signals];
}

export const NAMEWELL = fileURLToPath(new URL("../../dist/namewell.js", import.meta.url));

/** With none of this environment's settings; HTTP is off unless it is given. */
export function namewell(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { env = {}, uid, signalAt: [pattern, signal] = [] } = options;
  const whole = { PATH: process.env.PATH ?? "", DNS_CACHE_HTTP: "off", ...env };
  const user = uid === undefined ? {} : { uid, gid: uid };
  const child = spawn(process.execPath, [NAMEWELL, ...args], {
    env: whole,
    stdio: ["ignore", "pipe", "pipe"],
    ...user,
  });
  let [stdout, stderr] = ["", ""];
  let hasSignalled = false;
  child.stdout.on("data", (text) => {
    stdout += text;
    if (hasSignalled || !pattern?.test(stdout)) return;
    hasSignalled = child.kill(signal);
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, ending) => resolve({ code, signal: ending, stdout, stderr }));
  });
}
