// How the test programs that hold parts of the library itself are compiled.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SHIM = fileURLToPath(new URL("../../shim/", import.meta.url));

/** The paths of the library's sources. */
export const SOURCES = readdirSync(SHIM)
  .filter((name) => name.endsWith(".c"))
  .map((name) => `${SHIM}${name}`);

/** The whole library within the program: its hooks come before libc's functions there too. Not so its system calls,
 * which are for its own use only. */
export const WHOLE = [
  "-D_GNU_SOURCE",
  `-I${SHIM}`,
  "-rdynamic",
  ...SOURCES.filter((path) => !path.endsWith("/kernel.c")),
];

/** For a client.so that goes by whatever clock its process has. */
export const ANY_CLOCK = "-DNAMEWELL_ANY_CLOCK";

const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/** A part alone, which the program includes. */
export const DECODER_FLAGS = ["-D_GNU_SOURCE", `-I${SHIM}`, ...SANITIZERS];

/** The whole library, instrumented. */
export const INSTRUMENTED_FLAGS = [...WHOLE, ...SANITIZERS];

/** The whole library, watched for races. */
export const RACES_FLAGS = [...WHOLE, "-fsanitize=thread", "-Wno-tsan"];

/** The same, with addresses that do not rotate. */
export const WATCHED_FLAGS = [...RACES_FLAGS, "-DNAMEWELL_STEADY"];

/** What is kept of routes, alone, under either kind of sanitizer. */
export const ROUTES_FLAGS = {
  bounds: DECODER_FLAGS,
  races: ["-D_GNU_SOURCE", `-I${SHIM}`, "-fsanitize=thread"],
};

/** A program that makes records itself and gets the library by a preload. */
export const RECORD_MAKER_FLAGS = ["-D_GNU_SOURCE", `-I${SHIM}`, `${SHIM}answer.c`];
