// The README's commands, as they stand there: each sh block is run by somebody, and a new one fails here until it is.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { startUpstream } from "../../demo/upstream.ts";
import { EXAMPLE_ZONE } from "../../demo/zone.ts";
import { toolMissing } from "../support/programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = fs.readFileSync(path.join(root, "README.md"), "utf8");
const blocks = [...readme.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = ""]) => block);
const [demo = "", fromSource = "", ask = "", compose = "", install = ""] = blocks;

const missing = toolMissing("python3", "python3") ?? toolMissing("nc", "netcat-openbsd");

/** In the checkout itself, as a user does; with the example DNS server in the place of the machine's. */
async function runAsWritten(script: string): Promise<{ status: number | null; output: string }> {
  const upstream = await startUpstream({ zone: EXAMPLE_ZONE });
  try {
    const env = { ...process.env, DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`, DNS_CACHE_HTTP: "off" };
    const child = spawn("bash", ["-c", script], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
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
    expect(blocks.map((block) => block.split("\n")[0]?.replace(/ gcc .*/, ""))).toEqual([
      "npm run demo",
      "npm run build",
      "echo google.com | nc -U -N build/dns_cache/dns.sock",
      "docker compose build && docker compose up",
      "apt-get install -y --no-install-recommends",
    ]);
  });

  it("show it at work: npm run demo", () => {
    const { status, stdout } = spawnSync("bash", ["-c", demo], { cwd: root, encoding: "utf8" });
    expect([status, stdout.trimEnd().split("\n").at(-1)]).toEqual([0, "All of this is as it should be."]);
  });

  it.skipIf(missing)("start it from source, and ask it", async () => {
    const script = `trap 'kill $server' EXIT\nset -e\n${fromSource.replace("&\n", "&\nserver=$!\n")}\n${ask}`;
    const { status, output } = await runAsWritten(script);
    expect(status).toBe(0);
    for (const line of ["Got message: 'google.com'", "Cache warmup google.com", "Cache hit google.com"]) {
      expect(output).toContain(line);
    }
    const address = EXAMPLE_ZONE["google.com"]?.A?.[0] as string;
    expect({ times: output.split(address).length - 1, output }).toMatchObject({ times: 6 });
  });

  it("bring the compose demo up in test:containers, and install what CI needs in .ci/run", () => {
    const containers = fs.readFileSync(path.join(root, "test/containers/demo.ts"), "utf8");
    const ci = fs.readFileSync(path.join(root, ".ci/run"), "utf8");
    expect(compose).toBe("docker compose build && docker compose up\ncurl http://localhost:80\n");
    for (const part of ['["build"]', '"up"', "http://localhost:80"]) expect(containers).toContain(part);
    expect(install.startsWith("apt-get install ")).toBe(true);
    expect(ci).toContain("s/^apt-get install /");
  });
});
