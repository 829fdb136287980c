// A live table damaged at random under a process that looks names up in it: damage.c says how, and judges.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { INSTRUMENTED_FLAGS, RECORD_MAKER_FLAGS } from "../shim/flags.ts";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { sandbox, sandboxMissing } from "../support/sandbox.ts";
import { IS_FULL, report, SEED } from "./size.ts";

const DAMAGES = IS_FULL ? 100_000 : 3000;
const KINDS = 17;
const NAMESERVER = "192.0.2.200"; // not of 127.0.0.0/8: the table's denials are final then
const STOP_AT_ERRORS = {
  ASAN_OPTIONS: "abort_on_error=1:handle_abort=0",
  UBSAN_OPTIONS: "abort_on_error=1:print_stacktrace=1",
};

const BUILDS = {
  "glibc, under AddressSanitizer and UBSan": {
    build: () => buildProgram("test/fuzz/damage_sanitized.c", "glibc", INSTRUMENTED_FLAGS),
    env: STOP_AT_ERRORS,
  },
  glibc: {
    build: () => buildProgram("test/fuzz/damage.c", "glibc", RECORD_MAKER_FLAGS),
    env: { LD_PRELOAD: CLIENT },
  },
  musl: {
    build: () => buildProgram("test/fuzz/damage.c", "musl", RECORD_MAKER_FLAGS),
    env: { LD_PRELOAD: CLIENT },
  },
} as const;

describe.skipIf(sandboxMissing())("a damaged table", () => {
  it.for(Object.keys(BUILDS) as (keyof typeof BUILDS)[])(
    "crashes nobody and gives no address that was never published (%s)",
    async (title, { skip }) => {
      const reason = title === "musl" ? muslMissing() : undefined;
      if (reason !== undefined) skip(reason);
      const program = BUILDS[title].build();
      const nameserver = buildProgram("test/fuzz/nameserver.c", "glibc");
      const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-fuzz-"));
      fs.chmodSync(directory, 0o755); // a child without rights has to get as far as the table
      const box = await sandbox({ resolvConf: `nameserver ${NAMESERVER}\n` });
      try {
        await box.start([nameserver, NAMESERVER], { ready: /ready/ });
        const { code, stdout, stderr } = await box.run([program, directory, SEED, String(DAMAGES)], {
          env: { DNS_CACHE_DIR: directory, ...BUILDS[title].env },
          timeoutMs: 1_200_000,
        });
        report(`${title}: ${DAMAGES} damages, seed ${SEED}`, stdout);
        expect({ code, stderr }, `seed ${SEED}`).toEqual({ code: 0, stderr: "" });
        const kinds = [...stdout.matchAll(/^(.+?) +(\d+) damages +(\d+) hits +(\d+) misses$/gm)];
        expect(kinds).toHaveLength(KINDS);
        expect(sum(kinds, 2)).toBe(DAMAGES);
        for (const [, kind, damages, hits, misses] of kinds) {
          for (const count of [damages, hits, misses]) expect(Number(count), `${kind}`).toBeGreaterThan(0);
        }
        expect(Number(/^mended: (\d+) hits$/m.exec(stdout)?.[1])).toBeGreaterThan(DAMAGES / 3);
      } finally {
        await box.close();
        fs.rmSync(directory, { recursive: true, force: true });
      }
    },
  );
});

function sum(rows: RegExpMatchArray[], column: number): number {
  return rows.reduce((total, row) => total + Number(row[column]), 0);
}
