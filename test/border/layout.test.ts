// shim/layout.h is printed from assembly/layout.ts; C reads the same numbers, and hashes the same way.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { DECODER_FLAGS } from "../shim/flags.ts";
import { unmasked } from "../support/masks.ts";
import { buildProgram } from "../support/programs.ts";
import { address, makeRecord } from "../support/records.ts";
import { releaseWasm } from "../support/wasm.ts";

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

describe("a slot that Wasm has written", () => {
  it("is read in C as the record that was put there, and in TypeScript", () => {
    const program = buildProgram("test/shim/decoder.c", "glibc", DECODER_FLAGS);
    const wasm = releaseWasm();
    const parts = Array.from({ length: 20 }, (_, i) => ({
      name: `n${"x".repeat(3 * i)}.example`,
      chain: Array.from({ length: i % 3 }, (_, step) => `c${step}.example`),
      flags: i * 3000,
      data: Array.from({ length: 1 + (i % 7) }, (_, j) => address(i * 100 + j)),
    }));
    const lines = parts.flatMap((each) => {
      wasm.record.set(makeRecord(each));
      wasm.settle(0, 0);
      const at = wasm.insert(0);
      const slot = wasm.image.subarray(at, at + layout.SLOT_BYTES);
      const record = wasm.record.subarray(0, wasm.record.readUInt16LE(layout.RECORD_LENGTH));
      expect(unmasked(slot)).toEqual(Buffer.from(record));
      return [record, slot].map((bytes) => `record ${each.name} ${layout.TYPE_A} ${bytes.toString("hex")}\n`);
    });
    const { stdout, stderr } = spawnSync(program, { input: lines.join(""), encoding: "utf8" });
    expect(stderr).toBe("");
    const read = stdout.trim().split("\n");
    for (const [i, { chain, data }] of parts.entries()) {
      expect(read[2 * i]).toMatch(new RegExp(`^\\d+ outcome 1 chain ${chain.length} count ${data.length} sum \\d+$`));
      expect(read[2 * i + 1]).toBe(read[2 * i]);
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
