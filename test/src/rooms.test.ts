import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));
const GROUND = "the ground"; // the files on src/'s own floor: clock, wheel, name, log …
const START = "server.ts"; // the start list stands above all rooms

/** Who may import from whom. All may from the ground, and it from none. */
const DIRECTIONS: Readonly<Record<string, readonly string[]>> = {
  [GROUND]: [],
  upstream: ["table"],
  table: [],
  settings: ["upstream"],
  place: [],
  resolve: ["settings", "table", "upstream"],
  door: ["resolve", "table"],
  operate: ["door", "place", "resolve", "settings", "table", "upstream"],
  cli: ["operate", "place", "settings", "upstream"],
};

interface Import {
  readonly from: string;
  readonly to: string;
  /** It is there when the program runs. */
  readonly isOfValues: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => /(?<!\.d)\.ts$/.test(file));
const imports = files.flatMap(importsOf);

function importsOf(file: string): Import[] {
  const text = readFileSync(path.join(SRC, file), "utf8");
  return [...text.matchAll(/^(?:import|export) (type )?([^;]*?)from "(\.[^"]+)";/gms)].flatMap(
    ([, type, names = "", to = ""]) => {
      const target = path.join(path.dirname(file), to);
      if (target.startsWith("..")) return []; // assembly/layout.ts
      const areAllTypes = /^\{(\s*type [^,}]+,?)+\s*\}\s*$/.test(names);
      return [{ from: file, to: target, isOfValues: type === undefined && !areAllTypes }];
    },
  );
}

/** A room may have folders of its own. */
function roomOf(file: string): string {
  const [room, ...rest] = file.split(path.sep);
  return rest.length === 0 ? GROUND : (room as string);
}

/** The files of a circle, if there is one. */
function circleFrom(start: string, next: (file: string) => string[]): string[] | undefined {
  const seen = new Set<string>();
  function walk(file: string, way: string[]): string[] | undefined {
    if (file === start && way.length > 0) return way;
    if (seen.has(file)) return undefined;
    seen.add(file);
    for (const to of next(file)) {
      const circle = walk(to, [...way, file]);
      if (circle !== undefined) return circle;
    }
    return undefined;
  }
  return walk(start, []);
}

describe("the rooms of src/", () => {
  it("are all in the table, and there are files and imports to look at", () => {
    expect(files.map(roomOf).filter((room) => !(room in DIRECTIONS))).toEqual([]);
    expect([files.length > 60, imports.length > 200, imports.every(({ to }) => files.includes(to))]).toEqual([
      true,
      true,
      true,
    ]);
  });

  it("import in the one way that is looked at here", () => {
    const others = files.filter((file) =>
      /^import "\.|\bimport\("\./m.test(readFileSync(path.join(SRC, file), "utf8")),
    );
    expect(others).toEqual([]);
  });

  it("import from each other in one direction, types too", () => {
    const against = imports.filter(({ from, to }) => {
      const [own, other] = [roomOf(from), roomOf(to)];
      return from !== START && own !== other && other !== GROUND && !DIRECTIONS[own]?.includes(other);
    });
    expect(against.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  it("leave the start list above them", () => {
    expect(imports.filter(({ to }) => to === START)).toEqual([]);
  });

  it("have no circle between rooms", () => {
    const circles = Object.keys(DIRECTIONS).flatMap(
      (room) => circleFrom(room, (each) => [...(DIRECTIONS[each] ?? [])]) ?? [],
    );
    expect(circles).toEqual([]);
  });

  it("have no circle of files that need each other when they run", () => {
    const next = (file: string) =>
      imports.flatMap(({ from, to, isOfValues }) => (isOfValues && from === file ? [to] : []));
    expect(files.flatMap((file) => circleFrom(file, next)?.join(" → ") ?? [])).toEqual([]);
  });
});
