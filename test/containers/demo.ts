// The compose demo on an engine of the test's own, with upstreams of the test's own: brought up whole, taken down whole.
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CURL, type Page, readPage, readPages } from "../support/page.ts";
import { wayOf } from "../support/readme.ts";
import { type Running, type Sandbox, sandbox } from "../support/sandbox.ts";
import { command } from "./command.ts";
import { type Engine, engineDirectory, removeEngine, startBuildEngine, startRunEngine } from "./engine.ts";
import { loadStandIns, STAND_INS } from "./standIns.ts";

const ROOT = join(import.meta.dirname, "../..");
const READY_MS = 30_000;
const UPSTREAMS = "10.231.7.1:5300"; // the address is override.yaml's
export const NAMES = ["google.com", "github.com"]; // the defaults of compose.yaml
/** Addresses from documentation ranges (RFC 5737): what the cache's upstream gives, and what libc's does. */
export const CACHE_PREFIX = "192.0.2.";
export const LIBC_PREFIX = "198.51.100.";

export interface CacheSettings {
  /** Undefined leaves DNS_CACHE_UPSTREAMS unset. */
  readonly upstreams: string | undefined;
}

/** The README's: images, containers, a request, the doctor; and what takes them away. */
const WAY = wayOf("Docker Compose");
const [BUILD_AND_UP = "", ASK = "", DIAGNOSE = ""] = WAY.commands.trimEnd().split("\n");
const [BUILD = "", UP = ""] = BUILD_AND_UP.split(" && ");
const FILES = [join(ROOT, "compose.yaml"), join(import.meta.dirname, "override.yaml")];

export interface Demo {
  get(path: string): Promise<Page>;
  /** Asks for pages one after the other while something else goes on; gives them all. */
  getWhile(path: string, action: () => Promise<unknown>): Promise<Page[]>;
  compose(...args: string[]): Promise<string>;
  /** The README's request, and its doctor. */
  askAsWritten(): Promise<string>;
  diagnoseAsWritten(): Promise<string>;
  /** Commands of docs/, as bash is given them. */
  typed(lines: string): Promise<string>;
  /** What the README takes all away by. */
  takeAway(): Promise<void>;
  docker(...args: string[]): Promise<string>;
  /** Makes the cache's container anew if its image or settings are others now; waits until it is healthy. */
  renewCache(settings?: CacheSettings): Promise<void>;
  /** Resolves when the cache's container says so; fails after a while. */
  healthy(): Promise<void>;
  /** The processes of php-fpm's pool, as the engine sees them. */
  workers(service: string): Promise<string[]>;
  /** How often one of the two upstreams was asked. */
  asked(who: "cache" | "libc", name: string, type: string): number;
  /** Everything that ran and was made. */
  remove(): Promise<void>;
}

export async function startDemo(): Promise<Demo> {
  const directory = await engineDirectory();
  const box = await sandbox();
  try {
    const composeCommand = await build(directory);
    const upstreams = await box.startModule(
      join(import.meta.dirname, "upstreams.ts"),
      [NAMES.join(","), CACHE_PREFIX, LIBC_PREFIX],
      { ready: /^ready$/m },
    );
    const engine = await startRunEngine(directory, box);
    const demo = running(directory, box, engine, composeCommand, upstreams);
    try {
      await typed(engine, UP);
      for (const path of ["/debian", "/alpine"]) await served(demo, path);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${await demo.compose("logs").catch(String)}`);
    }
    return demo;
  } catch (error) {
    await box.close();
    await removeEngine(directory);
    throw error;
  }
}

/** nginx and the PHPs are up a moment after their containers. */
async function served(demo: Demo, path: string): Promise<void> {
  for (const deadline = performance.now() + READY_MS; ; await sleep(200)) {
    try {
      await demo.get(path);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

async function build(directory: string): Promise<string[]> {
  const engine = await startBuildEngine(directory);
  try {
    const composeCommand = await loadStandIns(engine, join(directory, "standins"));
    const [plugin = ""] = composeCommand;
    if (plugin !== "docker") {
      const plugins = join(directory, ".docker/cli-plugins"); // HOME is there
      mkdirSync(plugins, { recursive: true });
      symlinkSync(plugin, join(plugins, "docker-compose"));
    }
    await typed(engine, BUILD);
    return composeCommand;
  } finally {
    await engine.stop();
  }
}

/** A line as it is written: what the test adds to it is in the environment. */
function typed(engine: Engine, line: string): Promise<string> {
  const own = { COMPOSE_PROJECT_NAME: "demo", COMPOSE_FILE: FILES.join(":"), DNS_CACHE_UPSTREAMS: UPSTREAMS };
  return command(["bash", "-ec", line], { cwd: ROOT, env: { ...engine.environment, ...STAND_INS, ...own } });
}

function compose(
  engine: Engine,
  composeCommand: string[],
  args: string[],
  { upstreams }: CacheSettings = { upstreams: UPSTREAMS },
): Promise<string> {
  const files = FILES.flatMap((file) => ["-f", file]);
  const env = { ...engine.environment, ...STAND_INS, DNS_CACHE_UPSTREAMS: upstreams };
  return command([...composeCommand, "-p", "demo", ...files, ...args], { cwd: ROOT, env });
}

function running(directory: string, box: Sandbox, engine: Engine, composeCommand: string[], upstreams: Running): Demo {
  const inDemo = (...args: string[]) => compose(engine, composeCommand, args);
  const container = async (service: string) => (await inDemo("ps", "--quiet", service)).trim();
  async function healthy(): Promise<void> {
    const id = await container("dns-cache");
    const deadline = performance.now() + READY_MS;
    while ((await engine.docker("inspect", "-f", "{{.State.Health.Status}}", id)).trim() !== "healthy") {
      if (performance.now() > deadline)
        throw new Error(`the cache is not healthy: ${await inDemo("logs", "dns-cache")}`);
      await sleep(200);
    }
  }

  return {
    compose: inDemo,
    docker: engine.docker,
    async askAsWritten() {
      const { code, stdout, stderr } = await box.run(["bash", "-ec", ASK]);
      if (code !== 0) throw new Error(`${ASK}: ${stderr}`);
      return stdout;
    },
    diagnoseAsWritten: () => typed(engine, DIAGNOSE),
    typed: (lines) => typed(engine, lines),
    async takeAway() {
      await typed(engine, WAY.removal);
    },
    async get(path) {
      const { stdout, stderr } = await box.run([...CURL, `http://localhost:80${path}`]);
      return readPage(stdout || stderr);
    },
    async getWhile(path, action) {
      const loop = ["sh", "-c", 'while :; do "$@"; done', "sh", ...CURL, `http://localhost:80${path}`];
      const visitor = await box.start(loop, { ready: /status/ });
      await action();
      return readPages((await visitor.stop()).stdout);
    },
    async renewCache(settings) {
      const up = ["up", "--detach", "--no-build", "--no-deps", "dns-cache"];
      await compose(engine, composeCommand, up, settings);
      await healthy();
    },
    healthy,
    async workers(service) {
      const lines = (await engine.docker("top", await container(service), "-eo", "pid,args")).split("\n");
      return lines.filter((line) => line.includes("pool www")).map((line) => line.trim());
    },
    asked: (who, name, type) =>
      upstreams
        .stdout()
        .split("\n")
        .filter((line) => line === `${who} asked ${name} ${type}`).length,
    async remove() {
      await inDemo("down", "--volumes", "--timeout", "5").catch(() => undefined);
      await engine.stop();
      await box.close();
      await removeEngine(directory);
    },
  };
}
