// A machine of its own that systemd has started, with all that this one has installed, on a copy of / in memory (systemd.sh).
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { toolMissing } from "./programs.ts";

export interface Booted {
  /** Runs a shell script inside; `code` is its exit code. */
  run(script: string): { code: number | null; output: string };
  /** The files that have been written, removed or made since the start, but for those in memory and the journal's. */
  changed(): string[];
  close(): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL("systemd.sh", import.meta.url));
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const NAMESPACES = ["--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup", "--root"];

/** Why none can be started here, or undefined. Tests skip with this reason, except under CI=true. */
export function systemdMissing(): string | undefined {
  const tool = toolMissing("systemctl", "systemd") ?? toolMissing("ip", "iproute2");
  if (tool !== undefined || process.env.CI === "true") return tool;
  if (process.getuid?.() !== 0) return "only root can start a systemd of its own";
  const tried = spawnSync("unshare", ["--mount", "--cgroup", "mount", "-t", "cgroup2", "cgroup2", "/mnt"]);
  return tried.status === 0 ? undefined : "no cgroups of its own here";
}

/** Starts one; the files named lie in its /srv. */
export async function booted(files: readonly string[]): Promise<Booted> {
  const directory = mkdtempSync(join(tmpdir(), "namewell-systemd-"));
  const args = ["--mount", "--propagation", "private", "sh", SCRIPT, directory, ...files];
  const child = spawn("unshare", args, { stdio: ["pipe", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const started = new Promise<string[]>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => resolve(line.split(" ").slice(1)));
    void ended.then(() => reject(new Error(`systemd has not started: ${stderr}`)));
  });

  async function close(): Promise<void> {
    child.stdin.end();
    await ended;
    rmdirSync(directory); // not recursive: anything in it would be ours to explain
  }

  const [first, holder] = (await started.catch(async (error) => {
    await close();
    throw error;
  })) as [string, string];

  function run(script: string) {
    const env = ["env", "-i", `PATH=${PATH}`, "LANG=C", "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER="];
    const inside = ["--target", first, ...NAMESPACES, "--", ...env, "sh", "-c", `exec 2>&1; cd /\n${script}`];
    const { status, stdout } = spawnSync("nsenter", inside, { encoding: "utf8", input: "", timeout: 50_000 });
    return { code: status, output: stdout };
  }

  function changed(): string[] {
    const find = ["sh", "-c", 'cd "$1" && find . ! -type d | sort', "sh", join(directory, "upper")];
    const { stdout } = spawnSync("nsenter", ["--target", holder, "--mount", "--", ...find], { encoding: "utf8" });
    return stdout.split("\n").filter((file) => file !== "" && !/^\.\/var\/(log|cache)\//.test(file));
  }

  run("until systemctl is-system-running --wait | grep -Eq 'running|degraded'; do sleep 0.1; done");
  return { run, changed, close };
}
