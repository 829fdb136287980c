// `npm install -g` of the package as it is packed, where no compiler is, and the command that it gives under each Node that
// it is for: from the oldest that package.json names to the newest that the image has.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeOf, pack, registryMissing } from "../support/npmPackage.ts";
import { CLIENT_ARM64, toolMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ZONE_MODULE = path.join(ROOT, "test/support/zoneUpstream.ts");
const ZONE = JSON.stringify({ "www.example": { A: ["192.0.2.7"] } });
const NODES = ["20.0.0", "20.20.2", "22.23.5", "24.22.3"];
/** Of a machine that has Node and a shell, and no compiler and no make. */
const COMMANDS = ["sh", "env", "cat", "rm"];

const tools = toolMissing("npm", "npm") ?? toolMissing("tar", "tar") ?? toolMissing("curl", "curl");
const missing = tools ?? sandboxMissing() ?? registryMissing();

it("names the oldest Node that is tested", () => {
  const { engines } = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8"));
  const oldest = (NODES[0] as string).replace(/(\.0)+$/, "");
  expect(engines.node).toBe(`>=${oldest}`);
});

describe.skipIf(missing)(`npm install -g${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let directory: string;
  let prefix: string;
  let box: Sandbox;

  function pathWith(node: string): string {
    const folder = fs.mkdtempSync(path.join(directory, "path-"));
    fs.symlinkSync(node, path.join(folder, "node"));
    for (const command of COMMANDS) {
      const { stdout } = spawnSync("sh", ["-c", `command -v ${command}`], { encoding: "utf8" });
      fs.symlinkSync(stdout.trim(), path.join(folder, command));
    }
    return folder;
  }

  beforeAll(async () => {
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-nodes-"));
    prefix = path.join(directory, "prefix");
    const npm = fs.realpathSync(spawnSync("sh", ["-c", "command -v npm"], { encoding: "utf8" }).stdout.trim());
    const args = ["install", "--global", `--prefix=${prefix}`, "--prefer-offline", "--no-audit", "--no-fund"];
    const env = { ...process.env, PATH: pathWith(process.execPath) };
    const options = { cwd: directory, env, encoding: "utf8" } as const;
    const { status, stderr } = spawnSync(process.execPath, [npm, ...args, pack(directory)], options);
    expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
    box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
    await box.startModule(ZONE_MODULE, ["192.0.2.200", ZONE], { ready: /ready/ });
  });
  afterAll(async () => {
    await box?.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  const isBuilt = fs.existsSync(CLIENT_ARM64) || process.env.CI === "true";
  it.skipIf(!isBuilt)(
    `gives the command, and client.so for both architectures${isBuilt ? "" : " (skipped: not built here)"}`,
    () => {
      expect(fs.readdirSync(path.join(prefix, "bin"))).toEqual(["namewell"]);
      const dist = path.join(prefix, "lib/node_modules/namewell/dist");
      const machines = ["client-x64.so", "client-arm64.so"].map((name) =>
        fs.readFileSync(path.join(dist, name)).readUInt16LE(18),
      );
      expect(machines).toEqual([62, 183]); // EM_X86_64, EM_AARCH64
    },
  );

  it.each(NODES)("serves a program under Node %s, and says so", async (version) => {
    const shared = path.join(directory, version);
    const env = { PATH: pathWith(nodeOf(version)), DNS_CACHE_DIR: shared };
    const command = path.join(prefix, "bin/namewell");
    expect(await box.run([command, "--version"], { env })).toMatchObject({ code: 0, stderr: "" });

    const server = await box.start([command, "serve"], { env, ready: /Serving numbers and health on http/ });
    try {
      const LD_PRELOAD = path.join(shared, "client.so");
      const explained = { LD_PRELOAD, DNS_CACHE_EXPLAIN: "1" };
      const looked = ["getent", "ahostsv4", "www.example"];
      await box.run(looked, { env: explained });
      const { code, stdout, stderr } = await box.run(looked, { env: explained });
      expect({ code, stdout: stdout.split(" ")[0] }).toEqual({ code: 0, stdout: "192.0.2.7" });
      expect(stderr).toMatch(/table/);
      expect(await box.run([command, "status"], { env })).toMatchObject({ code: 0, stderr: "" });
      const { stdout: metrics } = await box.run(["curl", "-s", "http://127.0.0.1:9953/metrics"]);
      expect(metrics).toContain(`node="${version}"`);
    } finally {
      expect((await server.stop()).stderr).toBe("");
    }
  });
});
