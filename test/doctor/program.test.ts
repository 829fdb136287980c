// The doctor as a file, for each architecture: it needs nothing of where it runs.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DOCTOR, DOCTOR_ARM64 } from "../support/doctored.ts";
import { arm64Missing } from "../support/programs.ts";

const BYTES_MAX = 100_000;

const BUILDS = [
  { architecture: process.arch, program: DOCTOR, without: undefined },
  { architecture: "arm64", program: DOCTOR_ARM64, without: arm64Missing() },
].filter(({ program }, i) => i === 0 || program !== DOCTOR);

for (const { architecture, program, without } of BUILDS) {
  describe.skipIf(without)(`the doctor for ${architecture}${without ? ` (skipped: ${without})` : ""}`, () => {
    const { stdout } = spawnSync("readelf", ["-W", "-h", "-l", "-S", program], { encoding: "utf8" });

    it("is a program without an interpreter, libraries or relocations", () => {
      expect(stdout).toMatch(/Type: +EXEC/);
      expect(stdout).not.toMatch(/INTERP|DYNAMIC|RELA/);
    });

    it("has no executable stack and no thread-local storage", () => {
      expect(stdout).toMatch(/GNU_STACK .* RW /);
      expect(stdout).not.toMatch(/^ *TLS /m);
    });

    it("is small", () => {
      expect(statSync(program).size).toBeLessThan(BYTES_MAX);
    });
  });
}
