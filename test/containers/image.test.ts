// The image for each architecture, as files: what lies in it, of which machine that is, and that it serves.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { emulationMissing } from "../support/emulated.ts";
import { askOnce } from "../support/frames.ts";
import { sandbox } from "../support/sandbox.ts";
import { type BuiltImage, buildImages } from "./images.ts";
import { containersMissing } from "./missing.ts";

const BYTES_MAX = 145_000_000;
const NODE_SHARE_MIN = 0.9;
const LIBRARIES = ["libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "libstdc++.so.6"];
const PACKAGES = ["libc6", "libgcc-s1", "libstdc++6"];
const MACHINES = {
  amd64: { machine: 62, loader: "ld-linux-x86-64.so.2", folder: "lib64", doctor: "doctor-x64" }, // EM_X86_64
  arm64: { machine: 183, loader: "ld-linux-aarch64.so.1", folder: "lib", doctor: "doctor-arm64" }, // EM_AARCH64
} as const;
/** What Docker itself puts into each container. */
const OF_DOCKER = /^(\.dockerenv|dev|proc|sys)(\/|$)|^etc\/(hosts|hostname|resolv\.conf|mtab)$/;

const missing = await containersMissing();
const notEmulated = emulationMissing();
const architectures = [...new Set([process.arch === "x64" ? "amd64" : "arm64", "arm64"] as const)];

describe.skipIf(missing)(`the image${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const directory = mkdtempSync(join(tmpdir(), "namewell-images-"));
  let images: BuiltImage[];

  beforeAll(async () => {
    images = await buildImages(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const imageOf = (architecture: string) => images.find((image) => image.architecture === architecture) as BuiltImage;

  for (const architecture of architectures) {
    const { machine, loader, folder, doctor } = MACHINES[architecture];

    describe(`for ${architecture}`, () => {
      it("holds Node, its libraries and ours, and no other file", () => {
        const { root } = imageOf(architecture);
        const files = readdirSync(root, { recursive: true, withFileTypes: true })
          .filter((entry) => !entry.isDirectory())
          .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
          .filter((file) => !OF_DOCKER.test(file) && !file.startsWith("namewell/node_modules/"));
        const ours = ["client-arm64.so", "client-x64.so", "doctor", "doctor-arm64", "doctor-x64"];
        const scripts = ["namewell.js", "namewell.wasm", "operate.js", "server.js"];
        expect(files.sort()).toEqual(
          [
            ...["group", "nsswitch.conf", "passwd"].map((name) => `etc/${name}`),
            ...[...new Set([`lib/${loader}`, `${folder}/${loader}`]), ...LIBRARIES.map((name) => `lib/${name}`)],
            ...["LICENSE", "package.json"].map((name) => `namewell/${name}`),
            ...[...ours, ...scripts].map((name) => `namewell/dist/${name}`),
            "usr/local/bin/node",
            "usr/share/doc/node/LICENSE",
            ...PACKAGES.flatMap((name) => [`usr/share/doc/${name}/copyright`, `var/lib/dpkg/status.d/${name}`]),
          ].sort(),
        );
      });

      it("is small, and nearly all of it is Node", () => {
        const { root, bytes } = imageOf(architecture);
        expect(bytes).toBeLessThan(BYTES_MAX);
        expect(statSync(join(root, "usr/local/bin/node")).size / bytes).toBeGreaterThan(NODE_SHARE_MIN);
      });

      it("runs as one architecture, with its own doctor", () => {
        const { root } = imageOf(architecture);
        const programs = ["usr/local/bin/node", `namewell/dist/${doctor}`, `lib/${loader}`];
        const files = [...programs, ...LIBRARIES.map((name) => `lib/${name}`)];
        for (const file of files) expect(readFileSync(join(root, file)).readUInt16LE(18), file).toBe(machine);
        expect(readlinkSync(join(root, "namewell/dist/doctor"))).toBe(doctor);
      });

      it("names its packages with their versions, for scanners", () => {
        const { root } = imageOf(architecture);
        for (const name of PACKAGES) {
          const status = readFileSync(join(root, "var/lib/dpkg/status.d", name), "utf8");
          expect(status).toContain(`Package: ${name}\n`);
          expect(status).toMatch(/^Version: \d/m);
          expect(status).toContain(`Architecture: ${architecture}\n`);
        }
      });

      it("is nobody's but user 1000's, and asks the doctor how it is", () => {
        const { root, config } = imageOf(architecture);
        expect(config).toMatchObject({
          User: "1000:1000",
          Cmd: ["node", "dist/server.js"],
          Healthcheck: { Test: ["CMD", "/namewell/dist/doctor", "--alive"] },
          Volumes: { "/dns_cache": {} },
        });
        expect(config.Env).toContain("DNS_CACHE_DIR=/dns_cache");
        expect(statSync(join(root, "dns_cache"))).toMatchObject({ uid: 1000, gid: 1000 });
        expect(statSync(join(root, "namewell/dist/server.js"))).toMatchObject({ uid: 0, gid: 0 });
      });
    });
  }

  it.skipIf(notEmulated)(`serves on arm64${notEmulated ? ` (skipped: ${notEmulated})` : ""}`, async () => {
    const { root } = imageOf("arm64");
    const shared = join(directory, "shared");
    mkdirSync(shared);
    const there = (program: string) => ["qemu-aarch64", "-L", root, join(root, program)];
    const env = { DNS_CACHE_DIR: shared, DNS_CACHE_UPSTREAMS: "192.0.2.200", DNS_CACHE_HTTP: "off" };
    const box = await sandbox({ addresses: ["192.0.2.200/24"], resolvConf: "nameserver 192.0.2.200\n" });
    try {
      const zone = JSON.stringify({ "www.example": { A: ["192.0.2.1"] } });
      const upstream = join(import.meta.dirname, "../support/zoneUpstream.ts");
      await box.startModule(upstream, ["192.0.2.200", zone], { ready: /ready/ });
      const server = [...there("usr/local/bin/node"), join(root, "namewell/dist/server.js")];
      await box.start(server, { env, ready: /Listening/ });
      const alive = await box.run([...there("namewell/dist/doctor"), "--alive"], { env });
      expect(alive).toMatchObject({ code: 0, stdout: "", stderr: "" });
      expect(readFileSync(join(shared, "client.so")).readUInt16LE(18)).toBe(MACHINES.arm64.machine);
      expect((await askOnce(join(shared, "dns.sock"), ["www.example"])).toString("latin1")).toContain(
        "\xc0\x00\x02\x01",
      );
    } finally {
      await box.close();
    }
  });
});
