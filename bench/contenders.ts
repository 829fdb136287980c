// Who is measured: client.so with its server, nscd, unbound and dnsmasq, each in a private machine of its own with the
// same upstream, so that nothing but the way to the answer differs.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { isInstalled } from "../demo/clients.ts";
import { type Running, type Sandbox, sandbox } from "../test/support/sandbox.ts";
import type { Call, Label, Libc, Place } from "./lookups.ts";

export type ContenderName = "client.so" | "nscd" | "unbound" | "dnsmasq" | "client.so, socket only" | "upstream itself";

export interface Contender extends Place {
  readonly title: ContenderName;
  readonly libcs: readonly Libc[];
  /** The daemon's, inside the sandbox. */
  readonly pid: string;
}

export interface Contenders {
  readonly all: readonly Contender[];
  /** What is not here, and why. */
  readonly skipped: readonly string[];
  close(): Promise<void>;
}

export interface CacheServer {
  readonly directory: string;
  readonly pid: string;
  stop(): Promise<void>;
}

const DIST = fileURLToPath(new URL(".", import.meta.url));
export const UPSTREAM = "127.0.0.5";
const NOBODY = "127.0.0.9";
const READY_MS = 5000;
const BOTH: readonly Libc[] = ["glibc", "musl"];
const MS_PER_TICK = 1000 / Number(spawnSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).stdout || 100);

const NSCD_CONF = `
enable-cache hosts yes
positive-time-to-live hosts 3600
persistent hosts no
shared hosts yes
max-db-size hosts 33554432
`;
export const unboundConf = (servers: readonly string[]) => `
server:
  interface: 127.0.0.1
  do-not-query-localhost: no
  module-config: "iterator"
  do-daemonize: no
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  rrset-cache-size: 64m
  msg-cache-size: 32m
remote-control:
  control-enable: no
forward-zone:
  name: "."
${servers.map((server) => `  forward-addr: ${server}`).join("\n")}
`;
export const dnsmasqCommand = (servers: readonly string[]) => [
  "dnsmasq",
  "--keep-in-foreground",
  "--conf-file=/dev/null",
  "--user=root",
  "--pid-file=",
  "--listen-address=127.0.0.1",
  "--bind-interfaces",
  "--no-resolv",
  "--no-hosts",
  "--cache-size=100000",
  ...servers.map((server) => `--server=${server}`),
];

const left = new Set<string>();
process.once("exit", () => left.forEach(removeDirectory));

