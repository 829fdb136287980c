// A slot torn between another's record and one whose bytes somebody chose: splice.ts says how, spliceReader.c judges.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { nowMs } from "../../src/clock.ts";
import { createCache } from "../../src/table/cache.ts";
import { RECORD_MAKER_FLAGS, WHOLE } from "../shim/flags.ts";
import { unmasked } from "../support/masks.ts";
import { hashOf } from "../support/mix.ts";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { sandbox, sandboxMissing } from "../support/sandbox.ts";
import { debugWasm } from "../support/wasm.ts";
import { IS_FULL, report } from "./size.ts";
import { ADDRESSES, createRace, type Guess, PREFIX, VICTIM } from "./splice.ts";

const PAIRS = IS_FULL ? 64 : 4;
const SECONDS = 20;
const NAMESERVER = "192.0.2.200";
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ON_TMPFS = fs.existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

const GUESSES: Record<string, Guess> = {
  "no mask": () => 0n,
  "the same nonce again": (nonce) => nonce,
  "the next nonce": (nonce) => nonce + 1n,
};

/** How the server writes, and what he takes it for. */
const CASES: {
  title: string;
  isMasked: boolean;
  random?: (bytes: Uint8Array) => unknown;
  guess: Guess;
  succeeds: boolean;
}[] = [
  ...Object.entries(GUESSES).map(([title, guess]) => ({ title, isMasked: true, guess, succeeds: false })),
  { title: "no mask, where there is none", isMasked: false, guess: () => 0n, succeeds: true },
  {
    title: "the same nonce again, where that is so",
    isMasked: true,
    random: (bytes) => bytes.fill(0x5a),
    guess: (nonce) => nonce,
    succeeds: true,
  },
];

/** The victim's slots before and after writes that put one of his names there, or the victim's back; and a table for it. */
function prepare({ isMasked, random, guess }: (typeof CASES)[number]) {
  const wasm = debugWasm({ entries: 64, ...(random && { random }) });
  const { image } = wasm;
  const seen = (at: number) => {
    const slot = Buffer.from(image.subarray(at, at + layout.SLOT_BYTES));
    return isMasked ? slot : Buffer.concat([unmasked(slot), Buffer.alloc(layout.SLOT_BYTES)], layout.SLOT_BYTES);
  };
  let published = 0;
  const cache = createCache(wasm, (slotOffset) => {
    if (slotOffset !== 0) published = slotOffset;
  });
  const race = createRace(wasm, cache, () => published, seen);
  const before = new Map<number, Buffer>();
  const pairs: Buffer[] = [];
  for (let victimAt = 0; pairs.length < 2 * PAIRS; ) {
    const { slotOffset, hasPushedOut } = race(guess, nowMs());
    const last = before.get(slotOffset);
    const now = seen(slotOffset);
    const isVictims = victimAt === 0 || hasPushedOut;
    if (victimAt === 0) victimAt = slotOffset;
    if (hasPushedOut) victimAt = 0;
    if (isVictims && last !== undefined) pairs.push(last, now);
    before.set(slotOffset, now);
  }
  const table = Buffer.alloc(image.length);
  image.copy(table, 0, 0, layout.HEADER_BYTES);
  const seeds = [layout.HEADER_SEED_A, layout.HEADER_SEED_B].map((at) => image.readBigUInt64LE(at)) as [bigint, bigint];
  const hash = hashOf(VICTIM, layout.TYPE_AAAA, ...seeds);
  const set = layout.HEADER_BYTES + Number(((hash >> 32n) * BigInt(wasm.setCount)) >> 32n) * layout.SET_BYTES;
  table.writeBigUInt64LE(hash, set);
  return { table, offset: set + layout.TAG_LINE_BYTES, pairs: Buffer.concat(pairs) };
}

const COUNTS = /states (\d+) right (\d+) forged (\d+) none (\d+)/;
function countsOf(stdout: string) {
  const [states, right, forged] = (COUNTS.exec(stdout) ?? []).slice(1).map(Number);
  return { states, right, forged };
}

async function inSandbox<T>(
  run: (box: Awaited<ReturnType<typeof sandbox>>, directory: string) => Promise<T>,
): Promise<T> {
  const directory = fs.mkdtempSync(path.join(ON_TMPFS, "namewell-fuzz-"));
  const box = await sandbox({
    addresses: [`${NAMESERVER}/32`, "2001:db8::200/128"],
    resolvConf: `nameserver ${NAMESERVER}\n`,
  });
  try {
    await box.start([buildProgram("test/fuzz/nameserver.c", "glibc"), NAMESERVER], { ready: /ready/ });
    return await run(box, directory);
  } finally {
    await box.close();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

describe.skipIf(sandboxMissing())("a slot torn between two records, one of chosen bytes,", () => {
  for (const libc of ["glibc", "musl"] as const) {
    const without = libc === "musl" ? muslMissing() : undefined;
    it.skipIf(without).for(CASES)(`gives no address that nobody published: $title, ${libc}`, async (each) => {
      const reader = buildProgram("test/fuzz/spliceReader.c", libc, RECORD_MAKER_FLAGS);
      const { table, offset, pairs } = prepare(each);
      const { states, right, forged } = await inSandbox(async (box, directory) => {
        const [tablePath, pairsPath] = [path.join(directory, "cache.table"), path.join(directory, "pairs")];
        fs.writeFileSync(tablePath, table);
        fs.writeFileSync(pairsPath, pairs);
        const env = { DNS_CACHE_DIR: directory, LD_PRELOAD: CLIENT };
        const command = [reader, VICTIM, PREFIX, String(ADDRESSES), tablePath, String(offset), pairsPath];
        const { code, stdout, stderr } = await box.run(command, { env, timeoutMs: 600_000 });
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        report(`${each.title}, ${libc}`, stdout);
        return countsOf(stdout);
      });
      expect(states).toBeGreaterThan(PAIRS * 2000);
      expect(right).toBeGreaterThanOrEqual(PAIRS * 2); // it did read what is whole
      if (each.succeeds) expect(forged).toBeGreaterThan(0);
      else expect(forged).toBe(0);
    });
  }

  it.skipIf(!IS_FULL).for([
    ["random", "gives none in a race either"],
    ["known", "would, if the next nonce were known"],
  ] as const)("%s nonces: %s", async ([nonces]) => {
    const racer = buildProgram("test/fuzz/spliceRacer.c", "glibc", WHOLE);
    const { forged, right } = await inSandbox(async (box, directory) => {
      const writerArgs = [directory, path.join(ROOT, "dist/namewell.wasm"), nonces];
      const writer = await box.startModule(path.join(ROOT, "test/fuzz/spliceWriter.ts"), writerArgs, {
        ready: /ready/,
      });
      const env = { DNS_CACHE_DIR: directory };
      const running = await box.start([racer, VICTIM, PREFIX, String(ADDRESSES)], { env, ready: /ready/ });
      await sleep(SECONDS * 1000);
      const read = await running.stop();
      const written = await writer.stop();
      report(`${nonces} nonces, ${SECONDS} s`, `${written.stdout}${read.stdout}`);
      expect([written, read].map(({ code, stderr }) => ({ code, stderr }))).toEqual(
        Array(2).fill({ code: 0, stderr: "" }),
      );
      return countsOf(read.stdout);
    });
    expect(right).toBeGreaterThan(1000);
    if (nonces === "known") expect(forged).toBeGreaterThan(0);
    else expect(forged).toBe(0);
  });
});
