// compose.yaml, on a real engine: nginx in front, PHP on glibc and on musl behind it, the cache beside them.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { emulated, emulationMissing } from "../support/emulated.ts";
import type { Page } from "../support/page.ts";
import { buildProgram } from "../support/programs.ts";
import { blocksOf } from "../support/readme.ts";
import { sandbox } from "../support/sandbox.ts";
import { answersFrom, scriptedServer } from "../support/scriptedServer.ts";
import { CACHE_PREFIX, type Demo, LIBC_PREFIX, NAMES, startDemo } from "./demo.ts";
import { containersMissing } from "./missing.ts";

const ROUNDS = 20;
const missing = await containersMissing();
const notEmulated = emulationMissing();
if (missing !== undefined) console.warn(`The container tests are skipped: ${missing}`);

const PHPS = [
  { path: "/debian", service: "php", libc: "glibc" },
  { path: "/alpine", service: "php-alpine", libc: "musl" },
];

function addressFrom(prefix: string, name: string): string {
  return `${prefix}${NAMES.indexOf(name) + 1}`;
}

function expectAnswered(pages: Page[], prefixes: string[]): void {
  for (const page of pages) {
    expect(page).toMatchObject({ status: 200, client: "with" });
    expect(prefixes.map((prefix) => addressFrom(prefix, page.name))).toContain(page.address);
  }
}

