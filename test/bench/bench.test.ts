// How `npm run bench` ends, by the part that takes least: its first command is one that can be made to fail.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { sandboxMissing } from "../support/sandbox.ts";

const BENCH = fileURLToPath(new URL("../../dist/bench.js", import.meta.url));

describe.skipIf(sandboxMissing())("npm run bench", () => {
  it("ends with an error that names the part that could not be measured, after it has said the rest", () => {
    const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    try {
      fs.writeFileSync(path.join(directory, "iptables"), "#!/bin/sh\necho no such table >&2; exit 3\n", {
        mode: 0o755,
      });
      const env = { ...process.env, PATH: `${directory}:${process.env.PATH}` };
      const { status, stdout, stderr } = spawnSync(process.execPath, [BENCH, "loss"], { env, encoding: "utf8" });
      expect(stderr).toBe("Not whole: loss could not be measured: no such table\n");
      expect(stdout).toContain("## loss: could not be measured");
      expect(status).toBe(1);
    } finally {
      fs.rmSync(directory, { recursive: true });
    }
  });
});
