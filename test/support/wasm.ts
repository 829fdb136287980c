// The Wasm module for tests: debug build, and seeds that are the same in each run.

import { fileURLToPath } from "node:url";
import { loadWasm, type TableOptions, type Wasm } from "../../src/table/wasm.ts";

const DEBUG = fileURLToPath(new URL("../../build/namewell.debug.wasm", import.meta.url));
const DEFAULTS = {
  entries: 64,
  minTtlSeconds: 0,
  maxTtlSeconds: 3600,
  maxNegativeTtlSeconds: 30,
  upstreams: "192.0.2.1",
};

export function debugWasm(options: Partial<TableOptions> = {}): Wasm & { check(): void } {
  return loadWasm({ ...DEFAULTS, random: counting(), ...options }, DEBUG) as Wasm & { check(): void };
}

export function releaseWasm(options: Partial<TableOptions> = {}): Wasm {
  return loadWasm({ ...DEFAULTS, random: counting(), ...options });
}

function counting(): (bytes: Uint8Array) => void {
  let next = 17;
  return (bytes) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = next = (next * 29 + 71) & 255;
  };
}
