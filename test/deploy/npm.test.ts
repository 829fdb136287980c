// docs/packages.md as it is written: npm's package with the unit, and its removal, on a machine of its own that systemd has
// started and that has no network.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pack, registryMissing } from "../support/npmPackage.ts";
import { toolMissing } from "../support/programs.ts";
import { type Booted, booted, systemdMissing } from "../support/systemd.ts";

const PAGE = fileURLToPath(new URL("../../docs/packages.md", import.meta.url));
const blocks = [...readFileSync(PAGE, "utf8").matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = ""]) => block);
const blockWith = (text: string) => blocks.find((block) => block.includes(text)) ?? `false # ${text}`;

const missing = toolMissing("npm", "npm") ?? systemdMissing() ?? registryMissing();

describe.skipIf(missing)(`docs/packages.md, npm with systemd${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let directory: string;
  let machine: Booted;
  let before: string[];
  const said = (script: string) => {
    const { code, output } = machine.run(`set -e\n${script}`);
    expect({ script, code, output: code === 0 ? "" : output }).toEqual({ script, code: 0, output: "" });
    return output;
  };

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "namewell-npm-"));
    const packed = pack(directory);
    const cache = path.join(directory, "cache");
    const args = ["install", `--prefix=${directory}/filled`, `--cache=${cache}`, "--no-audit", "--no-fund", packed];
    const { status, stderr } = spawnSync("npm", args, { cwd: directory, encoding: "utf8" });
    expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
    machine = await booted([packed, cache]);
    said("ln -s /srv/*.tgz /srv/namewell.tgz; npm root -g");
    before = machine.changed();
  });
  afterAll(async () => {
    await machine?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it("has it served and looked at as it says", () => {
    const install = blockWith("npm install -g namewell").replace(/^DNS_CACHE_DIR=.*\n/m, "");
    said(install.replace(" namewell\n", " --offline --cache=/srv/cache --no-audit --no-fund /srv/namewell.tgz\n"));
    said(blockWith("systemctl enable --now namewell"));
    said("until [ -S /run/namewell/control.sock ]; do systemctl is-active namewell; sleep 0.1; done");
    const status = said("namewell status");
    for (const file of ["/run/namewell/dns.sock", "/usr/lib/namewell/client.so is there"])
      expect(status).toContain(file);
    const tried = said(blockWith("getent ahosts example.com").replace("example.com", "localhost"));
    expect(tried).toMatch(/^namewell: .*localhost/);
    said("namewell flush example.com --dir /run/namewell");
  });

  it("has all of a user's programs loaded with it", () => {
    said(`export HOME=/root\n${blockWith("environment.d")}`);
    expect(said("tail -1 /root/.profile")).toBe("export LD_PRELOAD=/usr/lib/namewell/client.so\n");
    const generator = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator";
    expect(said(`HOME=/root ${generator}`)).toContain("LD_PRELOAD=/usr/lib/namewell/client.so\n");
    said("rm -r /root/.config/environment.d && sed -i /namewell/d /root/.profile");
  });

  it("is taken away with nothing left", () => {
    said(blockWith("npm uninstall -g namewell"));
    const others =
      /^\.\/(root\/|srv\/|var\/lib\/systemd\/|etc\/(passwd|group|shadow|gshadow|subuid|subgid|\.pwd\.lock)-?$)/;
    expect(machine.changed().filter((file) => !before.includes(file) && !others.test(file))).toEqual([]);
    expect(machine.run("getent passwd namewell; ls -d /run/namewell /usr/lib/namewell").output).not.toMatch(/^[/n]/m);
  });
});
