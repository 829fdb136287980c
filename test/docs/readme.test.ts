// The README's commands, as they stand there: each sh block is run by somebody, and a new one fails here until it is.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startUpstream } from "../../demo/upstream.ts";
import { EXAMPLE_ZONE } from "../../demo/zone.ts";
import { toolMissing } from "../support/programs.ts";
import { README_BLOCKS, wayOf } from "../support/readme.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const missing = toolMissing("python3", "python3") ?? toolMissing("nc", "netcat-openbsd");
/** What `npm run build` makes, and what of it a build needs not make again. */
const MADE = ["node_modules", "dist", "build"];
const OTHERS_OF_BUILD = ["containers", "nodes", "test", "dns_cache"];

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(root, "build", "readme-")); // where links to what is built can be made
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

/** A checkout of its own, which may be taken away. */
function checkout(): string {
  const copied = fs.readdirSync(root).filter((name) => ![".git", ...MADE].includes(name));
  const run = (command: string, ...args: string[]) =>
    expect(spawnSync(command, args, { cwd: root, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
  run("cp", "-a", ...copied, directory);
  run("cp", "-al", "node_modules", "dist", directory);
  const build = path.join(directory, "build");
  fs.mkdirSync(build);
  const kept = fs.readdirSync("build").filter((name) => !/^readme-/.test(name) && !OTHERS_OF_BUILD.includes(name));
  for (const name of kept) run("cp", "-al", path.join("build", name), build);
  return directory;
}

const filesOf = (folder: string) =>
  fs
    .readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !MADE.includes(name.split("/")[0] ?? ""));

/** With the example DNS server in the place of the machine's. Ends when no process is left that could write. */
async function runAsWritten(script: string, cwd: string): Promise<{ status: number | null; output: string }> {
  const upstream = await startUpstream({ zone: EXAMPLE_ZONE });
  try {
    const env = { ...process.env, DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`, DNS_CACHE_HTTP: "off" };
    const child = spawn("bash", ["-c", script], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (text) => (output += text));
    child.stderr.on("data", (text) => (output += text));
    const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
    return { status, output };
  } finally {
    await upstream.close();
  }
}

describe("the README's commands", () => {
  it("are these, each of which somebody runs", () => {
    expect(README_BLOCKS.map((block) => block.split("\n")[0]?.replace(/ gcc .*/, ""))).toEqual([
      "npm run build",
      "npm install -g ./namewell-*.tgz", // test/deploy/npm.test.ts, and the next
      'cd "$(npm root -g)/namewell/deploy/systemd"',
      "docker compose build && docker compose up -d", // test/containers/demo.test.ts
      "apt-get install -y --no-install-recommends", // .ci/run
    ]);
  });

  it("show it at work: npm run demo", () => {
    const { status, stdout } = spawnSync("npm", ["run", "demo"], { cwd: root, encoding: "utf8" });
    expect([status, stdout.trimEnd().split("\n").at(-1)]).toEqual([0, "All of this is as it should be."]);
  });

  it("show it where no program is but Node, and what a shell needs", () => {
    const folder = fs.mkdtempSync(path.join(tmpdir(), "namewell-path-"));
    try {
      fs.symlinkSync(process.execPath, path.join(folder, "node"));
      fs.symlinkSync("/bin/true", path.join(folder, "true"));
      const options = { env: { PATH: folder }, cwd: root, encoding: "utf8" } as const;
      const { status, stdout } = spawnSync(process.execPath, ["dist/demo.js"], options);
      expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining("a running Node program") });
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  it.skipIf(missing)("start it from source, ask it, and take it away again", async () => {
    const { commands, removal } = wayOf("From source");
    const folder = checkout();
    const before = filesOf(folder);
    const { status, output } = await runAsWritten(
      `trap 'kill $!' EXIT\nset -e\n${commands}\ntrap EXIT\n${removal}`,
      folder,
    );
    expect({ status, output: status === 0 ? "" : output }).toEqual({ status: 0, output: "" });
    for (const line of ["Got message: 'google.com'", "Cache warmup google.com", "Cache hit google.com"]) {
      expect(output).toContain(line);
    }
    const address = EXAMPLE_ZONE["google.com"]?.A?.[0] as string;
    const told = output.split("\n").filter((line) => line === address);
    expect({ times: told.length, output }).toMatchObject({ times: 6 });
    expect(output).toMatch(/ok +google\.com is in the table/);
    expect(output).toMatch(/^All is fine/m);
    expect(fs.readdirSync(folder).filter((name) => MADE.includes(name))).toEqual([]);
    expect(filesOf(folder)).toEqual(before);
  });

  it("install what CI needs", () => {
    const ci = fs.readFileSync(path.join(root, ".ci/run"), "utf8");
    expect(README_BLOCKS.at(-1)).toMatch(/^apt-get install /);
    expect(ci).toContain("s/^apt-get install /");
  });
});
