// What somebody has who has the shared directory read-only, as docs/security.md says it.
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Place, UPSTREAM } from "../support/doctored.ts";
import { otherUsersMissing, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SERVERS_USER = 1000;
const OTHER_USER = 2000;
const DOCKERS = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid"; // those that bear on files
const user = (id: number) => ["setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups"];

const missing = sandboxMissing() ?? otherUsersMissing();
let box: Sandbox;
let place: Place;
let readOnly: string;

describe.skipIf(missing)(`in a directory that is mounted read-only${missing ? ` (skipped: ${missing})` : ""}`, () => {
  beforeAll(async () => {
    box = await sandbox({ resolvConf: `nameserver ${UPSTREAM}\n` });
    place = new Place(box);
    await place.server();
    const control = join(place.directory, "control.sock");
    await vi.waitUntil(() => existsSync(control), { timeout: 20_000 });
    chmodSync(place.base, 0o755);
    chownSync(control, SERVERS_USER, SERVERS_USER);
    readOnly = join(place.base, "mounted");
    mkdirSync(readOnly);
    await box.run(["mount", "--bind", place.directory, readOnly]);
    expect(await box.run(["mount", "-o", "remount,bind,ro", readOnly])).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await box?.run(["umount", readOnly]);
    await place?.close();
    await box?.close();
  });

  it("nothing can be put, taken away or changed, by root neither", async () => {
    const before = readdirSync(place.directory);
    for (const command of ["touch new", "rm -f dns.sock", ": > cache.table", ": > client.so", "chmod 777 ."]) {
      const { code, stderr } = await box.run(["sh", "-c", command], { cwd: readOnly });
      expect({ command, code: code === 0 ? "done" : "refused", stderr }).toMatchObject({
        code: "refused",
        stderr: expect.stringContaining("Read-only"),
      });
    }
    expect(readdirSync(place.directory)).toEqual(before);
  });

  it.each([
    ["another user may not", user(OTHER_USER), false],
    ["root without capabilities may not", ["setpriv", "--bounding-set=-all"], false],
    ["the server's user number may", user(SERVERS_USER), true],
    ["root with the capabilities that Docker gives may", ["setpriv", `--bounding-set=${DOCKERS}`], true],
  ])("%s read names and flush over control.sock", async (_who, as, may) => {
    const control = ["--control", join(readOnly, "control.sock")];
    for (const [command = "", ...rest] of [["top"], ["flush", "--all"]]) {
      const program = [process.execPath, join(ROOT, "dist/namewell.js"), command, ...control, ...rest];
      const { code, stderr } = await box.run([...as, ...program], { env: { DNS_CACHE_HTTP: "off" } });
      const refused = stderr.includes("may be used by the server's own user and root alone");
      expect({ command, code, refused, stderr }).toMatchObject({ command, code: may ? 0 : 1, refused: !may });
    }
  });
});
