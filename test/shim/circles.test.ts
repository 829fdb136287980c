// The library's files need each other in one direction: what a file uses is never defined where that file is used.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { SOURCES } from "./flags.ts";

interface Symbols {
  readonly defined: readonly string[];
  readonly wanted: readonly string[];
}

function symbolsOf(object: string): Symbols {
  const lines = execFileSync("nm", ["-P", object], { encoding: "utf8" }).trim().split("\n");
  const symbols = lines.map((line) => line.split(" ") as [string, string]);
  const named = (types: RegExp) => symbols.filter(([, type]) => types.test(type)).map(([name]) => name);
  return { defined: named(/^[A-TV-Z]$/), wanted: named(/^[Uw]$/) };
}

function objects(): Map<string, Symbols> {
  const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  try {
    const flags = ["-std=gnu11", "-O0", "-fPIC", "-D_GNU_SOURCE", "-c"]; // what is inlined is not seen
    execFileSync("cc", [...flags, ...SOURCES], { cwd: directory });
    const names = fs.readdirSync(directory);
    return new Map(names.map((name) => [name.replace(/\.o$/, ".c"), symbolsOf(path.join(directory, name))]));
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/** Files that use each other, whichever way round. */
function circles(uses: ReadonlyMap<string, readonly string[]>): string[] {
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    (uses.get(from) ?? []).some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, to, seen);
    });
  return [...uses.keys()].filter((file) => reaches(file, file));
}

it("has no circle of files", () => {
  const all = objects();
  const home = new Map([...all].flatMap(([file, { defined }]) => defined.map((name) => [name, file] as const)));
  const uses = new Map(
    [...all].map(([file, { wanted }]) => {
      const files = wanted.map((name) => home.get(name)).filter((each) => each !== undefined && each !== file);
      return [file, files as string[]] as const;
    }),
  );
  expect([all.size, uses.get("getaddrinfo.c")?.includes("search.c")]).toEqual([SOURCES.length, true]);
  expect(circles(uses)).toEqual([]);
  expect(circles(new Map([...uses, ["clock.c", ["client.c"]]]))).toContain("client.c"); // it would be seen
});

it("defines each text once", () => {
  const shim = path.dirname(SOURCES[0] as string);
  const homes = new Map<string, Set<string>>();
  for (const file of fs.readdirSync(shim, { recursive: true, encoding: "utf8" })) {
    if (!/\.[ch]$/.test(file)) continue;
    const definitions = fs.readFileSync(path.join(shim, file), "utf8").matchAll(/^#define (\w+ ".+)$/gm);
    for (const [, constant = ""] of definitions) homes.set(constant, (homes.get(constant) ?? new Set()).add(file));
  }
  const twice = [...homes].filter(([, files]) => files.size > 1).map(([constant, files]) => [constant, ...files]);
  expect(twice).toEqual([]);
});
