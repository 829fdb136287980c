// The Debian package as docs/packages.md has it installed and purged, on a machine of its own that systemd has started.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootedWithZone } from "../support/bootedZone.ts";
import { arm64Missing, toolMissing } from "../support/programs.ts";
import { blocksOf } from "../support/readme.ts";
import { type Booted, systemdMissing } from "../support/systemd.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ZONE = { "www.example": { A: ["192.0.2.7"] } };
const MACHINES = { amd64: 62, arm64: 183 }; // EM_X86_64, EM_AARCH64
const OWN = process.arch === "x64" ? "amd64" : "arm64";
const LIB = "usr/lib/namewell";

const PAGE = readFileSync(path.join(ROOT, "docs/packages.md"), "utf8");
const [, SECTION = ""] = PAGE.split("\n## Debian package\n");
/** The first two lines of the page are for the machine that builds it. */
const INSTALL = (blocksOf(SECTION)[0] ?? "").split("\n").slice(2).join("\n");
const [, PURGE = ""] = /^Take it away.*`([^`]+)`$/m.exec(SECTION) ?? [];
/** The machine's Node may have come otherwise than by the package that ours asks for. */
const NODEJS =
  "Package: nodejs\nVersion: 20.0.0\nArchitecture: all\nMaintainer: none <none@localhost>\nDescription: Node\n";

const missing = toolMissing("dpkg-deb", "dpkg");
const noSystemd = missing ?? systemdMissing();

let directory: string;
const packages: Partial<Record<string, string>> = {};

/** The checkout, as far as a package is made of it, as whoever has a umask of 077 has it. */
function closedCheckout(): string {
  const { packages } = JSON.parse(readFileSync(path.join(ROOT, "package-lock.json"), "utf8"));
  const needed = Object.keys(packages).filter((place) => place !== "" && !packages[place].dev);
  const own = ["tools", "dist", "deploy", "docs", "package.json", "package-lock.json", "LICENSE", "CHANGELOG.md"];
  const closed = path.join(directory, "checkout");
  for (const place of [...own, ...needed])
    cpSync(path.join(ROOT, place), path.join(closed, place), { recursive: true });
  expect(spawnSync("chmod", ["-R", "go=", closed]).status).toBe(0);
  return closed;
}

function build(checkout: string, architecture: string): string {
  const args = [path.join(checkout, "tools/deb.mjs"), architecture];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return path.join(checkout, stdout.trim());
}

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), "namewell-debian-"));
  if (missing) return;
  const checkout = closedCheckout();
  packages[OWN] = build(checkout, OWN);
  if (arm64Missing() === undefined) packages.arm64 ??= build(checkout, "arm64");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.skipIf(missing)(`the Debian package${missing ? ` (skipped: ${missing})` : ""}`, () => {
  it.each(["amd64", "arm64"] as const)("of %s holds what a machine needs, and nothing else", (architecture) => {
    const deb = packages[architecture];
    if (deb === undefined) return; // no compiler for it
    const node = architecture === "amd64" ? "x64" : "arm64";
    const { stdout } = spawnSync("dpkg-deb", ["--contents", deb], { encoding: "utf8" });
    const files = stdout
      .trimEnd()
      .split("\n")
      .filter((line) => !line.startsWith("d"))
      .map((line) => /^(\S+) root\/root .* \.\/(.*)$/.exec(line)?.slice(1).join(" "));
    const ofPackages = stdout.split("\n").filter((line) => line.includes("/node_modules/"));
    expect(ofPackages.filter((line) => !/^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--) root\/root /.test(line))).toEqual([]);
    const isOther = (line = "") => /\/node_modules\/|share\/doc\/namewell\/[a-z-]+\.md$/.test(line);
    expect(files.filter((line) => !isOther(line))).toEqual([
      "-rw-r--r-- etc/default/namewell",
      `-rwxr-xr-x ${LIB}/client.so`,
      `-rwxr-xr-x ${LIB}/dist/namewell.js`,
      `-rw-r--r-- ${LIB}/dist/namewell.wasm`,
      `-rw-r--r-- ${LIB}/dist/operate.js`,
      `-rw-r--r-- ${LIB}/dist/server.js`,
      `-rwxr-xr-x ${LIB}/doctor`,
      `-rw-r--r-- ${LIB}/package.json`,
      "-rw-r--r-- usr/lib/systemd/system/namewell.service",
      "-rw-r--r-- usr/lib/sysusers.d/namewell.conf",
      "-rw-r--r-- usr/share/doc/namewell/changelog",
      "-rw-r--r-- usr/share/doc/namewell/copyright",
      "-rw-r--r-- usr/share/doc/namewell/examples/preload.conf",
      "lrwxrwxrwx usr/bin/namewell -> ../lib/namewell/dist/namewell.js",
      `lrwxrwxrwx ${LIB}/dist/client-${node}.so -> ../client.so`,
      `lrwxrwxrwx ${LIB}/dist/doctor-${node} -> ../doctor`,
    ]);
    expect(files.filter((line) => /\.(map|d\.ts)$/.test(line ?? ""))).toEqual([]);
    const unpacked = path.join(directory, architecture);
    spawnSync("dpkg-deb", ["--extract", deb, unpacked]);
    expect(readFileSync(path.join(unpacked, LIB, "client.so")).readUInt16LE(18)).toBe(MACHINES[architecture]);
  });

  it("asks for a Node that the server runs on, and for what its own scripts call", () => {
    const depends = spawnSync("dpkg-deb", ["--field", packages[OWN] as string, "Depends"], { encoding: "utf8" }).stdout;
    const { engines } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8"));
    expect(depends.trim().split(", ")).toEqual([
      `nodejs (${engines.node.replace(">=", ">= ")})`,
      "systemd | systemd-standalone-sysusers",
      "init-system-helpers",
    ]);
  });

  it("is refused for an architecture that there is no client.so for", () => {
    const args = [path.join(ROOT, "tools/deb.mjs"), "riscv64"];
    const stderr = "No Debian package: 'riscv64' is neither amd64 nor arm64\n";
    expect(spawnSync(process.execPath, args, { encoding: "utf8" })).toMatchObject({ status: 1, stdout: "", stderr });
  });
});

describe.skipIf(noSystemd)(`a machine with systemd${noSystemd ? ` (skipped: ${noSystemd})` : ""}`, () => {
  let machine: Booted;
  let before: string[];
  const said = (script: string) => {
    const { code, output } = machine.run(script);
    expect({ script, code, output: code === 0 ? "" : output }).toEqual({ script, code: 0, output: "" });
    return output;
  };
  const lookup = "LD_PRELOAD=/usr/lib/namewell/client.so DNS_CACHE_EXPLAIN=1 getent ahostsv4 www.example";

  beforeAll(async () => {
    const asking = "Type=oneshot\nEnvironment=DNS_CACHE_EXPLAIN=1\nExecStart=getent ahostsv4 www.example";
    machine = await bootedWithZone(ZONE, [packages[OWN] as string], { "asks.service": `[Service]\n${asking}\n` });
    said("mkdir /srv/build && mv /srv/*.deb /srv/build");
    said("echo 'APT::Get::Assume-Yes \"true\";' > /etc/apt/apt.conf.d/yes"); // as somebody answers
    said(`dpkg --compare-versions "$(dpkg-query -W -f '\${Version}' nodejs)" ge 20 || { mkdir -p /srv/nodejs/DEBIAN
      printf '${NODEJS.replaceAll("\n", "\\n")}' > /srv/nodejs/DEBIAN/control
      dpkg-deb --build /srv/nodejs && dpkg --install /srv/nodejs.deb; }`);
    before = machine.changed();
  });
  afterAll(() => machine?.close());

  it("has a server as soon as it is installed, which runs as nobody else and may do nothing else", () => {
    const output = said(
      `set -e; cd /srv\n${INSTALL.replaceAll("amd64", OWN).replaceAll("example.com", "www.example")}`,
    );
    expect(output).toMatch(/ok +www\.example is in the table/);
    expect(output).toMatch(/^All is fine \(warnings: 0\)/m);
    said("until [ -S /run/namewell/control.sock ]; do systemctl is-active namewell; sleep 0.1; done");
    expect(said("stat -c '%U %a' /run/namewell")).toBe("namewell 755\n");
    const status = said("cat /proc/$(systemctl show -P MainPID namewell)/status");
    for (const line of ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"]) {
      expect(status).toContain(line);
    }
    expect(said("systemctl is-enabled namewell")).toBe("enabled\n");
    expect(said("namewell status --dir /run/namewell")).toContain("all is well");
  });

  it("serves a program from the table, whose library lies in /usr/lib", () => {
    said(lookup);
    expect(said(lookup).split("\n")[0]).toMatch(/www\.example.*table/);
  });

  it("serves one service by the drop-in", () => {
    const folder = "/etc/systemd/system/asks.service.d";
    said(`install -D -m644 /usr/share/doc/namewell/examples/preload.conf ${folder}/namewell.conf`);
    said("systemctl daemon-reload && systemctl start asks.service");
    expect(said("journalctl --sync; journalctl -o cat -u asks.service")).toMatch(/www\.example.*table/);
    said(`rm -r ${folder}`);
  });

  it("answers from the table while the server is stopped, and goes on with the same one when it is started", () => {
    const inode = said("stat -c %i /run/namewell/cache.table");
    said(lookup); // into it
    said("systemctl stop namewell");
    expect(said(lookup)).toMatch(/table/);
    said("systemctl start namewell; until [ -S /run/namewell/control.sock ]; do sleep 0.1; done");
    expect(said("stat -c %i /run/namewell/cache.table")).toBe(inode);
  });

  it("is started again whatever it ended of, however often, and is among the last that a lack of memory ends", () => {
    const main = () => said("systemctl show -P MainPID namewell").trim();
    const killed = main();
    said(
      "systemctl kill --signal=KILL namewell; until [ $(systemctl show -P NRestarts namewell) = 1 ]; do sleep 0.1; done",
    );
    said("until namewell status --dir /run/namewell; do sleep 0.1; done");
    expect(main()).not.toBe(killed);
    expect(said("systemctl show -P StartLimitIntervalUSec namewell")).toBe("0\n");
    expect(said("systemctl show -P OOMScoreAdjust namewell")).toBe("-500\n"); // a container's systemd may not set it
    expect(said("systemctl show -P Before namewell")).toContain("nss-lookup.target");
  });

  it("reads its settings in /etc/default/namewell", () => {
    said("echo DNS_CACHE_ENTRIES=1024 >> /etc/default/namewell && systemctl restart namewell");
    said("until [ -S /run/namewell/control.sock ]; do sleep 0.1; done");
    expect(said("namewell status --dir /run/namewell")).toContain("1,024 entries");
  });

  it("keeps the package while /etc/ld.so.preload names its library", () => {
    said("echo /usr/lib/namewell/client.so > /etc/ld.so.preload");
    const all = "getent ahostsv4 www.example; DNS_CACHE_EXPLAIN=1 getent ahostsv4 www.example";
    expect(said(all)).toMatch(/table/);
    const { code, output } = machine.run("dpkg --remove namewell");
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining("take that out first\n") });
    expect(said(all)).toMatch(/table/);
    said("rm /etc/ld.so.preload");
  });

  it("is as it was before when the package is purged", () => {
    said(`${PURGE} && [ ! -e /run/namewell ]`);
    expect(machine.run("getent passwd namewell; getent group namewell").output).toBe("");
    const ofApt =
      /^\.\/(var\/lib\/(dpkg|apt|PackageKit|systemd)\/|etc\/(passwd|group|shadow|gshadow|subuid|subgid|\.pwd\.lock)-?$)/;
    const left = machine.changed().filter((file) => !before.includes(file) && !ofApt.test(file));
    expect(left).toEqual([]);
  });
});
