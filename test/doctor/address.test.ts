import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { buildProgram } from "../support/programs.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

it("the doctor reads and writes addresses as libc does", () => {
  const flags = ["-D_GNU_SOURCE", `-I${ROOT}/shim`, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
  const program = buildProgram("test/doctor/address.c", "glibc", flags);
  const { stdout, stderr, status } = spawnSync(program, { encoding: "utf8" });
  expect({ stdout, stderr, status }).toEqual({ stdout: "the same\n", stderr: "", status: 0 });
});
