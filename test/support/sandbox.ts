// A private little machine for one test: its own mount, network, process and host-name namespaces, its own copy of /etc.
// Nothing of the real machine is written to; all that runs inside dies with the sandbox, and the sandbox dies with the
// test process. Files outside /etc are the real ones, so a socket directory made by the test is reachable from inside.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { buildSync } from "esbuild";

export type SandboxOptions = {
  /** Text of /etc/resolv.conf; the default names a nameserver where nobody listens. */
  resolvConf?: string;
  /** Text of /etc/hosts; the default knows localhost only. */
  hosts?: string;
  /** Text of /etc/nsswitch.conf; the default is `hosts: files dns`. */
  nsswitch?: string;
  /** Text of /etc/host.conf; the default is `multi on`. */
  hostConf?: string;
  /** Text of /etc/gai.conf; empty unless given. */
  gaiConf?: string;
  /** Addresses of `lo` besides 127.0.0.1 and ::1. The default makes AI_ADDRCONFIG see IPv4 and not IPv6. */
  addresses?: string[];
  /** Arguments of `ip`: "route add default dev lo". The default is none: no address but its own can be reached. */
  routes?: string[];
  /** The host name; the default has no domain part. */
  hostname?: string;
};

export type RunOptions = {
  /** Added to a small fixed environment (PATH, HOME, LANG=C). */
  env?: Record<string, string>;
  cwd?: string;
  /** Run as this user and group, without supplementary groups. */
  uid?: number;
  /** Text for standard input; without it the input is empty. */
  input?: string;
  /** The command is killed after this long (code 124). Default 50 s. */
  timeoutMs?: number;
};

export type Result = { code: number; signal: NodeJS.Signals | null; stdout: string; stderr: string };

export type Running = {
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves once standard output matches; fails when the process ends before. */
  wrote(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Asks it to end (SIGTERM unless another is named) and waits until it has. */
  stop(signal?: NodeJS.Signals): Promise<Result>;
  /** Resolves when it ends by itself. */
  ended: Promise<Result>;
};

export type Sandbox = {
  /** Runs a command to its end: `await box.run(["getent", "ahostsv4", "a.example"])`. */
  run(command: string[], options?: RunOptions): Promise<Result>;
  /** Starts a command that stays; `ready` is awaited on its standard output. */
  start(command: string[], options?: RunOptions & { ready?: RegExp }): Promise<Running>;
  /** Bundles a TypeScript file and starts it with this Node: an upstream that the real libc inside can ask, say. */
  startModule(file: string, args?: string[], options?: RunOptions & { ready?: RegExp }): Promise<Running>;
  /** Replaces a file as the programs inside see it; meant for /etc. */
  write(path: string, text: string): Promise<void>;
  /** Ends everything inside and removes what the sandbox made. */
  close(): Promise<void>;
};

const root = process.getuid?.() === 0;
const UNSHARE = ["--mount", "--net", "--uts", "--pid", "--fork", "--propagation", "private", ...(root ? [] : ["-r"])];
// The root as well: in a chroot, the mounts alone would lead to the files outside it.
const ENTER = ["--mount", "--net", "--uts", "--pid", "--root", ...(root ? [] : ["--user", "--preserve-credentials"])];
const ENVIRONMENT = { PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: "/tmp", LANG: "C" };

// Prints its pid as the outside knows it (the old /proc is still mounted), builds the machine, then waits for the end of
// its input: that is when the test process closes it, or dies.
const SETUP = `
read -r pid rest < /proc/self/stat && echo "pid $pid"
set -e
etc="$1"; hostname="$2"; routes="$3"; shift 3
mount -t proc proc /proc 2>/dev/null || true
mount -t tmpfs tmpfs "$etc"
mkdir "$etc/etc"
cp -a /etc/. "$etc/etc" 2>/dev/null || true
mount --bind "$etc/etc" /etc
if [ -d /run/nscd ]; then mount -t tmpfs tmpfs /run/nscd; fi
hostname "$hostname"
ip link set lo up
for address in "$@"; do
  case "$address" in *:*) ip address add "$address" dev lo nodad;; *) ip address add "$address" dev lo;; esac
done
echo "$routes" | while read -r route; do
  if [ -n "$route" ]; then ip $route; fi
done
echo ready
exec cat
`;

/** Why no sandbox can be made here, or undefined. Tests skip with this reason, except under CI=true. */
export function sandboxMissing(): string | undefined {
  const tried = spawnSync("unshare", [...UNSHARE, "ip", "link", "set", "lo", "up"], { encoding: "utf8" });
  if (tried.status === 0 || process.env.CI === "true") return undefined;
  return `no private namespaces here: ${(tried.error?.message ?? tried.stderr).trim()}`;
}

/** Why nothing can be run as another user (RunOptions.uid) here, or undefined. */
export function otherUsersMissing(): string | undefined {
  return root || process.env.CI === "true" ? undefined : "needs a second user, which only root can be";
}

let bundleCount = 0; // of all sandboxes: two that start at once must not write one file

/** Makes a sandbox; `close()` it in the end. */
export async function sandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const directory = mkdtempSync(join(tmpdir(), "namewell-sandbox-"));
  const addresses = options.addresses ?? ["192.0.2.200/32"];
  const setup = [
    "sh",
    "-c",
    SETUP,
    "sh",
    directory,
    options.hostname ?? "sandbox",
    (options.routes ?? []).join("\n"),
    ...addresses,
  ];
  const holder = spawn("unshare", [...UNSHARE, "--", ...setup], { stdio: "pipe", env: ENVIRONMENT });
  const held = watch(holder);
  const bundles: string[] = [];
  const startedInside = new Set<Running>();

  async function close() {
    holder.stdin?.end();
    await held.ended;
    await Promise.all([...startedInside].map((running) => running.ended));
    for (const bundle of bundles) rmSync(bundle, { force: true });
    rmdirSync(directory); // not recursive: anything in it would be ours to explain
  }

  let pid: string;
  try {
    pid = String((await held.wrote(/pid (\d+)/))[1]);
    await held.wrote(/ready/);
  } catch (error) {
    await close();
    throw error;
  }

  function enter(command: string[], run: RunOptions): ChildProcess {
    const user = run.uid === undefined ? [] : ["setpriv", `--reuid=${run.uid}`, `--regid=${run.uid}`, "--clear-groups"];
    const args = ["--target", pid, ...ENTER, "--", ...user, ...placed(run), ...command];
    const child = spawn("nsenter", args, { stdio: "pipe", env: ENVIRONMENT });
    child.stdin?.on("error", () => {}); // it may end without reading
    child.stdin?.end(run.input ?? "");
    return child;
  }

  async function run(command: string[], runOptions: RunOptions = {}): Promise<Result> {
    const child = enter(command, runOptions);
    const running = watch(child);
    const timer = setTimeout(() => killTree(child), runOptions.timeoutMs ?? 50_000);
    const result = await running.ended;
    clearTimeout(timer);
    return result.signal === "SIGKILL" && child.killed ? { ...result, code: 124 } : result;
  }

  async function start(command: string[], startOptions: RunOptions & { ready?: RegExp } = {}): Promise<Running> {
    const running = watch(enter(command, startOptions));
    startedInside.add(running);
    void running.ended.then(() => startedInside.delete(running));
    if (startOptions.ready) await running.wrote(startOptions.ready);
    return running;
  }

  async function write(path: string, text: string): Promise<void> {
    const written = await run(["sh", "-c", 'rm -f "$1" && cat > "$1"', "sh", path], { input: text });
    if (written.code !== 0) throw new Error(`cannot write ${path}: ${written.stderr}`);
  }

  await write("/etc/resolv.conf", options.resolvConf ?? "nameserver 127.0.0.9\n");
  await write("/etc/hosts", options.hosts ?? "127.0.0.1 localhost\n::1 localhost\n");
  await write("/etc/nsswitch.conf", options.nsswitch ?? "passwd: files\nhosts: files dns\nservices: files\n");
  await write("/etc/host.conf", options.hostConf ?? "multi on\n");
  await write("/etc/gai.conf", options.gaiConf ?? "");

  return {
    run,
    start,
    write,
    close,
    startModule(file, args = [], moduleOptions = {}) {
      const bundle = join(tmpdir(), `namewell-${process.pid}-${++bundleCount}-${basename(file)}.mjs`);
      bundles.push(bundle);
      const banner = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
      buildSync({
        entryPoints: [file],
        outfile: bundle,
        bundle: true,
        platform: "node",
        format: "esm",
        banner: { js: banner },
        logLevel: "error",
      });
      return start([process.execPath, bundle, ...args], moduleOptions);
    },
  };
}

