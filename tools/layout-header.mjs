// Prints shim/layout.h from assembly/layout.ts: the same numbers, for C.
// `node tools/layout-header.mjs` prints it; `--write` puts it in its place when it differs.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const root = new URL("..", import.meta.url);
const source = readFileSync(new URL("assembly/layout.ts", root), "utf8");
const numbers = await import(`data:text/javascript,${encodeURIComponent(source)}`);

export function headerText() {
  const names = [...source.matchAll(/^export const (\w+)/gm)].map((match) => match[1]);
  const lines = names.map((name) => {
    const value = numbers[name];
    if (!Number.isSafeInteger(value) || value < 0 || value > 0xffffffff) throw new Error(`${name} is not a u32`);
    return `#define NW_${name} ${value > 0xffff ? `0x${value.toString(16)}u` : value}`;
  });
  return `/* Printed from assembly/layout.ts by tools/layout-header.mjs, which says what each number means. Do not edit. */
#ifndef NAMEWELL_LAYOUT_H
#define NAMEWELL_LAYOUT_H

${lines.join("\n")}

#endif
`;
}

const target = new URL("shim/layout.h", root);
const read = () => {
  try {
    return readFileSync(target, "utf8");
  } catch {
    return "";
  }
};
if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  if (!process.argv.includes("--write")) process.stdout.write(headerText());
  else if (read() !== headerText()) writeFileSync(target, headerText());
}
