// `spliceWriter.ts DIRECTORY WASM NONCES`: a published table that is written as fast as the server's own code can, by the
// race of splice.ts. NONCES: `random`, as the server has them, or `known`, which takes them away.
import { SLOT_BYTES } from "../../assembly/layout.ts";
import { nowMs } from "../../src/clock.ts";
import { createCounters } from "../../src/counters.ts";
import { createLog } from "../../src/log.ts";
import { openDirectory } from "../../src/place/directory.ts";
import { createCache } from "../../src/table/cache.ts";
import { createPublisher } from "../../src/table/publisher.ts";
import { loadWasm } from "../../src/table/wasm.ts";
import { createRace } from "./splice.ts";

const WRITES_A_TURN = 500; // then the heartbeat has its turn

const [directory = "", wasmPath = "", nonces = "random"] = process.argv.slice(2);
const limits = { minTtlSeconds: 0, maxTtlSeconds: 3600, maxNegativeTtlSeconds: 30 };
const known = nonces === "known" && { random: (bytes: Uint8Array) => bytes.fill(0x5a) };
const wasm = loadWasm({ entries: 8, upstreams: "", ...limits, ...known }, wasmPath);
const log = createLog("fatal");
const counters = createCounters();
const publisher = createPublisher({
  ...openDirectory(directory, log),
  isInPlace: () => true,
  onPlaceLost: () => undefined, // there is no dns.sock
  wasm,
  isOn: true,
  realMsAt: () => Date.now(),
  counters,
  log,
});
publisher.prepare();
publisher.start();

let published = 0;
const cache = createCache(wasm, (slotOffset) => {
  if (slotOffset !== 0) published = slotOffset;
  publisher.publish(slotOffset);
});
const race = createRace(
  wasm,
  cache,
  () => published,
  (at) => wasm.image.subarray(at, at + SLOT_BYTES),
);

const startedMs = nowMs(); // the victim's record is always the same, so that what is aimed at one meets the next as well
let pushedOut = 0;
let isFirst = true;
function turn(): void {
  for (let i = 0; i < WRITES_A_TURN; i++) if (race((nonce) => nonce, startedMs).hasPushedOut) pushedOut++;
  if (isFirst) console.log("ready");
  isFirst = false;
  setImmediate(turn);
}
process.on("SIGTERM", () => {
  console.log(`writes ${counters.published} failures ${counters.publishFailures} pushed out ${pushedOut}`);
  process.exit(0);
});
turn();
