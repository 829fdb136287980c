// Compiles the C programs of the tests, for glibc by cc and for musl by musl-gcc, into build/test/; and for glibc on arm64
// by a cross compiler.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The built library for programs of this machine. */
export const CLIENT = path.join(ROOT, "dist", `client-${process.arch}.so`);
export const CLIENT_ARM64 = path.join(ROOT, "dist", "client-arm64.so");

export type Target = "glibc" | "musl" | "arm64";
const COMPILERS: Readonly<Record<Target, string>> = {
  glibc: "cc",
  musl: "musl-gcc",
  arm64: "aarch64-linux-gnu-gcc",
};

/** Why no musl program can be built here, or undefined. Tests skip with this reason, except under CI=true. */
export function muslMissing(): string | undefined {
  if (process.env.CI === "true" || spawnSync("musl-gcc", ["--version"]).status === 0) return undefined;
  return "musl-gcc is missing: apt-get install musl-tools";
}

/** Why nothing can be built for arm64 here, or undefined. */
export function arm64Missing(): string | undefined {
  const includes = ["-include", "netdb.h", "-fsyntax-only", "-x", "c", "/dev/null"]; // the compiler and its libc
  if (process.env.CI === "true" || spawnSync(COMPILERS.arm64, includes).status === 0) return undefined;
  return "no cross compiler: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross";
}

/** Why a tool of the machine cannot be used, or undefined. Tests skip with this reason, except under CI=true. */
export function toolMissing(command: string, debianPackage: string): string | undefined {
  if (process.env.CI === "true" || spawnSync("sh", ["-c", `command -v ${command}`]).status === 0) return undefined;
  return `${command} is missing: apt-get install ${debianPackage}`;
}

/** Why a library cannot be preloaded by this name, or undefined. Tests skip with this reason, except under CI=true. */
export function libraryMissing(name: string, debianPackage: string): string | undefined {
  if (process.env.CI === "true") return undefined;
  const { stderr } = spawnSync("true", { env: { LD_PRELOAD: name }, encoding: "utf8" });
  return !stderr.includes("cannot be preloaded") ? undefined : `${name} is missing: apt-get install ${debianPackage}`;
}

/** The path of a client.so made with these flags besides its own, for what a test has to hold still or do without. */
export function buildClient(title: string, flags: string, architecture: string = process.arch): string {
  const directory = path.join(ROOT, "build", "test", `client-${title}`);
  const target = path.join(directory, `client-${architecture}.so`);
  const args = ["-s", "-B", "-C", path.join(ROOT, "shim"), `DIST=${directory}`, `EXTRA_CFLAGS=${flags}`, target];
  const { status, stderr, error } = spawnSync("make", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`make client.so with ${flags}: ${error?.message ?? stderr}`);
  return target;
}

/** The path of the program made of a C file, which is named from the root of the repository. */
export function buildProgram(
  source: string,
  target: Target,
  flags: readonly string[] = [],
  folder: string = target,
): string {
  const directory = path.join(ROOT, "build", "test", folder);
  fs.mkdirSync(directory, { recursive: true });
  const program = path.join(directory, path.basename(source, ".c"));
  const aside = `${program}.${process.pid}`;
  const compiler = COMPILERS[target];
  const args = [
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-O1",
    "-g",
    ...flags,
    "-o",
    aside,
    path.join(ROOT, source),
  ];
  const { status, stderr, error } = spawnSync(compiler, [...args, "-lpthread"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${compiler} ${source}: ${error?.message ?? stderr}`);
  fs.renameSync(aside, program);
  return program;
}
