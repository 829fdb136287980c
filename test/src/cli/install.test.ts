// `namewell install`: client.so and the doctor in a folder of one's own.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DOCTOR } from "../../support/doctored.ts";
import { NAMEWELL, namewell } from "../../support/namewell.ts";
import { CLIENT } from "../../support/programs.ts";
import { sandbox, sandboxMissing } from "../../support/sandbox.ts";

let base: string;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(tmpdir(), "namewell-install-"));
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

const isSame = (file: string, other: string) => fs.readFileSync(file).equals(fs.readFileSync(other));

describe("namewell install", () => {
  it("puts both into a new folder that everybody may enter, whatever the umask, and leaves them there when they are the same", async () => {
    const folder = path.join(base, "opt/namewell");
    const file = (name: string) => path.join(folder, name);
    const command = ["-c", 'umask 077; exec "$@"', "sh", process.execPath, NAMEWELL, "install", folder];
    expect(spawnSync("sh", command, { encoding: "utf8" })).toMatchObject({
      status: 0,
      stdout: `Installed ${file("client.so")}\nInstalled ${file("doctor")}\n`,
      stderr: "",
    });
    expect([isSame(file("client.so"), CLIENT), isSame(file("doctor"), DOCTOR)]).toEqual([true, true]);
    for (const each of [folder, path.dirname(folder)]) expect(fs.statSync(each).mode & 0o777).toBe(0o755);
    expect(fs.statSync(file("client.so")).mode & 0o777).toBe(0o555);
    expect(fs.readdirSync(folder)).toEqual(["client.so", "doctor"]);

    const { ino } = fs.statSync(file("client.so"));
    expect((await namewell(["install", folder])).stdout).toContain(`${file("client.so")} is the same already`);
    expect(fs.statSync(file("client.so")).ino).toBe(ino);
  });

  it("replaces another one by rename, since programs have it loaded", async () => {
    const file = path.join(base, "client.so");
    fs.writeFileSync(file, "old");
    const held = fs.openSync(file, "r");
    expect((await namewell(["install", base])).stdout).toContain(`Installed ${file}`);
    expect([fs.readFileSync(held, "utf8"), isSame(file, CLIENT)]).toEqual(["old", true]);
    fs.closeSync(held);
  });

  it("says what is wrong in one line", async () => {
    const file = path.join(base, "file");
    fs.writeFileSync(file, "");
    const refused = await namewell(["install", file]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^namewell: '.*file' cannot be used: .*\n$/);
    expect(await namewell(["install"])).toMatchObject({ code: 1, stdout: "" });
    fs.mkdirSync(path.join(base, "in/client.so"), { recursive: true });
    expect((await namewell(["install", path.join(base, "in")])).code).toBe(1);
    expect(fs.readdirSync(path.join(base, "in"))).toEqual(["client.so"]); // nothing half done is left
  });

  it.skipIf(sandboxMissing())("remarks that nothing can be loaded from a folder that is mounted noexec", async () => {
    const box = await sandbox();
    try {
      await box.run(["mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", base]);
      const { code, stderr } = await box.run([process.execPath, NAMEWELL, "install", base]);
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr: `${base} is mounted noexec: no program can load client.so from there\n`,
      });
    } finally {
      await box.close();
    }
  });
});
