// Whose libcs are compared: this machine's, and in a full run those of the Debian releases before and after, each in a
// root that debootstrap makes and that is kept. The programs are compiled here, against the root's own libc.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "../containers/command.ts";
import { mirror } from "../containers/debian.ts";
import { buildProgram, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandboxMissing } from "../support/sandbox.ts";
import type { Libc } from "./environments.ts";
import { IS_FULL } from "./size.ts";

export interface Machine {
  readonly title: string;
  /** Why nothing can be compared with its libcs here. */
  readonly missing?: string | undefined;
  readonly libcs: readonly Libc[];
  /** Where its files are, if they are not this machine's. */
  readonly root?: string;
}

const BUILT = fileURLToPath(new URL("../../build", import.meta.url));
const ROOTS = path.join(BUILT, "roots");
const TESTED = path.join(BUILT, "test");
const SOURCE = "test/shim/lookup.c";
const RELEASES = [
  { suite: "trixie", title: "Debian 13 (glibc 2.41, musl 1.2.5)" },
  { suite: "bullseye", title: "Debian 11 (glibc 2.31, musl 1.2.2)" },
];
const MULTIARCH: Readonly<Record<string, string>> = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };

/** Where a root has this checkout's built programs and libraries, and the caches' directories. */
const SEEN = { tested: "/mnt", caches: "/srv" };

const libcs = ["glibc", ...(muslMissing() === undefined ? ["musl"] : [])] as Libc[];
const here: Machine = { title: "this machine", missing: sandboxMissing(), libcs };

/** Debian's own packages are as new as when the root was made: remove build/roots for newer ones. */
async function rootOf(suite: string): Promise<string> {
  const root = path.join(ROOTS, suite);
  if (fs.existsSync(root)) return root;
  const aside = `${root}.${process.pid}`;
  fs.mkdirSync(ROOTS, { recursive: true });
  try {
    await command(["debootstrap", "--variant=minbase", "--include=musl", suite, aside, await mirror()]);
  } catch (error) {
    fs.rmSync(aside, { recursive: true, force: true });
    throw error;
  }
  fs.renameSync(aside, root);
  return root;
}

async function machineOf({ suite, title }: (typeof RELEASES)[number]): Promise<Machine> {
  try {
    return { ...here, title, root: await rootOf(suite) };
  } catch (error) {
    if (process.env.CI === "true") throw error;
    return { ...here, title, missing: (error as Error).message.trimEnd().split("\n").at(-1) ?? "?" };
  }
}

export async function machines(): Promise<Machine[]> {
  if (!IS_FULL || here.missing !== undefined) return [here];
  const others: Machine[] = [];
  for (const release of RELEASES) others.push(await machineOf(release));
  return [here, ...others];
}

/** Makes the root a place to run programs in, with the sandbox's /etc. */
export async function enter({ root }: Machine, box: Sandbox, caches: string): Promise<void> {
  if (root === undefined) return;
  const mounts =
    'mount --bind /etc "$1/etc"; mount --bind "$2" "$1$3"; mount --bind "$4" "$1$5"; mount -t proc proc "$1/proc"';
  const { code, stderr } = await box.run([
    ...["sh", "-ec", mounts, "sh", root, TESTED, SEEN.tested, caches, SEEN.caches],
  ]);
  if (code !== 0) throw new Error(`cannot enter ${root}: ${stderr}`);
}

/** The command that runs lookup.c there, with these variables. */
export function lookups(
  machine: Machine,
  libc: Libc,
  variables: Readonly<Record<string, string>>,
  preload?: { client: string; caches: string; directory: string },
): string[] {
  const seen = (file: string, outside: string, inside: string) =>
    machine.root === undefined ? file : path.join(inside, path.relative(outside, file));
  const all = { UNUSED: "1", ...variables };
  if (preload) {
    Object.assign(all, {
      LD_PRELOAD: seen(preload.client, TESTED, SEEN.tested),
      DNS_CACHE_DIR: seen(preload.directory, preload.caches, SEEN.caches),
    });
  }
  const assignments = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  const chroot = machine.root === undefined ? [] : ["chroot", machine.root];
  return [...chroot, "env", ...assignments, seen(programOf(machine, libc), TESTED, SEEN.tested), "apart"];
}

const programs = new Map<string, string>();
function programOf({ root, title }: Machine, libc: Libc): string {
  const known = programs.get(title + libc);
  if (known !== undefined) return known;
  let built = buildProgram(SOURCE, libc);
  if (root !== undefined && libc === "glibc") {
    const library = path.join(root, "lib", String(MULTIARCH[process.arch]), "libc.so.6"); // not this one's newer symbols
    const flags = ["-nodefaultlibs", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", library];
    built = buildProgram(SOURCE, libc, flags, `${libc}-${path.basename(root)}`);
  }
  programs.set(title + libc, built);
  return built;
}
