// The npm package as it is packed, unpacked elsewhere: a server that needs nothing of this repository, with client.so for
// both architectures.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer } from "../../demo/serverProcess.ts";
import { startUpstream } from "../../demo/upstream.ts";
import { addressesOf } from "../../src/table/record.ts";
import { askOnce, recordsOf } from "../support/frames.ts";
import { pack } from "../support/npmPackage.ts";
import { arm64Missing, CLIENT, toolMissing } from "../support/programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const FILES = ["CHANGELOG.md", "LICENSE", "README.md", "package.json"];
const DIST = [
  "client-arm64.so",
  "client-x64.so",
  "doctor-arm64",
  "doctor-x64",
  "namewell.js",
  "namewell.wasm",
  "operate.js",
  "server.js",
];
const UNITS = ["namewell.service", "namewell.sysusers.conf", "preload.conf"];

const noOther = process.arch === "x64" ? arm64Missing() : undefined;
const missing = toolMissing("npm", "npm") ?? toolMissing("tar", "tar");

describe.skipIf(missing)(`the npm package${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let directory: string;
  let unpacked: string;

  function run(command: string, ...args: string[]): string {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: "utf8" });
    expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
    return stdout;
  }

  beforeAll(() => {
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-package-"));
    run("tar", "-xzf", pack(directory), "-C", directory);
    unpacked = path.join(directory, "package");
  });
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

  it(`holds what a server needs${noOther ? ` (but for arm64: ${noOther})` : ""}, and nothing else`, () => {
    expect(fs.readdirSync(unpacked).sort()).toEqual([...FILES, "deploy", "dist", "docs", "shim"].sort());
    expect(fs.readdirSync(path.join(unpacked, "deploy/systemd")).sort()).toEqual(UNITS);
    expect(fs.readdirSync(path.join(unpacked, "docs"))).toEqual(fs.readdirSync(path.join(root, "docs")));
    expect(fs.readdirSync(path.join(unpacked, "shim"))).toEqual(["valgrind.supp"]);
    const libraries = DIST.filter((name) => noOther === undefined || !/arm64/.test(name));
    expect(fs.readdirSync(path.join(unpacked, "dist")).sort()).toEqual(libraries);
  });

  it("serves with the packages that it says it depends on, and installs this machine's client.so", async () => {
    // As `npm install` would put them there; the lock file tells which those are.
    const { packages } = JSON.parse(fs.readFileSync(path.join(root, "package-lock.json"), "utf8"));
    for (const [place, { dev }] of Object.entries<{ dev?: boolean }>(packages)) {
      if (place === "" || dev) continue;
      fs.cpSync(path.join(root, place), path.join(unpacked, place), { recursive: true, dereference: true });
    }
    const shared = path.join(directory, "dns_cache");
    const upstream = await startUpstream({ zone: { "www.example": { A: ["192.0.2.1"] } } });
    const settings = { DNS_CACHE_DIR: shared, DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}` };
    const server = startServer(settings, path.join(unpacked, "dist/server.js"));
    try {
      await server.seen("Listening");
      const [record] = recordsOf(await askOnce(path.join(shared, "dns.sock"), ["www.example"]));
      expect(addressesOf(record as Buffer)).toEqual(["192.0.2.1"]);
      expect(fs.readFileSync(path.join(shared, "client.so")).equals(fs.readFileSync(CLIENT))).toBe(true);
      const doctor = spawnSync(path.join(shared, "doctor"), ["--help"], { encoding: "utf8" });
      expect(doctor).toMatchObject({ status: 0, stderr: "", stdout: expect.stringMatching(/^usage: doctor /) });
    } finally {
      await server.stopped("SIGTERM");
      await upstream.close();
    }
  });

  it("is built, but not packed, where there is no compiler for one architecture, and says so", () => {
    const copy = path.join(directory, "checkout");
    for (const name of fs.readdirSync(root)) {
      if (["build", "dist", "node_modules"].includes(name) || name.startsWith(".")) continue;
      fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
    }
    fs.symlinkSync(path.join(root, "node_modules"), path.join(copy, "node_modules"));
    for (const name of ["build/namewell.debug.wasm", "dist"]) {
      // later than the sources, so that only C is compiled
      fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
    }
    for (const name of ["client-arm64.so", "client-x64.so", "doctor-arm64", "doctor-x64"])
      fs.rmSync(path.join(copy, "dist", name), { force: true });
    const other = process.arch === "x64" ? "arm64" : "x64";
    const env = {
      ...process.env,
      MAKEFLAGS: ` -- CC-${other}=no-such-compiler`,
      npm_config_cache: path.join(directory, "cache"),
    };
    const npm = (...args: string[]) => spawnSync("npm", args, { cwd: copy, env, encoding: "utf8" });

    const built = npm("run", "build");
    expect(built.status).toBe(0);
    expect(built.stdout + built.stderr).toMatch(
      new RegExp(`${path.basename(CLIENT)}, and not for ${other}: apt-get install gcc-.*-cross\n`),
    );
    const libraries = fs.readdirSync(path.join(copy, "dist")).filter((name) => name.endsWith(".so"));
    expect(libraries).toContain(path.basename(CLIENT));
    expect(libraries).not.toContain(`client-${other}.so`);
    expect(fs.readdirSync(path.join(copy, "dist")).filter((name) => name.startsWith("doctor"))).toEqual([
      `doctor-${process.arch}`,
    ]);

    const packed = npm("pack", "--offline");
    expect(packed.status).not.toBe(0);
    expect(packed.stderr).toMatch(new RegExp(`No compiler for client-${other}\\.so: apt-get install gcc-.*-cross\n`));
    expect(fs.readdirSync(copy).filter((name) => name.endsWith(".tgz"))).toEqual([]);
  });

  it("is not packed where something that it is to hold is missing, or the changelog says nothing of it", () => {
    const copy = path.join(directory, "incomplete");
    for (const name of [...FILES, "deploy/systemd", "dist", "docs", "shim/valgrind.supp", "tools"]) {
      fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
    }
    for (const name of DIST) fs.writeFileSync(path.join(copy, "dist", name), ""); // of both architectures
    const packable = () => spawnSync(process.execPath, [path.join(copy, "tools/packable.mjs")], { encoding: "utf8" });
    expect(packable()).toMatchObject({ status: 0, stderr: "" });

    fs.rmSync(path.join(copy, "dist/namewell.wasm"));
    fs.rmSync(path.join(copy, "docs"), { recursive: true });
    fs.writeFileSync(path.join(copy, "CHANGELOG.md"), "# Changelog\n\n## 0.0.9\n");
    const { status, stderr } = packable();
    expect([status, ...stderr.trimEnd().split("\n")]).toEqual([
      1,
      "Nothing is packed: dist/namewell.wasm is missing",
      "Nothing is packed: docs/*.md is missing",
      expect.stringMatching(/^Nothing is packed: CHANGELOG\.md says nothing of \d/),
    ]);
  });

  it("ends with one line where it has no client.so for this machine", () => {
    const copy = path.join(directory, "package", "other");
    fs.mkdirSync(copy);
    for (const name of ["server.js", "namewell.wasm"]) {
      fs.copyFileSync(path.join(unpacked, "dist", name), path.join(copy, name));
    }
    const start = () => {
      const env = { PATH: process.env.PATH, DNS_CACHE_DIR: path.join(directory, "unused"), DNS_CACHE_UPSTREAMS: "::1" };
      return spawnSync(process.execPath, [path.join(copy, "server.js")], { env, encoding: "utf8" });
    };
    const none = `^This build has no client\\.so for ${process.arch}: ENOENT: [^\\n]*\\n$`;
    expect(start()).toMatchObject({ status: 1, stdout: "", stderr: expect.stringMatching(none) });

    const name = path.basename(CLIENT);
    const library = fs.readFileSync(CLIENT);
    library.writeUInt16LE(21, 18); // the machine of another one
    fs.writeFileSync(path.join(copy, name), library);
    const wrong = `'${path.join(copy, name)}' is not a library for ${process.arch}\n`;
    expect(start()).toMatchObject({ status: 1, stdout: "", stderr: wrong });
    expect(fs.existsSync(path.join(directory, "unused"))).toBe(false);
  });
});

describe("the packages that it is built with", () => {
  it("have no install script that is not decided about, of which npm 11 would warn", () => {
    const { packages } = JSON.parse(fs.readFileSync(path.join(root, "package-lock.json"), "utf8"));
    const { allowScripts } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
    const scripted = Object.keys(packages).filter(
      (place) => packages[place].hasInstallScript && (packages[place].os?.includes("linux") ?? true),
    );
    expect(scripted.map((place) => place.replace(/^.*node_modules\//, ""))).toEqual(Object.keys(allowScripts));
  });
});
