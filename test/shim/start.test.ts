// Programs that ended at their start for the preload alone: those without libc, and all on a kernel whose vDSO is linked at
// an address of its own.
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { emulated, emulationMissing } from "../support/emulated.ts";
import { buildProgram, CLIENT, CLIENT_ARM64, muslMissing, type Target } from "../support/programs.ts";

const LOADERS: Readonly<Record<Target, string>> = {
  glibc: process.arch === "arm64" ? "/lib/ld-linux-aarch64.so.1" : "/lib64/ld-linux-x86-64.so.2",
  musl: `/lib/ld-musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`,
  arm64: "/lib/ld-linux-aarch64.so.1",
};
const MISSING: Readonly<Record<Target, string | undefined>> = {
  glibc: undefined,
  musl: muslMissing(),
  arm64: emulationMissing(),
};
const BARE = ["-nostdlib", "-nostartfiles", "-fPIE", "-pie", "-fno-stack-protector"];

function run(target: Target, program: string, args: readonly string[] = [], preloaded = true) {
  const client = target === "arm64" ? CLIENT_ARM64 : CLIENT;
  const [command = "", ...rest] = target === "arm64" ? emulated(program, preloaded ? client : "") : [program];
  const env = target === "arm64" || !preloaded ? process.env : { ...process.env, LD_PRELOAD: client };
  const { stdout, stderr, status, signal } = spawnSync(command, [...rest, ...args], { env, encoding: "utf8" });
  return { stdout, stderr, status, signal };
}

for (const target of ["glibc", "musl", "arm64"] as const) {
  const missing = MISSING[target];
  describe.skipIf(missing)(`a program for ${target}${missing ? ` (skipped: ${missing})` : ""}`, () => {
    it.each([
      ["has no libc", []],
      ["has a few functions of libc's names", ["-DSOME_LIBC", "-rdynamic"]],
    ])("starts, and nothing is printed, where it %s", (_, flags) => {
      const loader = `-Wl,--dynamic-linker=${LOADERS[target]}`;
      // The wrapper for musl links its libc whatever it is told, and for this program the loader is all that differs.
      const program = buildProgram("test/shim/bare.c", target === "musl" ? "glibc" : target, [
        ...BARE,
        loader,
        ...flags,
        "-Wl,--as-needed",
      ]);
      expect(run(target, program)).toEqual({ stdout: "started\n", stderr: "", status: 0, signal: null });
    });

    it.each(["linked", "nowhere"])("looks names up beside an object that nobody relocated: %s", (how) => {
      const program = buildProgram("test/shim/objects.c", target, ["-D_GNU_SOURCE", "-rdynamic"]);
      const { stdout } = run(target, program, [how], false);
      expect(run(target, program, [how])).toEqual({
        stdout: stdout.replace("unseen", "seen"),
        stderr: "",
        status: 0,
        signal: null,
      });
    });

    it("starts where it has a getenv of its own, which is not ready before main", () => {
      const program = buildProgram("test/shim/ownGetenv.c", target, ["-rdynamic"]);
      expect(run(target, program)).toEqual({ stdout: "0\n", stderr: "", status: 0, signal: null });
    });

    it("gets libc's answer by a client.so that was opened late", () => {
      const program = buildProgram("test/shim/openedLate.c", target, ["-D_GNU_SOURCE"]);
      const client = target === "arm64" ? CLIENT_ARM64 : CLIENT;
      expect(run(target, program, [client], false)).toEqual({ stdout: "0\n", stderr: "", status: 0, signal: null });
    });

    it.skipIf(target === "arm64" || process.arch !== "x64")("starts with a vDSO from before Linux 3.15", () => {
      const tracer = buildProgram("test/shim/prelinked.c", "glibc", ["-D_GNU_SOURCE"]);
      const program = buildProgram("test/shim/lookup.c", target);
      const env = { ...process.env, PRELOAD: CLIENT };
      const { stdout, stderr, status } = spawnSync(tracer, [program], { env, input: "", encoding: "utf8" });
      expect({ stdout, stderr, status }).toEqual({ stdout: "", stderr: "", status: 0 });
    });
  });
}
