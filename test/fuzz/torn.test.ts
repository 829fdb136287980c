// Slots rewritten at full speed by the server's own code under processes that read them: tornWriter.ts and tornReader.c.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { sandbox, sandboxMissing } from "../support/sandbox.ts";
import { IS_FULL, report } from "./size.ts";

const SECONDS = IS_FULL ? 60 : 2;
const READERS = 2;
const NAMESERVER = "192.0.2.200";
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ON_TMPFS = fs.existsSync("/dev/shm") ? "/dev/shm" : tmpdir(); // where a write takes least time, most are torn

/** One slot that is always the same name's; twelve names in the eight places of one set. */
const VARIANTS = {
  "one name's slot": { names: 1, entries: 64 },
  "slots that change hands": { names: 12, entries: 8 },
} as const;

async function hammer(variant: keyof typeof VARIANTS, libc: "glibc" | "musl", client: string, seconds: number) {
  const reader = buildProgram("test/fuzz/tornReader.c", libc);
  const nameserver = buildProgram("test/fuzz/nameserver.c", "glibc");
  const { names, entries } = VARIANTS[variant];
  const directory = fs.mkdtempSync(path.join(ON_TMPFS, "namewell-fuzz-"));
  const box = await sandbox({ resolvConf: `nameserver ${NAMESERVER}\n` });
  try {
    await box.start([nameserver, NAMESERVER], { ready: /ready/ });
    const writer = await box.startModule(
      path.join(ROOT, "test/fuzz/tornWriter.ts"),
      [directory, path.join(ROOT, "dist/namewell.wasm"), String(names), String(entries)],
      { ready: /ready/ },
    );
    const env = { DNS_CACHE_DIR: directory, LD_PRELOAD: client };
    const readers = await Promise.all(
      Array.from({ length: READERS }, () => box.start([reader, String(names)], { env, ready: /ready/ })),
    );
    await sleep(seconds * 1000);
    const results = await Promise.all(readers.map((running) => running.stop()));
    const written = await writer.stop();
    const total = (word: string) =>
      results.reduce((sum, { stdout }) => sum + Number(new RegExp(`${word} (\\d+)`).exec(stdout)?.[1]), 0);
    expect([written, ...results].map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      Array(1 + READERS).fill({ code: 0, stderr: "" }),
    );
    expect(written.stdout).toContain("failures 0");
    const counts = {
      writes: Number(/writes (\d+)/.exec(written.stdout)?.[1]),
      reads: total("reads"),
      misses: total("misses"),
      changes: total("changes"),
      torn: total("torn"),
      foreign: total("foreign"),
    };
    report(`${variant} (${libc}, ${seconds} s)`, JSON.stringify(counts));
    return counts;
  } finally {
    await box.close();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

describe.skipIf(sandboxMissing())("a table that is written while it is read", () => {
  it.for([
    ["one name's slot", "glibc"],
    ["slots that change hands", "glibc"],
    ["one name's slot", "musl"],
    ["slots that change hands", "musl"],
  ] as const)("gives no answer made of two writes: %s (%s)", async ([variant, libc], { skip }) => {
    const reason = libc === "musl" ? muslMissing() : undefined;
    if (reason !== undefined) skip(reason);
    const { torn, foreign, changes, writes, reads, misses } = await hammer(variant, libc, CLIENT, SECONDS);
    expect({ torn, foreign }).toEqual({ torn: 0, foreign: 0 });
    expect(writes).toBeGreaterThan(1000);
    expect(changes).toBeGreaterThan(READERS); // they did meet: the first of each is none
    expect(reads - misses).toBeGreaterThan(1000);
  });

  it("would, if the checksum were not looked at", async () => {
    const copy = fs.mkdtempSync(path.join(tmpdir(), "namewell-shim-"));
    try {
      fs.cpSync(path.join(ROOT, "shim"), copy, { recursive: true });
      const decoder = fs.readFileSync(path.join(copy, "answer.c"), "utf8");
      const without = decoder.replace(/([!=]=) \w+\(\w+ \+ NW_RECORD_CHECKSUM\)/, (comparison, operator) =>
        operator === "!=" ? `${comparison} && false` : `${comparison} || true`,
      );
      expect(without).not.toBe(decoder);
      fs.writeFileSync(path.join(copy, "answer.c"), without);
      const client = path.join(copy, path.basename(CLIENT));
      const { status, stderr } = spawnSync("make", ["-s", "-C", copy, `DIST=${copy}`, client], { encoding: "utf8" });
      expect(stderr).toBe("");
      expect(status).toBe(0);
      const { torn, reads, misses } = await hammer("one name's slot", "glibc", client, SECONDS);
      expect(reads - misses).toBeGreaterThan(1000);
      if (!IS_FULL) return; // in so short a time, on a busy machine, there may be none
      expect(torn).toBeGreaterThan(0);
      await hammer("slots that change hands", "glibc", client, SECONDS); // rarer, for the name is compared too
    } finally {
      fs.rmSync(copy, { recursive: true, force: true });
    }
  });
});
