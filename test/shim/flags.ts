// How the test programs that hold parts of the library itself are compiled.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SHIM = fileURLToPath(new URL("../../shim/", import.meta.url));

/** The paths of the library's sources. */
export const SOURCES = readdirSync(SHIM)
  .filter((name) => name.endsWith(".c"))
  .map((name) => `${SHIM}${name}`);

const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/** The decoder alone. */
export const DECODER_FLAGS = ["-D_GNU_SOURCE", `-I${SHIM}`, ...SANITIZERS];

/** The whole library, instrumented, within the program: its hooks come before libc's functions there too. */
export const INSTRUMENTED_FLAGS = [...DECODER_FLAGS, "-rdynamic", ...SOURCES];

/** A program that makes records itself and gets the library by a preload. */
export const RECORD_MAKER_FLAGS = ["-D_GNU_SOURCE", `-I${SHIM}`, `${SHIM}answer.c`];
