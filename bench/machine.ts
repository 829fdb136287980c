// What was measured, and where: figures mean nothing without it.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import { isInstalled } from "../demo/clients.ts";

const DAEMONS: ReadonlyArray<readonly [program: string, versionArgument: string]> = [
  ["nscd", "--version"],
  ["unbound", "-V"],
  ["dnsmasq", "--version"],
];

export function machineText(): string {
  const processors = os.cpus();
  const glibc = outputOf("getconf", ["GNU_LIBC_VERSION"]).replace(/^glibc /, "");
  const daemons = DAEMONS.map(([program, argument]) => `${program} ${versionOf(program, argument)}`);
  return [
    `- ${new Date().toISOString().slice(0, 10)}, ${processors[0]?.model.trim()}, ${processors.length} cores, Linux ${os.release()} ${os.arch()}`,
    `- Node ${process.version}, glibc ${glibc}, musl ${muslVersion()}, ${daemons.join(", ")}`,
    "",
  ].join("\n");
}

function versionOf(program: string, argument: string): string {
  if (!isInstalled(program)) return "not installed";
  return /\d+\.\d+(\.\d+)?/.exec(outputOf(program, [argument]).replace(/\(.*?\)/, ""))?.[0] ?? "of unknown version";
}

/** musl's loader says it when it is called without a program. */
function muslVersion(): string {
  const loader = fs.readdirSync("/lib").find((name) => name.startsWith("ld-musl-"));
  if (loader === undefined) return "not installed";
  return /Version (\S+)/.exec(outputOf(`/lib/${loader}`, []))?.[1] ?? "of unknown version";
}

function outputOf(program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return `${stdout}${stderr}`.trim();
}