// Variables and directory are set behind nsenter: a preload named here is loaded by the command alone, and a directory
// entered before would be one of another mount namespace, without a name in this one.
function placed({ env = {}, cwd }: RunOptions): string[] {
  const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const directory = cwd === undefined ? [] : [`--chdir=${cwd}`];
  return pairs.length + directory.length === 0 ? [] : ["env", ...directory, ...pairs];
}

// nsenter waits for the command in the other process namespace: a signal to nsenter alone would not reach the command.
function signalInside({ pid }: ChildProcess, signal: NodeJS.Signals) {
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "latin1");
      const parent = Number(stat.slice(stat.lastIndexOf(")")).split(" ")[2]);
      if (parent === pid) process.kill(Number(entry), signal);
    } catch {
      // It has ended since.
    }
  }
}

function killTree(child: ChildProcess) {
  signalInside(child, "SIGKILL");
  child.kill("SIGKILL");
}

function watch(child: ChildProcess): Running {
  let out = "";
  let err = "";
  const watchers = new Set<() => void>();
  const wake = () => {
    for (const watcher of watchers) watcher();
  };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    wake();
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  let result: Result | undefined;
  const ended = new Promise<Result>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      result ??= { code: code ?? -1, signal, stdout: out, stderr: err };
      resolve(result);
      wake();
    };
    child.on("error", (error) => {
      err += error.message;
      end(-1, null);
    });
    child.on("close", end);
  });
  return {
    stdout: () => out,
    stderr: () => err,
    ended,
    wrote(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const match = out.match(pattern);
          if (match) resolve(match);
          else if (result) reject(new Error(`ended (${result.code}) without writing ${pattern}: ${out}${err}`));
          else return;
          watchers.delete(look);
        };
        watchers.add(look);
        look();
      });
    },
    stop(signal = "SIGTERM") {
      signalInside(child, signal);
      return ended;
    },
  };
}
