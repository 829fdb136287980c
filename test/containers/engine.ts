// A Docker engine of the test's own: data, sockets, processes and mounts in a temporary folder and private namespaces.
// It starts twice on the same data: on the machine's network to build images, since that needs the package registries,
// then in a sandbox to run containers, so that its bridge, its firewall rules and port 80 are not the machine's.
import { type ChildProcess, spawn } from "node:child_process";
import { openSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Sandbox, sandbox } from "../support/sandbox.ts";
import { command } from "./command.ts";

export interface Engine {
  /** For commands that should talk to it. */
  readonly environment: NodeJS.ProcessEnv;
  docker(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

const READY_MS = 30_000;
const CGROUP_PARENT = "namewell-test";

export function engineDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), "namewell-engine-"));
}

/** Its containers can only use the machine's own network. */
export async function startBuildEngine(directory: string): Promise<Engine> {
  const daemon = [...dockerd(directory), "--bridge", "none", "--iptables=false"];
  // The engine ends with its input, so it does not outlive the test process.
  const script = '"$@" & cat; kill $!; wait $!';
  const namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--mount-proc"];
  const log = openSync(join(directory, "log"), "a");
  const child = spawn("unshare", [...namespaces, "sh", "-c", script, "sh", ...daemon], { stdio: ["pipe", log, log] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  return ready(directory, () => endInput(child, ended));
}

/** The sandbox's network is the containers' outside: a server started in it is reachable at their gateway. */
export async function startRunEngine(directory: string, box: Sandbox): Promise<Engine> {
  const argv = ["sh", "-c", 'log="$1"; shift; exec "$@" >>"$log" 2>&1', "sh", join(directory, "log")];
  const running = await box.start([...argv, ...dockerd(directory)]);
  return ready(directory, async () => {
    await running.stop();
  });
}

/** Removes the data of an engine that has stopped. */
export async function removeEngine(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  await command(["find", "/sys/fs/cgroup", "-depth", "-path", `*/${CGROUP_PARENT}*`, "-type", "d", "-delete"]).catch(
    () => undefined,
  );
}

/** Why no engine can run here, or undefined. */
export async function engineRefusal(): Promise<string | undefined> {
  const directory = await engineDirectory();
  let box: Sandbox | undefined;
  try {
    box = await sandbox();
    await (await startRunEngine(directory, box)).stop();
    return undefined;
  } catch (error) {
    return `no Docker engine starts here: ${(error as Error).message}`;
  } finally {
    await box?.close();
    await removeEngine(directory);
  }
}

function dockerd(directory: string): string[] {
  const folders = ["--data-root", `${directory}/root`, "--exec-root", `${directory}/exec`];
  const files = ["--pidfile", `${directory}/pid`, "--host", `unix://${directory}/docker.sock`];
  return ["dockerd", ...folders, ...files, "--cgroup-parent", CGROUP_PARENT];
}

async function ready(directory: string, stop: () => Promise<void>): Promise<Engine> {
  const environment = {
    PATH: process.env.PATH,
    HOME: directory, // no settings, credentials or contexts of whoever runs the test
    DOCKER_HOST: `unix://${directory}/docker.sock`,
  };
  const docker = (...args: string[]) => command(["docker", ...args], { env: environment });
  const deadline = performance.now() + READY_MS;
  while (!(await docker("version").catch(() => undefined))) {
    const log = readFileSync(join(directory, "log"), "utf8");
    const failure = /^(failed to start daemon.*|.*level=fatal.*)$/m.exec(log)?.[0];
    if (failure !== undefined || performance.now() > deadline) {
      await stop();
      throw new Error(failure ?? `not ready in ${READY_MS / 1000} s`);
    }
    await sleep(100);
  }
  return { environment, docker, stop };
}

async function endInput(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.stdin?.end();
  await ended;
}
