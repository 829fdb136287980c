// Real programs, in a sandbox whose own nameserver is dead or gives other addresses, with the built client.so and server.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLIENTS, isInstalled } from "../../demo/clients.ts";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream } from "../../demo/upstream.ts";
import { EXAMPLE_ZONE } from "../../demo/zone.ts";
import { buildProgram, muslMissing } from "../support/programs.ts";
import { otherUsersMissing, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

interface Program {
  readonly title: string;
  command(name: string): string[];
}

const EXAMPLE_UPSTREAM = fileURLToPath(new URL("../../demo/exampleUpstream.ts", import.meta.url));
const CACHED_ADDRESS = "198.51.100.7"; // only the cache's upstream gives it
const LIBC_ADDRESS = EXAMPLE_ZONE["google.com"]?.A?.[0]; // only the sandbox's own nameserver gives it, where it has one
const NAME = "google.com";

const PYTHON_BY_NAME = "import socket,sys;print(socket.gethostbyname(sys.argv[1]))";
const PHP_BY_NAME = "$a=gethostbyname($argv[1]);if($a===$argv[1])exit(2);echo $a,PHP_EOL;";
const REQUIRED = ["getent", "python3", "php", "perl"]; // what the README installs; the rest is run where it is found
const ALL_PROGRAMS: Program[] = [
  ...CLIENTS.map(({ title, program, arguments: args }) => ({
    title,
    command: (name: string) => [program, ...args(name)],
  })),
  { title: "Python gethostbyname", command: (name: string) => ["python3", "-c", PYTHON_BY_NAME, name] },
  { title: "PHP gethostbyname", command: (name: string) => ["php", "-r", PHP_BY_NAME, name] },
  { title: "getent hosts", command: (name: string) => ["getent", "hosts", name] },
];
const PROGRAMS = ALL_PROGRAMS.filter(({ command }) => {
  const program = command("")[0] as string;
  return isInstalled(program) || (process.env.CI === "true" && REQUIRED.includes(program));
});
for (const libc of ["glibc", "musl"] as const) {
  if (libc === "musl" && muslMissing() !== undefined) continue;
  for (const call of ["getaddrinfo", "gethostbyname"]) {
    const program = buildProgram("test/whole/address.c", libc);
    PROGRAMS.push({ title: `a ${libc} program, ${call}`, command: (name) => [program, call, name] });
  }
}

let directory: string;
let box: Sandbox;
let upstream: Upstream;
let server: ServerProcess;

const socketPath = () => path.join(directory, "dns.sock");
const preload = () => ({ LD_PRELOAD: path.join(directory, "client.so"), HOME: process.env.HOME ?? "/" });

async function run(program: Program, name: string, env: Record<string, string>, uid?: number) {
  const result = await box.run(program.command(name), { env, ...(uid !== undefined && { uid }) });
  const first = result.code === 0 ? result.stdout.split(/\s/, 1)[0] : undefined;
  return { code: result.code, signal: result.signal, address: first, stderr: result.stderr };
}

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  fs.chmodSync(directory, 0o755);
  upstream = await startUpstream({ zone: { [NAME]: { ttl: 300, A: [CACHED_ADDRESS] } } });
  const upstreams = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`, DNS_CACHE_DENIALS: "final" };
  server = startServer({ DNS_CACHE_DIR: directory, ...upstreams });
  await server.seen("Listening");
});
afterEach(async () => {
  await box.close();
  await server.stopped("SIGTERM");
  await upstream.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

describe.skipIf(sandboxMissing())(`programs (${muslMissing() ?? "glibc and musl"})`, { timeout: 300_000 }, () => {
  it("resolve through the cache while the container's own nameserver is dead: five rounds, one question", async () => {
    box = await sandbox({ resolvConf: "nameserver 127.0.0.9\n" });
    for (let round = 0; round < 5; round++) {
      for (const program of PROGRAMS) {
        expect({ program: program.title, ...(await run(program, NAME, preload())) }).toMatchObject({
          program: program.title,
          code: 0,
          address: CACHED_ADDRESS,
        });
      }
    }
    expect(upstream.count(NAME, "A")).toBe(1);
    expect(upstream.count(NAME, "AAAA")).toBeLessThanOrEqual(1);
  });

  it("fail for a name that does not exist as they fail without the cache", async () => {
    box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
    await box.startModule(EXAMPLE_UPSTREAM, ["53", "192.0.2.200"], { ready: /example upstream/ });
    for (const program of PROGRAMS) {
      const without = await run(program, "none.example", {});
      expect(without.code).not.toBe(0);
      const { address: _, ...fields } = await run(program, "none.example", preload());
      expect({ program: program.title, ...fields }).toMatchObject({ code: without.code, signal: without.signal });
    }
    expect(upstream.count("none.example", "A")).toBe(2); // in small letters too: nothing was known of the server
  });

  describe("get libc's answer", () => {
    beforeEach(async () => {
      box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
      await box.startModule(EXAMPLE_UPSTREAM, ["53", "192.0.2.200"], { ready: /example upstream/ });
    });
    const expectLibc = async (env: Record<string, string> = preload(), uid?: number) => {
      for (const program of PROGRAMS) {
        const got = await run(program, NAME, env, uid);
        const isFirst = program.title === "getent hosts" ? EXAMPLE_ZONE[NAME]?.AAAA?.[0] : LIBC_ADDRESS;
        expect({ program: program.title, ...got }).toMatchObject({ program: program.title, code: 0, address: isFirst });
      }
      expect(upstream.asked).toEqual([]);
    };

    it("when dns.sock is gone", async () => {
      fs.rmSync(socketPath());
      await expectLibc();
    });
    it("when the server was killed", async () => {
      await server.stopped("SIGKILL");
      await expectLibc();
    });
    it("when dns.sock is not permitted to them", async ({ skip }) => {
      const reason = otherUsersMissing();
      if (reason) skip(reason);
      fs.chmodSync(socketPath(), 0o600);
      await expectLibc({ ...preload(), HOME: "/" }, 65534);
    });
    it("when the server hangs", async () => {
      process.kill(server.pid, "SIGSTOP");
      for (const program of PROGRAMS.filter(({ title }) => /getent ahostsv4|a (glibc|musl) program/.test(title))) {
        expect(await run(program, NAME, preload())).toMatchObject({ code: 0, address: LIBC_ADDRESS });
      }
      process.kill(server.pid, "SIGCONT");
    });
    it("when it is told DNS_CACHE_OFF=1, or the name is under DNS_CACHE_BYPASS", async () => {
      await expectLibc({ ...preload(), DNS_CACHE_OFF: "1" });
      await expectLibc({ ...preload(), DNS_CACHE_BYPASS: "example.org,COM" });
    });
  });
});