describe.skipIf(missing)(`compose demo${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let demo: Demo;
  let firstPage: string;
  const workersAtFirst = new Map<string, string[]>();

  beforeAll(async () => {
    demo = await startDemo();
    firstPage = await demo.askAsWritten();
    for (const { service } of PHPS) workersAtFirst.set(service, await demo.workers(service));
  });
  afterAll(() => demo?.remove());

  async function expectSameWorkers(): Promise<void> {
    for (const { service } of PHPS) expect(await demo.workers(service)).toEqual(workersAtFirst.get(service));
  }

  it("comes up as the README says, and the doctor says that a program is served", async () => {
    expect(firstPage).toMatch(/ has address 192\.0\.2\.\d\n.*, with client\.so\n$/);
    await expect.poll(() => demo.diagnoseAsWritten(), { timeout: 60_000 }).toMatch(/^All is fine/m);
  });

  it.each(PHPS)("serves $path by PHP on $libc, with addresses that only the cache's upstream knows", async (php) => {
    const pages = await getMany(php.path);
    expectAnswered(pages, [CACHE_PREFIX]);
    expect(new Set(pages.map((page) => page.name))).toEqual(new Set(NAMES));
    expect(new Set(pages.map((page) => page.libc))).toEqual(new Set([php.libc]));
  });

  it("reaches both PHPs at /", async () => {
    const pages = await getMany("/");
    expectAnswered(pages, [CACHE_PREFIX]);
    expect(new Set(pages.map((page) => page.libc))).toEqual(new Set(["glibc", "musl"]));
  });

  it("asks upstream about once per name for all workers of all containers", () => {
    for (const name of NAMES) {
      expect(demo.asked("cache", name, "A")).toBeGreaterThanOrEqual(1);
      expect(demo.asked("cache", name, "A")).toBeLessThanOrEqual(2); // a lost packet is asked again
      expect(demo.asked("libc", name, "A")).toBe(0);
    }
  });

  it("logs the message, the warm-up and the hit of each name", async () => {
    const log = () => demo.compose("logs", "dns-cache");
    for (const name of NAMES) {
      expect(await log()).toContain(`Got message: '${name}'`);
      expect(await log()).toContain(`Cache warmup ${name}`);
    }
    // The workers' own hits are told of with one that comes a second later.
    const hits = async () => {
      await getMany("/");
      const said = await log();
      return NAMES.filter((name) => said.includes(`Cache hit ${name}`));
    };
    await expect.poll(hits, { timeout: 60_000, interval: 500 }).toEqual(NAMES);
  });

  it("tells libc's answer from the cache's: without the preload the same PHP gets the other address", async () => {
    expect(await lookUp("-e", "LD_PRELOAD=")).toBe(addressFrom(LIBC_PREFIX, "google.com"));
    expect(await lookUp()).toBe(addressFrom(CACHE_PREFIX, "google.com"));
  });

  it.each(PHPS)("keeps PHP on $libc from writing in the shared directory", async ({ service }) => {
    for (const write of ["touch /dns_cache/x", "echo x > /dns_cache/client.so", "rm /dns_cache/dns.sock"]) {
      await expect(demo.compose("exec", "-T", service, "sh", "-c", write)).rejects.toThrow(/Read-only file system/);
    }
  });

  it("runs the server without root, capabilities or a writable root", async () => {
    const look = `const status = fs.readFileSync("/proc/1/status", "utf8");
      console.log(status.match(/^(Uid|Gid|Cap...|NoNewPrivs):.*/gm).join("\\n"));
      try { fs.writeFileSync("/namewell/x", ""); } catch ({ code }) { console.log(code); }`;
    const seen = await demo.compose("exec", "-T", "dns-cache", "node", "-e", look);
    const none = "\t0000000000000000";
    expect(seen.trim().split("\n")).toEqual([
      "Uid:\t1000\t1000\t1000\t1000",
      "Gid:\t1000\t1000\t1000\t1000",
      ...["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((set) => `${set}:${none}`),
      "NoNewPrivs:\t1",
      "EROFS",
    ]);
  });

  it("has control.sock where no other container has it", async () => {
    const look = 'console.log(fs.existsSync("/dns_cache/dns.sock"), fs.existsSync("/dns_cache/control.sock"))';
    expect(await demo.compose("exec", "-T", "dns-cache", "node", "-e", look)).toBe("true false\n");
    expect(await demo.compose("exec", "-T", "dns-cache", "node", "dist/namewell.js", "log-level")).toBe("debug\n");
  });

  it("holds client.so for both architectures, and has installed that of its own", async () => {
    const look = `const fs = require("node:fs");
      const machines = fs.readdirSync("dist").filter((name) => name.endsWith(".so"))
        .map((name) => name + " " + fs.readFileSync("dist/" + name).readUInt16LE(18));
      const [own, installed] = ["dist/client-" + process.arch + ".so", "/dns_cache/client.so"].map((name) => fs.readFileSync(name));
      console.log([...machines, own.equals(installed)].join("\\n"));`;
    const seen = await demo.compose("exec", "-T", "dns-cache", "node", "-e", look);
    expect(seen.trim().split("\n")).toEqual(["client-arm64.so 183", "client-x64.so 62", "true"]); // EM_AARCH64, EM_X86_64
  });

  it.skipIf(notEmulated)(
    `holds one for arm64 that serves there${notEmulated ? ` (skipped: ${notEmulated})` : ""}`,
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "namewell-image-"));
      const box = await sandbox({ addresses: ["192.0.2.200/24"], resolvConf: "nameserver 192.0.2.200\n" });
      const server = await scriptedServer(answersFrom({ "asked.example": { a: ["192.0.2.7"] } }));
      try {
        const client = join(directory, "client.so");
        const cache = (await demo.compose("ps", "--quiet", "dns-cache")).trim();
        await demo.docker("cp", `${cache}:/namewell/dist/client-arm64.so`, client);
        const program = emulated(buildProgram("test/shim/lookup.c", "arm64"), client);
        const options = { env: { DNS_CACHE_DIR: server.directory }, input: "gethostbyname asked.example\n" };
        const { code, stdout, stderr } = await box.run(program, options);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(stdout).toContain("address 192.0.2.7");
      } finally {
        await server.close();
        await box.close();
        rmSync(directory, { recursive: true });
      }
    },
  );

  it("is healthy by the doctor's word, and starts no Node for it", async () => {
    const cache = (await demo.compose("ps", "--quiet", "dns-cache")).trim();
    const { Healthcheck, State } = JSON.parse(
      await demo.docker(
        "inspect",
        "-f",
        '{"Healthcheck":{{json .Config.Healthcheck}},"State":{{json .State.Health}}}',
        cache,
      ),
    );
    expect(Healthcheck.Test).toEqual(["CMD", "/namewell/dist/doctor", "--alive"]);
    expect(State.Status).toBe("healthy");
    expect(State.Log.at(-1)).toMatchObject({ ExitCode: 0, Output: "" });
  });

  it("disturbs no worker when the server restarts", async () => {
    const pages = await demo.getWhile("/", async () => {
      await demo.compose("restart", "dns-cache");
      await demo.healthy();
    });
    expectAnswered(pages, [CACHE_PREFIX, LIBC_PREFIX]);
    await expectSameWorkers();
    expectAnswered(await getMany("/"), [CACHE_PREFIX]);
  });

  it("disturbs no worker when another version of the server installs another client.so", async () => {
    const before = await clientFile();
    await demo.docker("build", "--tag", "namewell", join(import.meta.dirname, "another"));
    const pages = await demo.getWhile("/", () => demo.renewCache());
    expectAnswered(pages, [CACHE_PREFIX, LIBC_PREFIX]);
    expect(await clientFile()).not.toBe(before);
    await expectSameWorkers();
    expectAnswered(await getMany("/"), [CACHE_PREFIX]);
    expect(await lookUp()).toBe(addressFrom(CACHE_PREFIX, "google.com")); // by a process that loads the other one
  });

  it("asks Docker's own nameserver where no upstreams are given", async () => {
    await demo.renewCache({ upstreams: undefined });
    expectAnswered(await getMany("/"), [LIBC_PREFIX]);
    const log = await demo.compose("logs", "dns-cache"); // the new container's only
    expect(log).toContain('127.0.0.11:53"');
    expect(log).toContain("Cache warmup google.com");
  });

  it("serves without compose as docs/image.md says, and is taken away as it says", async () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/image.md"), "utf8");
    const blocks = blocksOf(page);
    const run = blocks.find((block) => block.includes("docker run -d --name app")) ?? "false";
    const removal = blocks.find((block) => block.startsWith("docker rm -f app")) ?? "false";
    for (const [image, name] of [
      ["namewell-standin/php", "my-application"],
      ["namewell", "kept"],
    ] as const) {
      await demo.docker("tag", image, name);
    }
    const there = "docker run -d --dns 10.231.7.1"; // override.yaml's
    const said = await demo.typed(run.replaceAll("docker run -d", there).replace("example.com", "google.com"));
    expect(said).toMatch(/^All is fine/m);
    await demo.typed(removal);
    expect(await demo.docker("ps", "--all", "--quiet", "--filter", "name=^(app|dns-cache)$")).toBe("");
    expect(await demo.docker("volume", "ls", "--quiet", "--filter", "name=^dns_cache$")).toBe("");
    expect(await demo.docker("image", "ls", "--quiet", "namewell")).toBe("");
    await demo.docker("tag", "kept", "namewell");
    await demo.docker("rmi", "kept", "my-application");
  });

  it("is taken away as the README says, and nothing of it is left", async () => {
    await demo.takeAway();
    const left = async (...args: string[]) => (await demo.docker(...args)).trim().split("\n").filter(Boolean);
    expect(await left("ps", "--all", "--quiet")).toEqual([]);
    expect(await left("volume", "ls", "--quiet")).toEqual([]);
    expect((await left("network", "ls", "--format", "{{.Name}}")).sort()).toEqual(["bridge", "host", "none"]);
    // The base images stand in for what a build fetches into its cache; those without a name are of the other version.
    const images = await left("image", "ls", "--filter", "dangling=false", "--format", "{{.Repository}}");
    expect(images.filter((name) => !name.startsWith("namewell-standin/node"))).toEqual([]);
    expect(await left("system", "df", "--format", "{{.Type}} {{.TotalCount}}")).toContain("Build Cache 0");
  });

  async function getMany(path: string): Promise<Page[]> {
    const pages: Page[] = [];
    for (let round = 0; round < ROUNDS; round++) pages.push(await demo.get(path));
    return pages;
  }

  /** What a PHP started for it finds; the options are `exec`'s. */
  function lookUp(...options: string[]): Promise<string> {
    return demo.compose("exec", "-T", ...options, "php", "php", "-r", "echo gethostbyname('google.com');");
  }

  /** Inode and size. */
  async function clientFile(): Promise<string> {
    return (await demo.compose("exec", "-T", "php", "stat", "-c", "%i %s", "/dns_cache/client.so")).trim();
  }
});
