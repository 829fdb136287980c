// Prints shim/doctor/codes.h from src/cli/doctorCodes.ts: what both doctors know, for C.
// `node tools/doctor-codes.mjs` prints it; `--write` puts it in its place when it differs.
import { readFileSync, writeFileSync } from "node:fs";

const root = new URL("..", import.meta.url);
const source = readFileSync(new URL("src/cli/doctorCodes.ts", root), "utf8");
const untyped = source.replaceAll(/^export type .*;$/gm, "").replace(/(?<=export const CODES): .*(?= = \[$)/m, "");
const { CODES } = await import(`data:text/javascript,${encodeURIComponent(untyped)}`);

const lines = CODES.map(
  ([code, level, hint]) => `    EACH(${code.slice(3)}, ${level.toUpperCase()}, ${JSON.stringify(hint)})`,
);
const text = `/* Printed from src/cli/doctorCodes.ts by tools/doctor-codes.mjs. Do not edit. */
#ifndef NAMEWELL_DOCTOR_CODES_H
#define NAMEWELL_DOCTOR_CODES_H

#define CODES(EACH) \\
${lines.join(" \\\n")}

#endif
`;

const target = new URL("shim/doctor/codes.h", root);
const read = () => {
  try {
    return readFileSync(target, "utf8");
  } catch {
    return "";
  }
};
if (!process.argv.includes("--write")) process.stdout.write(text);
else if (read() !== text) writeFileSync(target, text);
