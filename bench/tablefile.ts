// Leaves a directory as a server would that knew many names and has ended: with its table. The next server goes on from it,
// which takes seconds for a million names; asking for each would take minutes.
import fs from "node:fs";
import path from "node:path";
import { TYPE_A } from "../assembly/layout.ts";
import { createCache } from "../src/cache.ts";
import { nowMs } from "../src/clock.ts";
import { upstreamText } from "../src/upstream/address.ts";
import { loadWasm } from "../src/wasm.ts";
import { address, makeRecord } from "../test/support/records.ts";

const TTL_SECONDS = 3600;
const CHUNK_BYTES = 64 << 20;

export interface Left {
  /** A file with the numbers of the names that the table holds, for the C client. */
  readonly numbers: string;
  /** A set that is full loses names, and each lost one would be a miss among the hits. */
  readonly held: number;
}

/** Writes cache.table with the addresses of n1.bench.example and on. */
export function leaveTable(directory: string, entries: number, names: number, upstream: string): Left {
  const wasm = loadWasm({
    entries,
    minTtlSeconds: 0,
    maxTtlSeconds: TTL_SECONDS,
    maxNegativeTtlSeconds: 0,
    upstreams: upstreamText({ transport: "udp", host: upstream, port: 53 }),
  });
  const cache = createCache(wasm, () => {});
  const nameOf = (number: number) => `n${number}.bench.example`;
  for (let number = 1; number <= names; number++) {
    const record = makeRecord({ name: nameOf(number), ttl: TTL_SECONDS, data: [address(number)] });
    cache.keep(record, nowMs(), 0);
  }
  const isHeld = (_: unknown, i: number) => cache.find({ name: nameOf(i + 1), type: TYPE_A }, nowMs()) !== undefined;
  const held = Uint32Array.from({ length: names }, (_, i) => i + 1).filter(isHeld);
  const numbers = path.join(directory, "numbers");
  fs.writeFileSync(numbers, held);
  const file = fs.openSync(path.join(directory, "cache.table"), "w", 0o644);
  for (let at = 0; at < wasm.image.length; ) {
    at += fs.writeSync(file, wasm.image, at, Math.min(CHUNK_BYTES, wasm.image.length - at));
  }
  fs.closeSync(file);
  return { numbers, held: held.length };
}
