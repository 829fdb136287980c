// PHP's extensions curl, mysqli, pgsql and PDO connect by names that the cache answers, in the command line's PHP and
// under PHP-FPM. Two of them bring libraries along that PHP binds past any preload, but for our dlopen.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type Zone } from "../../demo/upstream.ts";
import { phpFpmMissing, startPhpFpm } from "../support/phpFpm.ts";
import { type Running, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const ARRIVALS = fileURLToPath(new URL("../support/arrivals.ts", import.meta.url));
const ZONE_UPSTREAM = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const NAMESERVER = "192.0.2.200";
const CACHED_ADDRESS = "198.51.100.7"; // only the cache's upstream gives it
const LIBC_ADDRESS = "198.51.100.9"; // only the sandbox's own nameserver gives it

interface Extension {
  readonly title: string;
  readonly port: number;
  /** PHP that connects to $name. */
  readonly code: string;
  /** Whether its lookups are those of a library that it brings along. */
  readonly isDeep: boolean;
}
const CURL = "$c=curl_init('http://'.$name.'/');curl_setopt($c,CURLOPT_TIMEOUT,20);curl_exec($c);";
const EXTENSIONS: Extension[] = [
  { title: "curl", port: 80, isDeep: true, code: CURL },
  { title: "pgsql", port: 5432, isDeep: true, code: "@pg_connect('user=u dbname=d host='.$name);" },
  {
    title: "pdo_pgsql",
    port: 5432,
    isDeep: true,
    code: "try{new PDO('pgsql:dbname=d;host='.$name,'u','p');}catch(PDOException $e){}",
  },
  {
    title: "mysqli",
    port: 3306,
    isDeep: false,
    code: "mysqli_report(MYSQLI_REPORT_OFF);@mysqli_connect($name,'u','p');",
  },
  {
    title: "pdo_mysql",
    port: 3306,
    isDeep: false,
    code: "try{@new PDO('mysql:dbname=d;host='.$name,'u','p');}catch(PDOException $e){}",
  },
];
const FPMS = [
  { title: "", port: 9001, setting: {} },
  { title: " with DNS_CACHE_CLEAR_DEEPBIND=0", port: 9002, setting: { DNS_CACHE_CLEAR_DEEPBIND: "0" } },
];

const missing = phpMissing();

describe.skipIf(missing)(`PHP's extensions${missing ? ` (skipped: ${missing})` : ""}`, { timeout: 60_000 }, () => {
  let directory: string;
  let box: Sandbox;
  let upstream: Upstream;
  let server: ServerProcess;
  let arrivals: Running;

  const nameOf = ({ title }: Extension, way: string) => `${title.replace("_", "-")}.${way}.example`;
  const zone = (address: string): Zone => {
    const ways = ["command", "kept", ...FPMS.map(({ port }) => `fpm${port}`)];
    const names = EXTENSIONS.flatMap((extension) => ways.map((way) => nameOf(extension, way)));
    return Object.fromEntries(names.map((name) => [name, { ttl: 600, A: [address] }]));
  };
  const preload = () => ({ LD_PRELOAD: path.join(directory, "client.so") });

  beforeAll(async () => {
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-php-"));
    fs.chmodSync(directory, 0o755);
    upstream = await startUpstream({ zone: zone(CACHED_ADDRESS) });
    server = startServer({ DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}` });
    await server.seen("Listening");
    const addresses = [NAMESERVER, CACHED_ADDRESS, LIBC_ADDRESS].map((address) => `${address}/32`);
    box = await sandbox({ resolvConf: `nameserver ${NAMESERVER}\n`, addresses });
    await box.startModule(ZONE_UPSTREAM, [NAMESERVER, JSON.stringify(zone(LIBC_ADDRESS))], { ready: /ready/ });
    const ports = new Set(EXTENSIONS.map(({ port }) => String(port)));
    arrivals = await box.startModule(ARRIVALS, [...ports], { ready: /ready/ });
  });
  afterAll(async () => {
    await box?.close();
    await server?.stopped("SIGTERM");
    await upstream?.close();
    if (directory !== undefined) fs.rmSync(directory, { recursive: true });
  });

  /** Where what `connect` does arrives. */
  async function arrival(connect: () => Promise<unknown>): Promise<string> {
    const before = arrivals.stdout().length;
    await connect();
    await vi.waitFor(() => expect(arrivals.stdout().length).toBeGreaterThan(before), 10_000);
    return arrivals.stdout().slice(before).split("\n", 1)[0] as string;
  }

  async function expectArrival(extension: Extension, name: string, isCached: boolean, connect: () => Promise<unknown>) {
    const address = isCached ? CACHED_ADDRESS : LIBC_ADDRESS;
    expect(await arrival(connect)).toBe(`arrived at ${address} port ${extension.port}`);
    expect(upstream.count(name, "A")).toBe(isCached ? 1 : 0);
  }

  const connectByCommand = (extension: Extension, name: string, setting: Record<string, string>) => () =>
    box.run(["php", "-r", `$name=$argv[1];${extension.code}`, name], { env: { ...preload(), ...setting } });

  it.each(EXTENSIONS)("$title connects through the cache in the command line's PHP", async (extension) => {
    const name = nameOf(extension, "command");
    await expectArrival(extension, name, true, connectByCommand(extension, name, {}));
  });

  it.each(EXTENSIONS)(
    "$title, with DNS_CACHE_CLEAR_DEEPBIND=0, goes to libc if its library looks up",
    async (extension) => {
      const name = nameOf(extension, "kept");
      const connect = connectByCommand(extension, name, { DNS_CACHE_CLEAR_DEEPBIND: "0" });
      await expectArrival(extension, name, !extension.isDeep, connect);
    },
  );

  describe.each(FPMS)("under PHP-FPM$title", ({ port, setting }) => {
    let ask: (query: string) => Promise<string>;
    beforeAll(async () => {
      const cases = EXTENSIONS.map(
        ({ title, code }) => `if(isset($_GET['${title}'])){$name=$_GET['${title}'];${code}}`,
      );
      const script = `<?php\n${cases.join("\n")}\n`;
      ask = await startPhpFpm(box, { port, directory, script, env: { ...preload(), ...setting } });
    });

    it.each(EXTENSIONS)("$title connects as in the command line's PHP", async (extension) => {
      const name = nameOf(extension, `fpm${port}`);
      const isCached = !extension.isDeep || !("DNS_CACHE_CLEAR_DEEPBIND" in setting);
      await expectArrival(extension, name, isCached, () => ask(`${extension.title}=${name}`));
    });
  });
});

function phpMissing(): string | undefined {
  if (process.env.CI !== "true") {
    const modules = spawnSync("php", ["-m"], { encoding: "utf8" }).stdout?.split("\n") ?? [];
    const absent = EXTENSIONS.map(({ title }) => title).filter((title) => !modules.includes(title));
    if (absent.length > 0) return `not in PHP: ${absent.join(", ")}: apt-get install php-curl php-mysql php-pgsql`;
  }
  return sandboxMissing() ?? phpFpmMissing();
}
