// shim/layout.h is printed from assembly/layout.ts; C reads the same numbers, and hashes the same way.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { DECODER_FLAGS } from "../shim/flags.ts";
import { buildProgram } from "../support/programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

describe("layout.h", () => {
  it("is what tools/layout-header.mjs prints", () => {
    const printed = spawnSync("node", ["tools/layout-header.mjs"], { cwd: root, encoding: "utf8" });
    expect(printed.status).toBe(0);
    expect(readFileSync(`${root}/shim/layout.h`, "utf8")).toBe(printed.stdout);
  });

  it("holds every number of layout.ts", () => {
    const header = readFileSync(`${root}/shim/layout.h`, "utf8");
    for (const [name, value] of Object.entries(layout)) {
      const line = header.match(new RegExp(`^#define NW_${name} (.*)$`, "m"));
      expect(Number(line?.[1]?.replace("u", "")), name).toBe(value);
    }
  });
});

describe("mix in C", () => {
  it("agrees with the vectors that TypeScript and Wasm are held to", () => {
    const program = buildProgram("test/shim/decoder.c", "glibc", DECODER_FLAGS);
    const vectors = JSON.parse(readFileSync(`${root}/test/border/mix-vectors.json`, "utf8"));
    const input = vectors.map((v: Record<string, string>) => `mix ${v.seedA} ${v.seedB} ${v.bytes || "-"}\n`).join("");
    const { stdout, stderr } = spawnSync(program, { input, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(stdout.trim().split("\n")).toEqual(vectors.map((v: Record<string, string>) => v.hash));
  });
});
