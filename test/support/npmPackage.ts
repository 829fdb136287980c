// The npm package as it is packed, and Nodes of other versions, which npm has as packages of one plain program each.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ONE_TRY = ["--fetch-retries=0", "--fetch-timeout=20000"];

function run(command: string, args: readonly string[], cwd = ROOT): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout;
}

/** Packs what is built into a folder; the path of the tar file. */
export function pack(into: string): string {
  const offline = ["--ignore-scripts", "--offline", `--cache=${path.join(into, "cache")}`];
  const name = run("npm", ["pack", "--silent", ...offline, `--pack-destination=${into}`]).trim();
  return path.join(into, name);
}

/** Why packages cannot be had here, or undefined. Tests skip with this reason, except under CI=true. */
export function registryMissing(): string | undefined {
  if (process.env.CI === "true") return undefined;
  const { status } = spawnSync("npm", ["view", ...ONE_TRY, "commander@14.0.3", "version"], { encoding: "utf8" });
  return status === 0 ? undefined : "npm reaches no registry";
}

/** The path of a Node of that version, kept in build/nodes. */
export function nodeOf(version: string): string {
  const kept = path.join(ROOT, "build/nodes", version);
  const node = path.join(kept, "node");
  if (fs.existsSync(node)) return node;
  fs.mkdirSync(kept, { recursive: true });
  const aside = fs.mkdtempSync(path.join(kept, "aside-"));
  try {
    const name = run("npm", ["pack", "--silent", ...ONE_TRY, `node-linux-${process.arch}@${version}`], aside).trim();
    run("tar", ["-xzf", path.join(aside, name), "-C", aside, "package/bin/node"]);
    fs.renameSync(path.join(aside, "package/bin/node"), node);
  } finally {
    fs.rmSync(aside, { recursive: true, force: true });
  }
  return node;
}
