// Compiles modules of assembly/ by themselves, so that tests can call what index.ts does not export.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Inside<Functions> {
  functions: Functions;
  memory: Buffer;
  /** The value of an exported global. */
  global(name: string): number;
}

export async function compileInside<Functions>(...modules: string[]): Promise<Inside<Functions>> {
  const folder = await mkdtemp(join(tmpdir(), "namewell-"));
  try {
    const outFile = join(folder, "inside.wasm");
    const entries = modules.map((name) => `assembly/${name}.ts`);
    const { error, stderr } = await main([...entries, "--baseDir", root, "--target", "debug", "--outFile", outFile]);
    if (error) throw new Error(stderr.toString());
    const memory = new WebAssembly.Memory({ initial: 8, maximum: 8 });
    const abort = () => {
      throw new Error("aborted");
    };
    const module = new WebAssembly.Module(await readFile(outFile));
    const { exports } = new WebAssembly.Instance(module, { env: { memory, abort } });
    return {
      functions: exports as Functions,
      memory: Buffer.from(memory.buffer),
      global: (name) => (exports[name] as WebAssembly.Global).value >>> 0,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}
