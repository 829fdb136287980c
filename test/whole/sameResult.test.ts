// What real programs make of a name is the same with the preload as without: the sandbox's own nameserver has the zone
// that the cache's upstream has. Each program has names of its own, so that the upstream's count tells of each.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type Zone } from "../../demo/upstream.ts";
import { phpFpmMissing, startPhpFpm } from "../support/phpFpm.ts";
import { toolMissing } from "../support/programs.ts";
import { type Running, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const support = (name: string) => path.join(import.meta.dirname, "../support", name);
const language = (name: string) => path.join(import.meta.dirname, "languages", name);

const NAMESERVER = "192.0.2.200";
const ADDRESSES = {
  www: ["198.51.100.7", "2001:db8::7"],
  hosts: ["198.51.100.8", "2001:db8::8"], // with one family there, glibc asks its nameserver for the other
  six: ["2001:db8::6"],
} as const;
const HTTP_PORT = "80"; // where an answer tells the address that it came from; nobody listens on other ports
const KINDS = ["www", "alias", "none", "six", "hosts"] as const;

interface Program {
  readonly title: string;
  readonly tool: string;
  readonly debianPackage: string;
  command(name: string): string[];
}

let directory: string;
const SSH = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"];
const PROGRAMS: Program[] = [
  {
    title: "getent hosts",
    tool: "getent",
    debianPackage: "libc-bin",
    command: (name) => ["getent", "hosts", name],
  },
  {
    title: "getent ahosts",
    tool: "getent",
    debianPackage: "libc-bin",
    command: (name) => ["getent", "ahosts", name],
  },
  {
    title: "getent ahostsv4",
    tool: "getent",
    debianPackage: "libc-bin",
    command: (name) => ["getent", "ahostsv4", name],
  },
  {
    title: "getent ahostsv6",
    tool: "getent",
    debianPackage: "libc-bin",
    command: (name) => ["getent", "ahostsv6", name],
  },
  {
    title: "Python",
    tool: "python3",
    debianPackage: "python3",
    command: (name) => ["python3", language("look.py"), name],
  },
  { title: "Perl", tool: "perl", debianPackage: "perl", command: (name) => ["perl", language("look.pl"), name] },
  { title: "Ruby", tool: "ruby", debianPackage: "ruby", command: (name) => ["ruby", language("look.rb"), name] },
  { title: "PHP", tool: "php", debianPackage: "php-cli", command: (name) => ["php", language("look.php"), name] },
  {
    title: "Node",
    tool: process.execPath,
    debianPackage: "nodejs",
    command: (name) => [process.execPath, language("look.mjs"), name],
  },
  {
    title: "Java",
    tool: "javac",
    debianPackage: "default-jdk-headless",
    command: (name) => ["java", "-cp", directory, "Look", name],
  },
  { title: "curl", tool: "curl", debianPackage: "curl", command: (name) => ["curl", "-sS", `http://${name}/`] },
  {
    title: "wget",
    tool: "wget",
    debianPackage: "wget",
    command: (name) => ["wget", "--tries=1", "-O", "-", `http://${name}/`],
  },
  {
    title: "git over HTTP",
    tool: "git",
    debianPackage: "git",
    command: (name) => ["git", "ls-remote", `http://${name}/a.git`],
  },
  {
    title: "git over its own protocol",
    tool: "git",
    debianPackage: "git",
    command: (name) => ["git", "ls-remote", `git://${name}/a.git`],
  },
  { title: "ssh", tool: "ssh", debianPackage: "openssh-client", command: (name) => [...SSH, name, "true"] },
  {
    title: "psql",
    tool: "psql",
    debianPackage: "postgresql-client",
    command: (name) => ["psql", `host=${name} user=u dbname=d`, "-c", "select 1"],
  },
];
const FPM = "PHP-FPM";

const nameOf = (kind: string, title: string) => `${kind}.${title.toLowerCase().replaceAll(" ", "-")}.example`;
const TITLES = [...PROGRAMS.map(({ title }) => title), FPM];
const ZONE: Zone = Object.fromEntries(
  TITLES.flatMap((title) => [
    [nameOf("www", title), { ttl: 600, A: [ADDRESSES.www[0]], AAAA: [ADDRESSES.www[1]] }],
    [nameOf("alias", title), { ttl: 600, CNAME: nameOf("www", title) }],
    [nameOf("six", title), { ttl: 600, AAAA: [ADDRESSES.six[0]] }],
  ]),
);
const HOSTS = TITLES.flatMap((title) =>
  ADDRESSES.hosts.map((address) => `${address} ${nameOf("hosts", title)}\n`),
).join("");

const missing = sandboxMissing();

describe.skipIf(missing)(`a program's result${missing ? ` (skipped: ${missing})` : ""}`, { timeout: 120_000 }, () => {
  let box: Sandbox;
  let upstream: Upstream;
  let server: ServerProcess;
  let nameserver: Running;
  const preload = () => ({ LD_PRELOAD: path.join(directory, "client.so") });

  beforeAll(async () => {
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-same-"));
    fs.chmodSync(directory, 0o755);
    upstream = await startUpstream({ zone: ZONE });
    const upstreams = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`, DNS_CACHE_DENIALS: "final" };
    server = startServer({ DNS_CACHE_DIR: directory, ...upstreams });
    await server.seen("Listening");
    const addresses = [NAMESERVER, ...Object.values(ADDRESSES).flat()];
    box = await sandbox({
      resolvConf: `nameserver ${NAMESERVER}\n`,
      hosts: `127.0.0.1 localhost\n::1 localhost\n${HOSTS}`,
      addresses: addresses.map((address) => `${address}/${address.includes(":") ? 128 : 32}`),
    });
    const zone = [NAMESERVER, JSON.stringify(ZONE)];
    nameserver = await box.startModule(support("zoneUpstream.ts"), zone, { ready: /ready/ });
    await box.startModule(support("arrivals.ts"), [HTTP_PORT], { ready: /ready/ });
  });
  afterAll(async () => {
    await box?.close();
    await server?.stopped("SIGTERM");
    await upstream?.close();
    if (directory !== undefined) fs.rmSync(directory, { recursive: true });
  });

  /** The run with the preload comes first: what the sandbox's nameserver is asked until then would be its doing. */
  async function expectSame(title: string, withPreload: Run, without: Run): Promise<void> {
    for (const kind of KINDS) {
      const name = nameOf(kind, title);
      const cached = await withPreload(name);
      expect(nameserver.stdout()).not.toContain(`of ${name}\n`);
      const asked = upstream.count(name, "A") + upstream.count(name, "AAAA");
      if (kind === "hosts") expect(asked).toBe(0);
      else expect(asked).toBeGreaterThan(0);
      for (const type of ["A", "AAAA"]) expect(upstream.count(name, type)).toBeLessThanOrEqual(1);
      const plain = await without(name);
      expect({ kind, ...cached }).toEqual({ kind, ...plain });
      if (kind !== "hosts") await nameserver.wrote(new RegExp(`of ${name}\n`));
      expect(upstream.count(name, "A") + upstream.count(name, "AAAA")).toBe(asked);
    }
  }

  for (const program of PROGRAMS) {
    const absent = toolMissing(program.tool, program.debianPackage);
    it.skipIf(absent)(
      `${program.title} is the same with the preload${absent ? ` (skipped: ${absent})` : ""}`,
      async () => {
        if (program.tool === "javac") compileJava();
        const run = (env: Record<string, string>) => async (name: string) => {
          const { code, signal, stdout, stderr } = await box.run(program.command(name), { env });
          return { code, signal, stdout: steady(stdout), stderr: steady(stderr) };
        };
        await expectSame(program.title, run(preload()), run({}));
      },
    );
  }

  const noFpm = phpFpmMissing();
  it.skipIf(noFpm)(`${FPM} is the same with the preload${noFpm ? ` (skipped: ${noFpm})` : ""}`, async () => {
    const script = fs.readFileSync(language("look.php"), "utf8");
    const cached = await startPhpFpm(box, { port: 9001, directory, script, env: preload() });
    const plain = await startPhpFpm(box, { port: 9002, directory, script });
    const run = (ask: (query: string) => Promise<string>) => async (name: string) => ({
      page: await ask(`name=${name}`),
    });
    await expectSame(FPM, run(cached), run(plain));
  });
});

type Run = (name: string) => Promise<Record<string, unknown>>;

function compileJava(): void {
  const { status, stderr } = spawnSync("javac", ["-d", directory, language("Look.java")], { encoding: "utf8" });
  expect({ status, stderr }).toMatchObject({ status: 0 });
}

/** Without the dates, times and rates that wget and curl tell. */
function steady(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "DATE")
    .replace(/\([\d.]+ [KMG]?B\/s\)/g, "(RATE)")
    .replace(/=[\d.]+m?s$/gm, "=TIME")
    .replace(/ +[\d.]+[KMG](?=[= ])/g, " RATE")
    .replace(/after \d+ ms/g, "after TIME");
}
