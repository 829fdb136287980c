// One table of codes, in TypeScript, C and the docs.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { CODES } from "../../src/cli/doctorCodes.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const docs = readFileSync(join(ROOT, "docs/doctor.md"), "utf8");
const codes = CODES.map(([code]) => code);

const sources = (folder: string, pattern: RegExp) =>
  readdirSync(join(ROOT, folder))
    .filter((file) => pattern.test(file))
    .map((file) => readFileSync(join(ROOT, folder, file), "utf8"))
    .join("");
const found = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, code]) => `NW-${code}`);

describe("the doctors' codes", () => {
  it("stand in their order, each once", () => {
    expect(codes).toEqual([...new Set(codes)].sort());
  });

  it("have a section each in the docs, under the anchor that is printed, and no other has one", () => {
    const headings = [...docs.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(codes);
    expect(
      docs
        .split(/^### .*$/gm)
        .slice(1)
        .every((section) => /^\n\S/.test(section)),
    ).toBe(true);
  });

  it("are in C what they are in TypeScript", () => {
    const printed = spawnSync("node", ["tools/doctor-codes.mjs"], { cwd: ROOT, encoding: "utf8" });
    expect(readFileSync(join(ROOT, "shim/doctor/codes.h"), "utf8")).toBe(printed.stdout);
    expect(found(printed.stdout, /EACH\((\d+),/g)).toEqual(codes);
  });

  it("are all found by one of the doctors, which find no other", () => {
    const inC = found(sources("shim/doctor", /\.c$/), /finding\((\d+)/g);
    const inTypeScript = found(sources("src/cli", /^doctor(?!Codes).*\.ts$/), /"NW-(\d+)"/g);
    expect([...new Set([...inC, ...inTypeScript])].sort()).toEqual(codes);
  });
});
