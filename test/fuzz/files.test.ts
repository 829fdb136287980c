// Files of /etc as no administrator would write them, and names of every length under them: files.c says how, and judges.
import { expect, it } from "vitest";
import { ANY_CLOCK, INSTRUMENTED_FLAGS } from "../shim/flags.ts";
import { buildProgram } from "../support/programs.ts";
import { sandbox, sandboxMissing } from "../support/sandbox.ts";
import { IS_FULL, report, SEED } from "./size.ts";

const WAYS = IS_FULL ? 100_000 : 3000;

it.skipIf(sandboxMissing())("whatever stands in /etc, no candidate of any name leaves its bounds", async () => {
  const program = buildProgram("test/fuzz/files.c", "glibc", [...INSTRUMENTED_FLAGS, ANY_CLOCK]);
  const box = await sandbox();
  try {
    const { code, stdout, stderr } = await box.run([program, SEED, String(WAYS)], {
      env: { DNS_CACHE_DIR: "/nowhere", DNS_CACHE_BYPASS: "zz.example" },
      timeoutMs: 1_200_000,
    });
    report(`${WAYS} ways, seed ${SEED}`, stdout);
    expect({ code, stderr }, `seed ${SEED}`).toEqual({ code: 0, stderr: "" });
    expect(Number(/^(\d+) candidates$/m.exec(stdout)?.[1])).toBeGreaterThan(3 * WAYS);
  } finally {
    await box.close();
  }
});
