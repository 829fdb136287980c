// Compiles assembly/ to dist/namewell.wasm, and to build/namewell.debug.wasm with asserts and the table's invariant walk.
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";

const root = fileURLToPath(new URL("..", import.meta.url));
const targets = {
  release: ["assembly/index.ts"],
  debug: ["assembly/index.ts", "assembly/check.ts"],
};

export async function buildWasm() {
  for (const folder of ["dist", "build"]) await mkdir(`${root}${folder}`, { recursive: true });
  for (const [target, entries] of Object.entries(targets)) {
    const { error, stderr } = await main([...entries, "--target", target, "--baseDir", root]);
    if (error) throw new Error(`${stderr.toString()}${error.message} (target ${target})`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildWasm();
