// What health checks ask: `doctor --alive`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DOCTOR, DOCTOR_ARM64, Place } from "../support/doctored.ts";
import { emulationMissing } from "../support/emulated.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const USAGE = "usage: doctor [NAME] [--pid N] [--json] | doctor --alive [DIR]\n";

const missing = sandboxMissing();
const notEmulated = emulationMissing();
let box: Sandbox;
let place: Place;

describe.skipIf(missing)(`the doctor's --alive${missing ? ` (skipped: ${missing})` : ""}`, () => {
  beforeAll(async () => {
    box = await sandbox();
  });
  afterAll(() => box?.close());
  beforeEach(() => {
    place = new Place(box);
  });
  afterEach(() => place.close());

  const ask = (args = [place.directory], env: Record<string, string> = {}) =>
    box.run([DOCTOR, "--alive", ...args], { env });
  const socket = () => join(place.directory, "dns.sock");
  const ALIVE = { code: 0, stdout: "", stderr: "" };
  const dead = (why: string) => ({ code: 1, stdout: "", stderr: `doctor: ${socket()}: ${why}\n` });

  it("says nothing of a server that answers, whether its directory is given, in the environment, or the doctor's own", async () => {
    await place.server();
    expect(await ask()).toMatchObject(ALIVE);
    expect(await ask([], { DNS_CACHE_DIR: place.directory })).toMatchObject(ALIVE);
    expect(await box.run([place.doctor, "--alive"])).toMatchObject(ALIVE);
  });

  it("takes the directory that is given before that of the environment", async () => {
    await place.server();
    expect(await ask([place.directory], { DNS_CACHE_DIR: place.base })).toMatchObject(ALIVE);
    expect(await ask([place.base], { DNS_CACHE_DIR: place.directory })).toMatchObject({ code: 1 });
  });

  it("tells a server that was killed, whose socket is still there", async () => {
    const server = await place.server();
    await place.signal("SIGKILL", server);
    await expect.poll(async () => (await box.run(["test", "-e", `/proc/${server}`])).code).not.toBe(0);
    expect(existsSync(socket())).toBe(true);
    expect(await ask()).toMatchObject(dead("ECONNREFUSED"));
  });

  it("tells a server that hangs", async () => {
    await place.signal("SIGSTOP", await place.server());
    expect(await ask()).toMatchObject(dead("the server does not answer"));
  });

  it("tells a directory without a socket, and one that is not there", async () => {
    expect(await ask()).toMatchObject(dead("ENOENT"));
    const nowhere = join(place.base, "nowhere");
    expect(await ask([nowhere])).toMatchObject({ code: 1, stderr: `doctor: ${nowhere}/dns.sock: ENOENT\n` });
  });

  it("tells a socket's place that is no socket", async () => {
    mkdirSync(socket());
    expect(await ask()).toMatchObject(dead("ECONNREFUSED"));
  });

  it.each([
    ["another service", "HTTP/1.1 400 Bad Request\r\n\r\n", "no server of this version answers there"],
    ["one that hangs up", "", "the server does not answer"],
  ])("tells %s", async (_what, reply, why) => {
    const server = createServer((connection) =>
      connection
        .on("error", () => {})
        .resume()
        .end(reply),
    );
    await new Promise<void>((resolve) => server.listen(socket(), resolve));
    try {
      expect(await ask()).toMatchObject(dead(why));
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("refuses a directory that no socket's path has room for, and what it does not know", async () => {
    const long = `/${"d".repeat(98)}`;
    const tooLong = { code: 1, stderr: "doctor: a directory of at most 98 bytes is wanted\n" };
    expect(await ask([long.slice(0, 98)])).toMatchObject({ code: 1, stderr: expect.stringMatching(/: ENOENT\n$/) });
    expect(await ask([long])).toMatchObject(tooLong);
    expect(await ask([], { DNS_CACHE_DIR: long })).toMatchObject(tooLong);
    const misused = { code: 2, stdout: "", stderr: `doctor: --alive wants one directory or none; ${USAGE}` };
    for (const args of [["/a", "/b"], ["--json"], [""]]) expect(await ask(args)).toMatchObject(misused);
  });

  it.skipIf(notEmulated)(
    `tells one from the other on arm64${notEmulated ? ` (skipped: ${notEmulated})` : ""}`,
    async () => {
      const there = () => spawnSync("qemu-aarch64", [DOCTOR_ARM64, "--alive", place.directory], { encoding: "utf8" });
      expect(there()).toMatchObject({ status: 1, stderr: dead("ENOENT").stderr });
      await place.server();
      expect(there()).toMatchObject({ status: 0, stdout: "", stderr: "" });
    },
  );
});
