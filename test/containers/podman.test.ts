// compose.yaml as podman-compose understands it: the commands that it would give podman. Nothing is run.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toolMissing } from "../support/programs.ts";
import { command } from "./command.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Knows no image, so that one is built, and says yes to all else. */
const PODMAN = `#!/bin/sh
[ "$1" != --version ] || { echo "podman version 4.3.1"; exit; }
printf '%s\\t' "$@" >>"$0.asked"; echo >>"$0.asked"
[ "$1" != inspect ]
`;

const missing = toolMissing("podman-compose", "podman-compose");

describe.skipIf(missing)(`podman-compose${missing ? ` (skipped: ${missing})` : ""}`, () => {
  const directory = mkdtempSync(join(tmpdir(), "namewell-podman-"));
  let asked: string[][];

  beforeAll(async () => {
    const podman = join(directory, "podman");
    writeFileSync(podman, PODMAN);
    chmodSync(podman, 0o755);
    const env = { PATH: process.env.PATH, HOME: directory };
    const file = ["-p", "demo", "-f", join(ROOT, "compose.yaml")];
    await command(["podman-compose", "--podman-path", podman, ...file, "up", "-d"], { cwd: ROOT, env });
    const lines = readFileSync(`${podman}.asked`, "utf8").split("\n").slice(0, -1);
    asked = lines.map((line) => line.split("\t").slice(0, -1));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const runOf = (service: string): string[] =>
    asked.find(([verb, name]) => verb === "run" && name === `--name=demo_${service}_1`) ?? [];
  const has = (argv: string[], ...part: string[]) => `\t${argv.join("\t")}\t`.includes(`\t${part.join("\t")}\t`);

  it("builds the image of the same base", () => {
    const build = asked.find(([verb]) => verb === "build") ?? [];
    expect(has(build, "-t", "namewell")).toBe(true);
    expect(build).toContain("NODE_SLIM_IMAGE=docker.io/library/node:24-bookworm-slim");
  });

  it("runs the server confined, with the volume to write to", () => {
    const run = runOf("dns-cache");
    expect(run.at(-1)).toBe("namewell");
    expect(has(run, "--read-only")).toBe(true);
    expect(has(run, "--cap-drop", "ALL")).toBe(true);
    expect(has(run, "--security-opt", "no-new-privileges:true")).toBe(true);
    expect(has(run, "-v", "demo_dns_cache:/dns_cache")).toBe(true);
    expect(has(run, "--tmpfs", "/run")).toBe(true);
  });

  it("gives both PHPs the library and the volume, read-only, after the server", () => {
    const order = asked.filter(([verb]) => verb === "run").map(([, name]) => name);
    expect(order[0]).toBe("--name=demo_dns-cache_1");
    for (const service of ["php", "php-alpine"]) {
      expect(has(runOf(service), "-e", "LD_PRELOAD=/dns_cache/client.so")).toBe(true);
      expect(has(runOf(service), "-v", "demo_dns_cache:/dns_cache:ro")).toBe(true);
    }
  });

  it("names images that podman finds without a list of registries to search", () => {
    const images = ["php", "php-alpine", "nginx"].map((service) => runOf(service).at(-1));
    for (const image of images) expect(image).toMatch(/^docker\.io\/library\//);
  });
});
