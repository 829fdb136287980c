// deploy/systemd: the unit as systemd reads it and judges it.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toolMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const UNITS = path.join(ROOT, "deploy/systemd");
const SERVICE = path.join(UNITS, "namewell.service");
/** In tenths. What is left: V8's own code, the network, node's threads, other users' processes; nothing of it can go. */
const EXPOSURE_MAX = 15;

const missing = toolMissing("systemd-analyze", "systemd") ?? sandboxMissing();

describe.skipIf(missing)(`namewell.service${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let box: Sandbox;
  beforeAll(async () => {
    box = await sandbox();
    // Where systemd looks commands up.
    const place = 'mount -t tmpfs tmpfs /usr/local/bin && ln -s "$1" /usr/local/bin/namewell';
    const command = ["sh", "-c", place, "sh", path.join(ROOT, "dist/namewell.js")];
    expect(await box.run(command)).toMatchObject({ code: 0, stderr: "" });
    for (const [name, file] of [
      ["namewell.service", "namewell.service"],
      ["namewell.service.d/preload.conf", "preload.conf"],
    ]) {
      const installed = path.join("/etc/systemd/system", name as string);
      await box.run(["mkdir", "-p", path.dirname(installed)]);
      await box.write(installed, fs.readFileSync(path.join(UNITS, file as string), "utf8"));
    }
  });
  afterAll(() => box?.close());

  it("is understood in every line, with the preload's drop-in beside it", async () => {
    expect(await box.run(["systemd-analyze", "verify", "/etc/systemd/system/namewell.service"])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "",
    });
    const { stdout } = await box.run(["systemd-analyze", "cat-config", "systemd/system/namewell.service"]);
    expect(stdout).toContain("LD_PRELOAD=/usr/lib/namewell/client.so");
  });

  it("may do no more than a server needs", async () => {
    const judge = ["systemd-analyze", "security", "--no-pager", "--offline=true", `--threshold=${EXPOSURE_MAX}`];
    const { code, stdout } = await box.run([...judge, SERVICE]);
    expect({ code, verdict: /exposure level for namewell.service: .*/.exec(stdout)?.[0] }).toEqual({
      code: 0,
      verdict: expect.any(String),
    });
  });

  it("keeps its directory where it is restarted, and where all may enter it", () => {
    const text = fs.readFileSync(SERVICE, "utf8");
    for (const line of ["RuntimeDirectoryPreserve=yes", "RuntimeDirectoryMode=0755", "User=namewell"]) {
      expect(text).toContain(`\n${line}\n`);
    }
    expect(text).toMatch(/^Environment=.*\bDNS_CACHE_DIR=\/run\/namewell\b/m);
  });
});
