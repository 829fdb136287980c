// Programs of arm64, run by qemu on a machine of another kind.
import { arm64Missing, toolMissing } from "./programs.ts";

/** Why none can be run here, or undefined. Tests skip with this reason, except under CI=true. */
export function emulationMissing(): string | undefined {
  if (process.arch === "arm64") return "this machine is arm64: all other tests are of it";
  return arm64Missing() ?? toolMissing("qemu-aarch64", "qemu-user");
}

/** The command that runs a program, with a library preloaded into it and not into qemu. */
export function emulated(program: string, client: string, libcRoot = "/usr/aarch64-linux-gnu"): string[] {
  return ["qemu-aarch64", "-L", libcRoot, "-E", `LD_PRELOAD=${client}`, program];
}

/** Input of test/shim/lookup.c: each function for each name, with flags and buffers of many kinds. */
export function callsOf(names: readonly string[]): string {
  const lines = names.flatMap((name) => [
    ...[0, 0x2, 0x20, 0x1a, 0x400].map((flags) => `getaddrinfo ${name} 80 0 0 0 ${flags}`),
    `getaddrinfo ${name} - 2 1 0 0`,
    `getaddrinfo ${name} http 10 2 17 0`,
    `getaddrinfo ${name} 80`,
    `gethostbyname ${name}`,
    `gethostbyname2 ${name} 10`,
    ...[0, 8, 40, 90, 150, 200, 1024].map((size) => `gethostbyname_r ${name} ${size} ${size % 7}`),
    `gethostbyname2_r ${name} 10 1024 3`,
  ]);
  return `${lines.join("\n")}\n`;
}
