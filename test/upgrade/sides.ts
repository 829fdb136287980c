// The other side of an upgrade: server and client.so of earlier commits, and today's with the layout that comes next, each
// built once into build/upgrade/.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { CLIENT, toolMissing } from "../support/programs.ts";

export interface Side {
  readonly server: string;
  readonly client: string;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUILT = path.join(ROOT, "build", "upgrade");
const ASC = path.join(ROOT, "node_modules", "assemblyscript", "bin", "asc.js");

/** Layout and frames as today's, and the last whole state before the server had an HTTP side, a command and a doctor. */
const SAME_LAYOUT = "9fb170eee5d69a08bef3949d1e6e57f2c0a3f206";
/** The last whole state whose layout and frames were of version 1. */
const FIRST_LAYOUT = "63afca003d957e8be1c8c84809aee29031e1cbeb";

export const today: Side = { server: path.join(ROOT, "dist", "server.js"), client: CLIENT };

/** Why no earlier commit can be built here, or undefined. Tests skip with this reason, except under CI=true. */
export function historyMissing(): string | undefined {
  const reason = toolMissing("git", "git") ?? toolMissing("tar", "tar");
  if (reason !== undefined || process.env.CI === "true") return reason;
  const isThere = (commit: string) => git("cat-file", "-e", `${commit}^{tree}`).status === 0;
  return isThere(SAME_LAYOUT) && isThere(FIRST_LAYOUT) ? undefined : "this clone has no whole history";
}

export function sameLayout(): Promise<Side> {
  return earlier(SAME_LAYOUT);
}

export function firstLayout(): Promise<Side> {
  return earlier(FIRST_LAYOUT);
}

/** Made anew each time: it is made of what is being worked on. */
export function nextLayout(): Promise<Side> {
  const aside = emptied("next");
  for (const folder of ["assembly", "shim", "src", "tools"]) {
    fs.cpSync(path.join(ROOT, folder), path.join(aside, folder), { recursive: true });
  }
  for (const file of ["asconfig.json", "package.json"]) fs.copyFileSync(path.join(ROOT, file), path.join(aside, file));
  const layout = path.join(aside, "assembly", "layout.ts");
  const text = fs.readFileSync(layout, "utf8");
  const raised = text.replace(/(?<=LAYOUT_VERSION = )\d+/, (version) => String(Number(version) + 1));
  if (raised === text) throw new Error("assembly/layout.ts has no LAYOUT_VERSION");
  fs.writeFileSync(layout, raised);
  return make(aside);
}

async function earlier(commit: string): Promise<Side> {
  const whole = path.join(BUILT, commit);
  if (fs.existsSync(whole)) return sideOf(whole);
  const aside = emptied(`${commit}.${process.pid}`);
  const archive = git("archive", commit, "asconfig.json", "assembly", "package.json", "shim", "src", "tools");
  if (archive.status !== 0) throw new Error(`git archive ${commit}: ${archive.stderr}`);
  run(aside, "tar", ["-x"], archive.stdout);
  await make(aside);
  fs.renameSync(aside, whole);
  return sideOf(whole);
}

function emptied(name: string): string {
  const folder = path.join(BUILT, name);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  return folder;
}

/** With this checkout's packages, which Node finds in a folder above. */
async function make(folder: string): Promise<Side> {
  run(folder, "node", ["tools/layout-header.mjs", "--write"]);
  run(folder, "node", [ASC, "assembly/index.ts", "--target", "release"]);
  const { client } = sideOf(folder);
  run(folder, "make", ["-s", "-C", "shim", `DIST=${path.dirname(client)}`, client]);
  await build({
    entryPoints: [path.join(folder, "src", "server.ts")],
    outdir: path.join(folder, "dist"),
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
  return sideOf(folder);
}

function sideOf(folder: string): Side {
  const built = path.join(folder, "dist");
  return { server: path.join(built, "server.js"), client: path.join(built, path.basename(CLIENT)) };
}

function git(...args: string[]) {
  return spawnSync("git", ["-C", ROOT, ...args], { maxBuffer: 1 << 28 });
}

function run(cwd: string, command: string, args: string[], input?: Buffer): void {
  const { status, stderr, error } = spawnSync(command, args, { cwd, input, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
}