/** @param resolvConf lines of it besides the nameserver's */
export async function startContenders(wanted: readonly ContenderName[], resolvConf = ""): Promise<Contenders> {
  const skipped: string[] = [];
  const boxes: Sandbox[] = [];
  const all: Contender[] = [];
  const directories: string[] = [];

  async function machine(nameserver: string): Promise<Sandbox> {
    const box = await benchSandbox(nameserver, resolvConf);
    boxes.push(box);
    return box;
  }

  const starts: Record<ContenderName, () => Promise<Contender>> = {
    "client.so": () => cache("client.so", "on"),
    "client.so, socket only": () => cache("client.so, socket only", "off"),
    async nscd() {
      const box = await machine(UPSTREAM);
      await box.write("/etc/nscd.conf", NSCD_CONF);
      const { pid } = await startDaemon(box, ["nscd", "--foreground", "--config-file", "/etc/nscd.conf"]);
      await until(box, ["test", "-S", "/run/nscd/socket"]);
      return { title: "nscd", libcs: ["glibc"], box, env: {}, pid };
    },
    async unbound() {
      const box = await machine("127.0.0.1");
      await box.write("/etc/unbound-bench.conf", unboundConf([UPSTREAM]));
      return resolver("unbound", box, ["unbound", "-d", "-c", "/etc/unbound-bench.conf"]);
    },
    async dnsmasq() {
      return resolver("dnsmasq", await machine("127.0.0.1"), dnsmasqCommand([UPSTREAM]));
    },
    async "upstream itself"() {
      const box = await machine(UPSTREAM);
      return { title: "upstream itself", libcs: BOTH, box, env: {}, pid: "" };
    },
  };

  async function cache(title: ContenderName, sharedTable: "on" | "off"): Promise<Contender> {
    const box = await machine(NOBODY);
    const directory = cacheDirectory();
    directories.push(directory);
    const { pid } = await startCacheServer(box, directory, { DNS_CACHE_SHARED_TABLE: sharedTable });
    return { title, libcs: BOTH, box, env: { LD_PRELOAD: path.join(directory, "client.so") }, pid };
  }

  async function close(): Promise<void> {
    await Promise.all(boxes.map((box) => box.close()));
    directories.forEach(removeDirectory);
  }

  try {
    for (const name of wanted) {
      const missing = missingFor(name);
      if (missing === undefined) all.push(await starts[name]());
      else skipped.push(missing);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { all, skipped, close };
}

/**
 * nscd keeps no host entry with several addresses, so that servers which balance load by their order go on doing so:
 * it asks each time. Both families at once are an entry of another kind, which it keeps.
 */
export function isKept({ title }: Contender, call: Call, label: Label): boolean {
  return title !== "nscd" || call === "getaddrinfo" || label === "n";
}

/** Addresses that are not loopback's, and a way to all others: libc asks for both families, and sorts, as on a real host. */
export async function benchSandbox(nameserver: string, resolvConf = ""): Promise<Sandbox> {
  const box = await sandbox({
    resolvConf: `nameserver ${nameserver}\n${resolvConf}`,
    addresses: ["192.0.2.200/32", "2001:db8:200::1/128"],
    routes: ["-4 route add default dev lo", "-6 route add default dev lo"],
  });
  await box.start([process.execPath, path.join(DIST, "benchUpstream.js"), UPSTREAM], { ready: /ready/ });
  return box;
}

/** On tmpfs, as the README advises. Removed when this process ends, however it does. */
export function cacheDirectory(): string {
  const parent = fs.existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const directory = fs.mkdtempSync(path.join(parent, "namewell-bench-"));
  fs.chmodSync(directory, 0o755);
  left.add(directory);
  return directory;
}

export function removeDirectory(directory: string): void {
  fs.rmSync(directory, { recursive: true, force: true });
  left.delete(directory);
}

export async function startCacheServer(
  box: Sandbox,
  directory: string,
  settings: Record<string, string> = {},
): Promise<CacheServer> {
  const env = { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: UPSTREAM, DNS_CACHE_HTTP: "off", ...settings };
  const { pid, running } = await startDaemon(box, [process.execPath, path.join(DIST, "server.js")], env, /Listening/);
  return { directory, pid, stop: async () => void (await running.stop()) };
}

/** Milliseconds of CPU, user and system, that a process in a sandbox has had. */
export async function cpuMs({ box, pid }: { box: Sandbox; pid: string }): Promise<number> {
  const { stdout } = await box.run(["cat", `/proc/${pid}/stat`]);
  const fields = stdout.slice(stdout.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** UDP datagrams sent on this machine so far, over IPv4 and IPv6. */
export async function datagramsSent(box: Sandbox): Promise<number> {
  const { stdout } = await box.run(["cat", "/proc/net/snmp", "/proc/net/snmp6"]);
  const [names, values] = stdout
    .split("\n")
    .filter((line) => line.startsWith("Udp:"))
    .map((line) => line.split(" "));
  const v4 = Number(values?.[names?.indexOf("OutDatagrams") ?? -1]);
  const v6 = Number(/^Udp6OutDatagrams\s+(\d+)/m.exec(stdout)?.[1] ?? 0);
  if (Number.isNaN(v4)) throw new Error(`no count of datagrams in /proc/net/snmp: ${stdout}`);
  return v4 + v6;
}

function missingFor(name: ContenderName): string | undefined {
  const program = ["nscd", "unbound", "dnsmasq"].find((each) => each === name);
  if (program === undefined || isInstalled(program)) return undefined;
  return `${program} is not installed (apt-get install ${program}): left out`;
}

async function resolver(title: "unbound" | "dnsmasq", box: Sandbox, command: string[]): Promise<Contender> {
  const { pid } = await startDaemon(box, command);
  await until(box, ["getent", "ahostsv4", "n1.bench.example"]);
  return { title, libcs: BOTH, box, env: {}, pid };
}

/** The shell says its pid, as the sandbox counts, and becomes the daemon. */
export async function startDaemon(box: Sandbox, command: string[], env: Record<string, string> = {}, ready?: RegExp) {
  const running: Running = await box.start(["sh", "-c", 'echo "pid $$"; exec "$@"', "sh", ...command], { env });
  const pid = (await running.wrote(/^pid (\d+)/))[1] as string;
  if (ready !== undefined) await running.wrote(ready);
  return { pid, running };
}

async function until(box: Sandbox, command: string[]): Promise<void> {
  const end = Date.now() + READY_MS;
  for (;;) {
    const { code, stderr } = await box.run(command);
    if (code === 0) return;
    if (Date.now() > end) throw new Error(`${command.join(" ")} failed for ${READY_MS} ms: ${stderr}`);
  }
}
