// client.so as a file, for each architecture: what it asks of a libc, and how much stack its hooks take.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { arm64Missing, CLIENT, CLIENT_ARM64 } from "../support/programs.ts";
import { SOURCES } from "./flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const STACK_BYTES_MAX = 4096;

const BUILDS = [
  { architecture: process.arch, client: CLIENT, compiler: "cc", without: undefined },
  { architecture: "arm64", client: CLIENT_ARM64, compiler: "aarch64-linux-gnu-gcc", without: arm64Missing() },
].filter(({ client }, i) => i === 0 || client !== CLIENT);

for (const { architecture, client, compiler, without } of BUILDS) {
  describe.skipIf(without)(`client.so for ${architecture}${without ? ` (skipped: ${without})` : ""}`, () => {
    function readelf(...args: string[]): string {
      const { stdout, status } = spawnSync("readelf", ["-W", ...args, client], { encoding: "utf8" });
      expect(status).toBe(0);
      return stdout;
    }

    it("gives and wants the symbols of symbols.golden and no others, and needs none", () => {
      const lines = readelf("--dyn-syms").matchAll(
        /^ *\d+: \w+ +\d+ (?<kind>\w+) +(?<bind>GLOBAL|WEAK) +\w+ +(?<where>\w+) (?<name>\S+)/gm,
      );
      const symbols = [...lines].map(({ groups: { bind, where, name } = {} }) =>
        where !== "UND" ? `given: ${name}` : bind === "WEAK" ? `wanted if there is one: ${name}` : `wanted: ${name}`,
      );
      const golden = readFileSync(`${root}/shim/symbols.golden`, "utf8").trim().split("\n");
      expect(symbols.sort()).toEqual(golden.sort());
    });

    it("needs no library and no version of a symbol", () => {
      expect(readelf("-d")).not.toMatch(/NEEDED|VERNEED/);
      expect(readelf("-V")).not.toMatch(/version needs/i);
      expect(readelf("--dyn-syms")).not.toContain("@");
    });

    it("is marked for the processor's guards of jumps and returns", () => {
      expect(readelf("-n")).toMatch(architecture === "arm64" ? /AArch64 feature: BTI, PAC/ : /x86 feature: IBT, SHSTK/);
    });

    it.runIf(architecture === "arm64")("can be mapped where pages have 64 KiB, as some of its kernels have it", () => {
      const alignments = [...readelf("-l").matchAll(/^ *LOAD .* 0x([0-9a-f]+)$/gm)].map(([, hex = ""]) =>
        Number.parseInt(hex, 16),
      );
      expect(alignments.length).toBeGreaterThan(1);
      for (const bytes of alignments) expect(bytes % 65536).toBe(0);
    });

    it("has no thread-local storage, no executable stack, no code to relocate, and tables that the loader seals", () => {
      const segments = readelf("-l", "-d");
      expect(segments).not.toMatch(/^ *TLS /m);
      expect(segments).not.toMatch(/TEXTREL/);
      expect(segments).toMatch(/GNU_RELRO/);
      expect(segments).toMatch(/GNU_STACK .* RW /);
      expect(segments).toMatch(/BIND_NOW/); // else the loader takes kilobytes of the stack of whoever calls first
    });

    it(`takes less than ${STACK_BYTES_MAX} bytes of stack in each hook`, () => {
      const directory = mkdtempSync(join(tmpdir(), "namewell-stack-"));
      const frames = new Map<string, number>();
      const calls = new Map<string, Set<string>>();
      for (const source of SOURCES) {
        const object = join(directory, `${source.replace(/^.*\/|\.c$/g, "")}.o`);
        const flags = "-std=gnu11 -O2 -fPIC -D_GNU_SOURCE -fno-stack-protector -fcallgraph-info=su".split(" ");
        if (architecture === "arm64") flags.push("-mno-outline-atomics");
        expect(spawnSync(compiler, [...flags, "-c", source, "-o", object]).status).toBe(0);
        const graph = readFileSync(object.replace(/o$/, "ci"), "utf8");
        for (const [, title = "", bytes] of graph.matchAll(
          /node: { title: "(.*?)" label: ".*?(\d+) bytes \((?:static|dynamic,bounded)\)"/g,
        ))
          frames.set(title, Number(bytes));
        expect(graph).not.toMatch(/bytes \(dynamic\)/);
        for (const [, from = "", to = ""] of graph.matchAll(/edge: { sourcename: "(.*?)" targetname: "(.*?)"/g))
          calls.set(from, (calls.get(from) ?? new Set()).add(to));
      }
      rmSync(directory, { recursive: true });
      calls.set("dlopen", new Set([...frames.keys()].filter((title) => title.endsWith("dlopen_way")))); // in assembly
      const returnBytes = architecture === "arm64" ? 0 : 8; // the return address, which arm64 keeps in the frame itself
      const depth = (name: string): number => {
        const below = [...(calls.get(name) ?? [])].map(depth); // endless if there were a recursion, which is the point
        return (frames.get(name) ?? 0) + returnBytes + Math.max(0, ...below);
      };
      const hooks = readelf("--dyn-syms").matchAll(/ FUNC .* \d+ (\w+)$/gm);
      const depths = [...hooks].map(([, hook = ""]) => ({ hook, bytes: depth(hook) }));
      expect(depths.length).toBe(10);
      expect(depths.filter(({ bytes }) => bytes < 100 || bytes >= STACK_BYTES_MAX)).toEqual([]);
    });
  });
}
