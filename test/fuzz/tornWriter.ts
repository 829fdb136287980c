// `tornWriter.ts DIRECTORY WASM NAMES ENTRIES`: rewrites the entries of a published table as fast as the server's own code
// can, until it is asked to end. With fewer places than names a slot changes hands all the time, and its tag with it.
// tornReader.c knows by itself what each write holds.
import * as layout from "../../assembly/layout.ts";
import { nowMs } from "../../src/clock.ts";
import { createCounters } from "../../src/counters.ts";
import { createLog } from "../../src/log.ts";
import { openDirectory } from "../../src/place/directory.ts";
import { createCache } from "../../src/table/cache.ts";
import { createPublisher } from "../../src/table/publisher.ts";
import { loadWasm } from "../../src/table/wasm.ts";
import { address, makeRecord } from "../support/records.ts";

const ADDRESSES = 8;
const WRITES_A_TURN = 1000; // then the heartbeat has its turn

const [directory = "", wasmPath = "", names = "1", entries = "64"] = process.argv.slice(2);
const wasm = loadWasm(
  { entries: Number(entries), minTtlSeconds: 0, maxTtlSeconds: 3600, maxNegativeTtlSeconds: 30, upstreams: "" },
  wasmPath,
);
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
const cache = createCache(wasm, publisher.publish);

const counterText = (counter: number) => String(counter).padStart(10, "0");
const templates = Array.from({ length: Number(names) }, (_, number) => {
  const record = Buffer.from(
    makeRecord({
      name: `h${number}.torn.example`,
      chain: [`c${counterText(0)}.h${number}.torn.example`],
      data: Array.from({ length: ADDRESSES }, () => address(0)),
    }),
  );
  return {
    record,
    counterAt: record.indexOf(`c${counterText(0)}`) + 1,
    addressesAt: record.readUInt16LE(layout.RECORD_DATA_OFFSET),
  };
});

function write(counter: number): void {
  const number = counter % templates.length;
  const { record, counterAt, addressesAt } = templates[number] as (typeof templates)[number];
  record.write(counterText(counter), counterAt, "latin1");
  const noise = Math.imul(counter, 0x9e3779b1) & ~0xff;
  for (let j = 0; j < ADDRESSES; j++) record.writeInt32BE(noise | (number << 3) | j, addressesAt + 4 * j);
  record.writeUInt32LE(60 + (counter & 1023), layout.RECORD_TTL_SECONDS);
  cache.keep(record, nowMs(), 0);
}

let counter = 0;
function turn(): void {
  for (let i = 0; i < WRITES_A_TURN; i++) write(counter++);
  if (counter === WRITES_A_TURN) console.log("ready");
  setImmediate(turn);
}
process.on("SIGTERM", () => {
  console.log(`writes ${counters.published} failures ${counters.publishFailures}`);
  process.exit(0);
});
turn();
