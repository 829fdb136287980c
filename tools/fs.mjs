// node:fs with a globSync for Node 20, which has none: `dir/*.ext`, `dir/**/*.ext` and `dir/*` are understood.
import { readdirSync } from "node:fs";

export * from "node:fs";

export function globSync(pattern) {
  const [, directory, deep, extension] = /^([^*]+)\/(\*\*\/)?\*(\.\w+)?$/.exec(pattern);
  return readdirSync(directory, { withFileTypes: true, recursive: deep !== undefined })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension ?? ""))
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`);
}
