// A trap in the Wasm module: its table is not to be trusted any more, so the server ends, and libc answers.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { main as asc } from "assemblyscript/asc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream } from "../../demo/upstream.ts";
import { buildProgram } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const NAMESERVER = "192.0.2.200";
const NAME = "a.example";
const FROM_UPSTREAM = "198.51.100.1";
const FROM_LIBC = "203.0.113.1";

const FIRST_LINE = "  open(messageBytes);\n";

/** The built server beside a module that is the real one but for `read`, which traps. */
async function buildTrapping(directory: string): Promise<string> {
  fs.cpSync(path.join(ROOT, "assembly"), path.join(directory, "assembly"), { recursive: true });
  fs.cpSync(path.join(ROOT, "dist"), path.join(directory, "dist"), { recursive: true });
  fs.symlinkSync(path.join(ROOT, "node_modules"), path.join(directory, "node_modules"));
  const parser = path.join(directory, "assembly/message.ts");
  const text = fs.readFileSync(parser, "utf8");
  expect(text.split(FIRST_LINE)).toHaveLength(2);
  fs.writeFileSync(parser, text.replace(FIRST_LINE, `  unreachable();\n${FIRST_LINE}`));
  const config = ["--config", path.join(ROOT, "asconfig.json"), "--target", "release", "--optimizeLevel", "0"];
  const files = ["--baseDir", directory, "--outFile", "dist/namewell.wasm"];
  const { error, stderr } = await asc(["assembly/index.ts", ...config, ...files]);
  if (error) throw new Error(stderr.toString(), { cause: error });
  return path.join(directory, "dist/server.js");
}

describe.skipIf(sandboxMissing())("a trap in the Wasm module", () => {
  let directory: string;
  let upstream: Upstream;
  let server: ServerProcess;
  let box: Sandbox;

  beforeEach(async () => {
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    fs.chmodSync(directory, 0o755);
    fs.mkdirSync(path.join(directory, "shared"));
    upstream = await startUpstream({ zone: { [NAME]: { A: [FROM_UPSTREAM] } } });
    box = await sandbox({ resolvConf: `nameserver ${NAMESERVER}\n` });
    const zone = JSON.stringify({ [NAME]: { A: [FROM_LIBC] } });
    await box.startModule(ZONE_MODULE, [NAMESERVER, zone], { ready: /ready/ });
  });
  afterEach(async () => {
    await box.close();
    await server.stopped("SIGKILL");
    await upstream.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  function start(file?: string): void {
    const upstreams = `127.0.0.1:${upstream.port}`;
    server = startServer({ DNS_CACHE_DIR: path.join(directory, "shared"), DNS_CACHE_UPSTREAMS: upstreams }, file);
  }
  async function addressOf(name: string): Promise<string> {
    const env = { LD_PRELOAD: path.join(directory, "shared/client.so") };
    const command = [buildProgram("test/whole/address.c", "glibc"), "getaddrinfo", name];
    return (await box.run(command, { env })).stdout.trim();
  }

  it("ends the server with a fatal line, and the program has libc's answer", async () => {
    start(await buildTrapping(directory));
    await server.seen("Listening");
    expect(await addressOf(NAME)).toBe(FROM_LIBC);
    expect(upstream.count(NAME, "A")).toBeGreaterThan(0); // it was the reply that was its end
    expect(await server.stopped()).not.toBe(0);
    const fatal = server.log.filter(({ level }) => level === 60);
    expect(fatal).toMatchObject([{ err: { type: "RuntimeError", message: "unreachable" } }]);
    expect(await addressOf(NAME)).toBe(FROM_LIBC);

    start(); // as whoever supervises the server does
    await server.seen("Listening");
    expect(await addressOf(NAME)).toBe(FROM_UPSTREAM);
  });
});
