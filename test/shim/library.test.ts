// client.so as a file: what it asks of a libc, and how much stack its hooks take.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { SOURCES } from "./flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const CLIENT = `${root}/dist/client.so`;
const STACK_BYTES_MAX = 4096;

function readelf(...args: string[]): string {
  const { stdout, status } = spawnSync("readelf", ["-W", ...args, CLIENT], { encoding: "utf8" });
  expect(status).toBe(0);
  return stdout;
}

describe("client.so", () => {
  it("gives and wants the symbols of symbols.golden, and no others", () => {
    const lines = readelf("--dyn-syms").matchAll(
      /^ *\d+: \w+ +\d+ (?<kind>\w+) +(?<bind>\w+) +\w+ +(?<where>\w+) (?<name>\S+)/gm,
    );
    const symbols = [...lines].map(({ groups: { bind, where, name } = {} }) =>
      where !== "UND" ? `given: ${name}` : bind === "WEAK" ? `wanted if there is one: ${name}` : `wanted: ${name}`,
    );
    expect(`${symbols.sort().join("\n")}\n`).toBe(readFileSync(`${root}/shim/symbols.golden`, "utf8"));
  });

  it("needs no library and no version of a symbol", () => {
    expect(readelf("-d")).not.toMatch(/NEEDED|VERNEED/);
    expect(readelf("-V")).not.toMatch(/version needs/i);
    expect(readelf("--dyn-syms")).not.toContain("@");
  });

  it("has no thread-local storage and no executable stack", () => {
    const segments = readelf("-l", "-d");
    expect(segments).not.toMatch(/^ *TLS /m);
    expect(segments).toMatch(/GNU_STACK .* RW /);
  });

  it(`takes less than ${STACK_BYTES_MAX} bytes of stack in each hook`, () => {
    const directory = mkdtempSync(join(tmpdir(), "namewell-stack-"));
    const frames = new Map<string, number>();
    const calls = new Map<string, Set<string>>();
    for (const source of SOURCES) {
      const object = join(directory, `${source.replace(/^.*\/|\.c$/g, "")}.o`);
      const flags = "-std=gnu11 -O2 -fPIC -D_GNU_SOURCE -fno-stack-protector -fcallgraph-info=su".split(" ");
      expect(spawnSync("cc", [...flags, "-c", source, "-o", object]).status).toBe(0);
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
    const depth = (name: string): number => {
      const below = [...(calls.get(name) ?? [])].map(depth); // endless if there were a recursion, which is the point
      return (frames.get(name) ?? 0) + 8 + Math.max(0, ...below);
    };
    const hooks = readelf("--dyn-syms").matchAll(/ FUNC .* \d+ (\w+)$/gm);
    const depths = [...hooks].map(([, hook = ""]) => ({ hook, bytes: depth(hook) }));
    expect(depths.length).toBe(10);
    expect(depths.filter(({ bytes }) => bytes < 100 || bytes >= STACK_BYTES_MAX)).toEqual([]);
  });
});
