// The README's npm package, by hand and as a systemd unit, from its installation to its removal, and what docs/packages.md
// says of giving the preload: as written, on a machine of its own that systemd has started and that has no network.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootedWithZone } from "../support/bootedZone.ts";
import { pack, registryMissing } from "../support/npmPackage.ts";
import { toolMissing } from "../support/programs.ts";
import { blocksOf, wayOf } from "../support/readme.ts";
import { type Booted, systemdMissing } from "../support/systemd.ts";

const PAGE = readFileSync(fileURLToPath(new URL("../../docs/packages.md", import.meta.url)), "utf8");
const blockWith = (text: string) => blocksOf(PAGE).find((block) => block.includes(text)) ?? `false # ${text}`;
const BY_HAND = wayOf("npm package");
const BY_UNIT = wayOf("systemd unit");
/** It needs no network then: all that is installed lies in the cache. */
const NPM = "export HOME=/root npm_config_offline=true npm_config_cache=/srv/cache npm_config_update_notifier=false";
const OF_NO_WAY =
  /^\.\/(root\/|srv\/|var\/lib\/systemd\/|etc\/(passwd|group|shadow|gshadow|subuid|subgid|\.pwd\.lock)-?$)/;
/** In memory; and a user, programs, mounts. */
const REMAINDER = `find /run /tmp /dev/shm /var/tmp -name '*namewell*'
  getent passwd namewell; getent group namewell; pgrep -fa '[n]ode .*namewell'; cut -d' ' -f2 /proc/mounts | grep namewell; true`;

const missing = toolMissing("npm", "npm") ?? toolMissing("pgrep", "procps") ?? systemdMissing() ?? registryMissing();

describe.skipIf(missing)(`npm's package on a machine${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let directory: string;
  let machine: Booted;
  let before: string[];
  /** As somebody types it: in one shell, which stays where `cd` has led it. */
  const said = (script: string) => {
    const { code, output } = machine.run(`exec bash --norc -ec '${`${NPM}\n${script}`.replaceAll("'", "'\\''")}'`);
    expect({ script, code, output: code === 0 ? "" : output }).toEqual({ script, code: 0, output: "" });
    return output;
  };
  const changed = () => machine.changed().filter((file) => !before.includes(file) && !OF_NO_WAY.test(file));

  function expectNothingLeft(): void {
    expect(changed()).toEqual([]);
    expect(machine.run(REMAINDER)).toEqual({ code: 0, output: "" });
  }

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "namewell-npm-"));
    const packed = pack(directory);
    const cache = path.join(directory, "cache");
    const args = ["install", `--prefix=${directory}/filled`, `--cache=${cache}`, "--no-audit", "--no-fund", packed];
    const { status, stderr } = spawnSync("npm", args, { cwd: directory, encoding: "utf8" });
    expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
    machine = await bootedWithZone({ "example.com": { A: ["192.0.2.7"] } }, [packed, cache]);
    said("npm root -g");
    before = machine.changed();
  });
  afterAll(async () => {
    await machine?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it("serves a program by hand, says so, and goes without a trace", () => {
    const output = said(`cd /srv\n${BY_HAND.commands}\n[ -e /run/namewell/dns.sock ]\n${BY_HAND.removal}`);
    expect(output).toContain("/usr/lib/namewell/client.so loaded");
    expect(output).toMatch(/ok +example\.com is in the table/);
    expect(output).toMatch(/^All is fine \(warnings: 0\)/m);
    expectNothingLeft();
  });

  describe("as a unit", () => {
    it("serves a program, and says so", () => {
      const [install, put] = BY_HAND.commands.split("\n");
      const output = said(`cd /srv\n${install}\n${put}\n${BY_UNIT.commands}`);
      expect(output).toMatch(/ok +example\.com is in the table/);
      expect(output).toMatch(/^All is fine \(warnings: 0\)/m);
      expect(said("systemctl is-enabled namewell; systemctl is-active namewell")).toBe("enabled\nactive\n");
    });

    it("is found by the command", () => {
      const status = said("until [ -S /run/namewell/control.sock ]; do sleep 0.1; done; namewell status");
      for (const file of ["/run/namewell/dns.sock", "/usr/lib/namewell/client.so is there"])
        expect(status).toContain(file);
      expect(said("namewell doctor example.com")).toMatch(/^All is fine/m);
      said("namewell flush example.com --dir /run/namewell");
    });

    it("tells of a program that is tried with it", () => {
      expect(said(blockWith("getent ahosts example.com"))).toMatch(/^namewell: .*example\.com.*socket/m);
    });

    it("has all of a user's programs loaded with it", () => {
      said(blockWith("environment.d"));
      expect(said("tail -1 /root/.profile")).toBe("export LD_PRELOAD=/usr/lib/namewell/client.so\n");
      const generator = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator";
      expect(said(generator)).toContain("LD_PRELOAD=/usr/lib/namewell/client.so\n");
      said("rm -r /root/.config/environment.d && sed -i /namewell/d /root/.profile");
    });

    it("goes without a trace", () => {
      said(BY_UNIT.removal);
      expectNothingLeft();
      expect(machine.run("systemctl status namewell").output).toContain("could not be found");
    });
  });
});
