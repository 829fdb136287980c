// The README's ways to a program that is served, as they stand there: each has its commands, and those that take it away.
import { readFileSync } from "node:fs";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

export interface Way {
  /** The block of commands, the last of which is the doctor's. */
  readonly commands: string;
  /** A line of them. */
  readonly removal: string;
}

export const blocksOf = (text: string) => [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = ""]) => block);
export const README_BLOCKS = blocksOf(README);

/** By its heading. */
export function wayOf(heading: string): Way {
  const [, section = ""] = README.split(`\n### ${heading}\n`);
  const [way = ""] = section.split(/^##/m);
  const [commands] = blocksOf(way);
  const [, removal] = /^Take it away: `([^`]+)`/m.exec(way) ?? [];
  if (commands === undefined || removal === undefined) throw new Error(`The README has no way '${heading}'`);
  return { commands, removal: removal.replaceAll("\n", " ") };
}
