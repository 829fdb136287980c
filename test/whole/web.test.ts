// The demo's page without containers: Debian's nginx and two php-fpm in a sandbox, whose own nameserver is dead, with
// the files that the compose demo uses. The server is outside, as it is in another container there.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { isInstalled } from "../../demo/clients.ts";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream } from "../../demo/upstream.ts";
import { CURL, type Page, readPage, readPages } from "../support/page.ts";
import { otherUsersMissing, type Running, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const WEB = join(import.meta.dirname, "../../demo/web");
const ADDRESSES: Readonly<Record<string, string>> = { "google.com": "198.51.100.1", "github.com": "198.51.100.2" };
const NAMES = Object.keys(ADDRESSES);
// The two services of compose.yaml; both are Debian's PHP here.
const PHPS = [
  { service: "php", path: "/debian", host: "127.0.0.1" },
  { service: "php-alpine", path: "/alpine", host: "127.0.0.2" },
];
const WORKERS = 4; // of each, in demo/web/pool.conf
const ROUNDS = 20;

const phpFpm = readdirSync("/usr/sbin").find((name) => /^php-fpm[\d.]*$/.test(name));
const missing = webMissing();

describe.skipIf(missing)(`page through nginx and php-fpm${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let box: Sandbox;
  let directory: string;
  let upstream: Upstream;
  let server: ServerProcess;
  let workersAtFirst: string[];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "namewell-web-"));
    chmodSync(directory, 0o755);
    const zone = Object.entries(ADDRESSES).map(([name, address]) => [name, { ttl: 600, A: [address] }]);
    upstream = await startUpstream({ zone: Object.fromEntries(zone) });
    server = await startCache();
    box = await sandbox({ hosts: PHPS.map(({ host, service }) => `${host} ${service}\n`).join("") });
    const mounted = await box.run(["mount", "--bind", WEB, "/var/www/html"]);
    expect(mounted.stderr).toBe("");
    for (const { host } of PHPS) await startPhp(host);
    await startNginx();
    workersAtFirst = await workers();
  });
  afterAll(async () => {
    await box?.close();
    await server?.stopped("SIGTERM");
    await upstream?.close();
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });

  it.each(PHPS)("gives at $path the addresses that only the cache's upstream knows", async ({ path }) => {
    const pages = await getMany(path);
    for (const page of pages) expectRight(page);
    expect(new Set(pages.map(({ name }) => name))).toEqual(new Set(NAMES));
  });

  it("serves / by the workers of both", async () => {
    const pages = await getMany("/");
    for (const page of pages) expectRight(page);
    expect(new Set(pages.map(({ worker }) => worker)).size).toBeGreaterThan(1);
  });

  it("asks upstream once per name, whatever the number of workers, and logs what it did", async () => {
    const said = () => server.log.map(({ msg }) => msg);
    for (const name of NAMES) {
      expect(upstream.count(name, "A")).toBe(1);
      expect(said()).toContain(`Got message: '${name}'`);
      expect(said()).toContain(`Cache warmup ${name}`);
    }
    // The workers' own hits are told of with one that comes a second later.
    const hits = async () => {
      await getMany("/");
      return NAMES.filter((name) => said().includes(`Cache hit ${name}`));
    };
    await expect.poll(hits, { timeout: 30_000, interval: 500 }).toEqual(NAMES);
  });

  it("keeps every worker while the server restarts and installs another client.so", async () => {
    const visitor = await visit("/");
    expect(await server.stopped("SIGTERM")).toBe(0);
    changeClient();
    server = await startCache();
    await expect.poll(async () => (await get("/")).status, { timeout: 10_000 }).toBe(200);
    const pages = readPages((await visitor.stop()).stdout);

    // libc has nobody to ask here: what the pages had meanwhile came from the table.
    for (const page of pages) expectRight(page);
    expect(await workers()).toEqual(workersAtFirst);
    expect(server.log.map(({ msg }) => msg)).toContain(`Installed ${join(directory, "client.so")}`);
    for (const { path } of PHPS) for (const page of await getMany(path)) expectRight(page);
  });

  async function startCache(): Promise<ServerProcess> {
    const started = startServer({
      DNS_CACHE_DIR: directory,
      DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`,
      DNS_CACHE_LOG_LEVEL: "debug",
    });
    await started.seen("Listening");
    return started;
  }

  /** Puts another client.so in place, as an earlier version of the server would have: this one will replace it. */
  function changeClient(): void {
    const aside = join(directory, "another");
    // Bytes behind the end of an ELF file change the file and not the library.
    writeFileSync(aside, Buffer.concat([readFileSync(join(directory, "client.so")), Buffer.from("another build")]));
    renameSync(aside, join(directory, "client.so"));
  }

  async function startPhp(host: string): Promise<void> {
    const conf = join(directory, `php-${host}.conf`);
    const user = process.getuid?.() === 0 ? "www-data" : "root";
    const own = ["[global]", `error_log = ${phpLog(host)}`, "daemonize = no", "[www]", `listen = ${host}:9000`];
    const pool = [
      `user = ${user}`,
      `group = ${user}`,
      "pm = static",
      "pm.max_children = 1",
      `include = ${WEB}/pool.conf`,
    ];
    writeFileSync(conf, `${[...own, ...pool].join("\n")}\n`);
    await box.start([`/usr/sbin/${phpFpm}`, "--allow-to-run-as-root", "--fpm-config", conf], {
      env: { LD_PRELOAD: join(directory, "client.so"), DEMO_NAMES: NAMES.join(",") },
    });
    await vi.waitFor(() => expect(readFileSync(phpLog(host), "utf8")).toContain("ready to handle connections"), 10_000);
  }

  function phpLog(host: string): string {
    return join(directory, `php-${host}.log`);
  }

  async function startNginx(): Promise<void> {
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    mkdirSync(join(directory, "nginx"));
    const http = [
      "access_log off;",
      ...temporary.map((kind) => `${kind}_temp_path ${directory}/nginx/${kind};`),
      `include ${WEB}/nginx.conf;`,
    ];
    const conf = `daemon off; master_process off; pid ${directory}/nginx/pid; events {}\nhttp {\n${http.join("\n")}\n}\n`;
    await box.write("/etc/nginx/demo.conf", conf); // beside fastcgi_params
    await box.start(["nginx", "-e", "stderr", "-c", "/etc/nginx/demo.conf"]);
    await vi.waitFor(() => get("/"), 10_000);
  }

  async function get(path: string): Promise<Page> {
    const { stdout, stderr } = await box.run([...CURL, `http://localhost:80${path}`]);
    return readPage(stdout || stderr);
  }

  async function getMany(path: string): Promise<Page[]> {
    const urls = Array.from({ length: ROUNDS }, () => `http://localhost:80${path}`);
    return readPages((await box.run([...CURL, ...urls])).stdout);
  }

  /** Asks for pages one after the other until it is stopped. */
  function visit(path: string): Promise<Running> {
    const loop = ["sh", "-c", 'while :; do "$@"; done', "sh", ...CURL, `http://localhost:80${path}`];
    return box.start(loop, { ready: /status/ });
  }

  async function workers(): Promise<string[]> {
    const pids = (await box.run(["pgrep", "-f", "^php-fpm: pool www"])).stdout.trim().split("\n");
    expect(pids.length).toBe(PHPS.length * WORKERS);
    return pids;
  }
});

function expectRight(page: Page): void {
  expect(page).toMatchObject({ status: 200, client: "with", address: ADDRESSES[page.name] });
}

function webMissing(): string | undefined {
  if (process.env.CI !== "true") {
    const absent = ["nginx", "curl", "pgrep"].filter(
      (program) => !isInstalled(program) && !isInstalled(`/usr/sbin/${program}`),
    );
    if (phpFpm === undefined) absent.push("php-fpm");
    if (absent.length > 0) return `not installed: ${absent.join(", ")}`;
  }
  return sandboxMissing() ?? otherUsersMissing();
}
