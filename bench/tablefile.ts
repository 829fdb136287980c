// Puts names into the table that a server has left, as if it had known them. The next server goes on from it, which takes
// seconds for a million names; asking for each would take minutes. The header stays the server's own.
import fs from "node:fs";
import path from "node:path";
import { HEADER_BYTES, TYPE_A } from "../assembly/layout.ts";
import { nowMs } from "../src/clock.ts";
import { createCache } from "../src/table/cache.ts";
import { openTable, readHeader, write } from "../src/table/tablefile.ts";
import { loadWasm } from "../src/table/wasm.ts";
import { address, makeRecord } from "../test/support/records.ts";

const TTL_SECONDS = 3600;
const CHUNK_BYTES = 64 << 20;

export interface Filled {
  /** A file with the numbers of the names that the table holds, for the C client. */
  readonly numbers: string;
  /** A set that is full loses names, and each lost one would be a miss among the hits. */
  readonly held: number;
}

/** Writes the addresses of n1.bench.example and on into the directory's cache.table, which has so many entries. */
export function fillTable(directory: string, entries: number, names: number): Filled {
  const file = openTable(path.join(directory, "cache.table"));
  if (file === undefined) throw new Error(`a server has left no table in ${directory}`);
  const limits = { minTtlSeconds: 0, maxTtlSeconds: TTL_SECONDS, maxNegativeTtlSeconds: 0 };
  const wasm = loadWasm({ entries, ...limits, upstreams: "" });
  readHeader(file).copy(wasm.image);
  wasm.takeOver();
  const cache = createCache(wasm, () => {});
  const nameOf = (number: number) => `n${number}.bench.example`;
  for (let number = 1; number <= names; number++) {
    const record = makeRecord({ name: nameOf(number), ttl: TTL_SECONDS, data: [address(number)] });
    cache.keep(record, nowMs(), 0);
  }
  /** In the table: the cache knows some that have given way, too. */
  function isHeld(number: number): boolean {
    wasm.question[0] = wasm.question.write(nameOf(number), 1, "latin1");
    return wasm.peek(TYPE_A) !== 0;
  }
  const held = Uint32Array.from({ length: names }, (_, i) => i + 1).filter(isHeld);
  const numbers = path.join(directory, "numbers");
  fs.writeFileSync(numbers, held);
  for (let at = HEADER_BYTES; at < wasm.image.length; at += CHUNK_BYTES) {
    write(file.descriptor, wasm.image, at, Math.min(CHUNK_BYTES, wasm.image.length - at));
  }
  fs.closeSync(file.descriptor);
  return { numbers, held: held.length };
}
