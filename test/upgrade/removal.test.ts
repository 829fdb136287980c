// The server and its directory are moved, replaced or removed while preloaded programs run and start: libc answers, or the
// cache again, and no program notices.
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLIENT } from "../support/programs.ts";
import { sandboxMissing } from "../support/sandbox.ts";
import { each, end, type Load, Scene } from "./load.ts";

const missing = sandboxMissing();
const FORCE = { recursive: true, force: true } as const;
let scene: Scene;

/** glibc's loader says of each program that client.so is missing; musl's says nothing. */
async function endWithoutClient(loads: Load[]): Promise<void> {
  for (const load of loads) expect(await load.close()).toBe(load.libc === "glibc");
}
function empty(directory: string): void {
  for (const name of fs.readdirSync(directory)) fs.rmSync(path.join(directory, name), FORCE);
}

describe.skipIf(missing)(
  `preloaded programs${missing ? ` (skipped: ${missing})` : ""} run and start`,
  { timeout: 240_000 },
  () => {
    beforeEach(async () => {
      scene = await Scene.open();
    });
    afterEach(() => scene?.close());

    it("while the server is stopped, its directory emptied, removed, and all is installed again", async () => {
      const server = await scene.server();
      const loads = await scene.loads();
      await each(loads, "cache");
      await server.stopped("SIGTERM");
      await each(loads, "libc");
      empty(scene.directory);
      await each(loads, "libc");
      fs.rmdirSync(scene.directory);
      await each(loads, "libc");
      await scene.server();
      await each(loads, "cache");
      await endWithoutClient(loads);
    });

    it.each([
      ["emptied", () => empty(scene.directory)],
      ["removed", () => fs.rmSync(scene.directory, FORCE)],
      ["given another name", () => fs.renameSync(scene.directory, `${scene.directory}.old`)],
    ] as const)("while the directory is %s under a server that runs, and the server ends", async (_, change) => {
      const server = await scene.server();
      const loads = await scene.loads();
      await each(loads, "cache");
      change();
      expect(await server.stopped()).toBe(1);
      await each(loads, "libc");
      await scene.server();
      await each(loads, "cache");
      await endWithoutClient(loads);
    });

    it("while all is removed but a client.so that lies elsewhere", async () => {
      const server = await scene.server();
      const loads = await scene.loads(scene.preload(CLIENT, scene.directory));
      await each(loads, "cache");
      await server.stopped("SIGKILL");
      fs.rmSync(scene.directory, FORCE);
      await each(loads, "libc");
      await end(loads);
    });

    it("while all is removed and /etc/ld.so.preload still names it, and when that is removed too", async () => {
      const server = await scene.server();
      await scene.box.write("/etc/ld.so.preload", `${path.join(scene.directory, "client.so")}\n`);
      const loads = [await scene.load("glibc", {})]; // musl's loader knows no such file
      await each(loads, "cache");
      await server.stopped("SIGTERM");
      fs.rmSync(scene.directory, FORCE);
      await each(loads, "libc");
      await scene.box.run(["rm", "/etc/ld.so.preload"]);
      await each(loads, "libc");
      await endWithoutClient(loads);
    });

    it("while the server moves to another directory, and are served again by a link in its old place", async () => {
      const other = path.join(scene.base, "other");
      const server = await scene.server();
      const loads = await scene.loads();
      await each(loads, "cache");
      await server.stopped("SIGTERM");
      await scene.server(undefined, other);
      fs.rmSync(scene.directory, FORCE);
      await each(loads, "libc");
      const moved = await scene.loads(scene.preload(path.join(other, "client.so")));
      await each(moved, "cache");
      fs.symlinkSync(other, scene.directory);
      await each(loads, "cache");
      await end(moved);
      await endWithoutClient(loads);
    });

    it("while the server moves to /run/namewell, which they find once nothing of it is left beside client.so", async () => {
      const other = path.join(scene.base, "other");
      fs.mkdirSync(other);
      await scene.box.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"]);
      await scene.box.run(["mkdir", "/run/namewell"]);
      await scene.box.run(["mount", "--bind", other, "/run/namewell"]);
      const server = await scene.server();
      const loads = await scene.loads();
      await each(loads, "cache");
      await server.stopped("SIGTERM");
      await scene.server(undefined, other);
      await each(loads, "libc"); // the last table is still there
      fs.rmSync(path.join(scene.directory, "cache.table"));
      await each(loads, "cache");
      await end(loads);
    });

    it("while the directory is replaced under a bind mount, which goes on to show the old one", async () => {
      const mounted = path.join(scene.base, "mounted");
      fs.mkdirSync(mounted);
      const server = await scene.server();
      await scene.box.run(["mount", "--bind", scene.directory, mounted]);
      const loads = await scene.loads(scene.preload(path.join(mounted, "client.so")));
      await each(loads, "cache");
      fs.rmSync(scene.directory, FORCE);
      expect(await server.stopped()).toBe(1);
      await scene.server();
      for (const { started } of await each(loads, "libc")) expect(started.libc).toBeGreaterThan(0);
      await endWithoutClient(loads);
    });
  },
);
