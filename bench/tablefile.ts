// Leaves a directory as a server would that knew many names and has ended: with its table. The next server goes on from it,
// which takes seconds for a million names; asking for each would take minutes.
import fs from "node:fs";
import path from "node:path";
import { createCache } from "../src/cache.ts";
import { nowMs } from "../src/clock.ts";
import { upstreamText } from "../src/config.ts";
import { loadWasm } from "../src/wasm.ts";
import { address, makeRecord } from "../test/support/records.ts";

const TTL_SECONDS = 3600;
const CHUNK_BYTES = 64 << 20;

/** Writes cache.table with the addresses of n1.bench.example and on; returns how many of the names it holds. */
export function leaveTable(directory: string, entries: number, names: number, upstream: string): number {
  const wasm = loadWasm({
    entries,
    minTtlSeconds: 0,
    maxTtlSeconds: TTL_SECONDS,
    maxNegativeTtlSeconds: 0,
    upstreams: upstreamText({ transport: "udp", host: upstream, port: 53 }),
  });
  const cache = createCache(wasm);
  for (let number = 1; number <= names; number++) {
    const record = makeRecord({ name: `n${number}.bench.example`, ttl: TTL_SECONDS, data: [address(number)] });
    cache.keep(record, nowMs());
  }
  const file = fs.openSync(path.join(directory, "cache.table"), "w", 0o644);
  for (let at = 0; at < wasm.image.length; ) {
    at += fs.writeSync(file, wasm.image, at, Math.min(CHUNK_BYTES, wasm.image.length - at));
  }
  fs.closeSync(file);
  return wasm.usedCount();
}
