// Runs the built server as a user would, `node dist/server.js`, and reads its log.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { brokenIdentities } from "../src/operate/identities.ts";

export interface LogLine {
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface ServerProcess {
  readonly pid: number;
  readonly log: readonly LogLine[];
  /** What it wrote on standard error, where a refused start says why. */
  stderr(): string;
  /** Resolves with the first line of the log, past or to come, whose message starts so. */
  seen(start: string): Promise<LogLine>;
  /** Reads no further, as a log collector that has died. */
  closeLog(): void;
  /** The exit code, after a signal if one is given; rejects where the server's last numbers do not fit each other. */
  stopped(signal?: NodeJS.Signals): Promise<number | null>;
}

type Numbers = Parameters<typeof brokenIdentities>[0];

const SERVER_FILE = fileURLToPath(new URL("../dist/server.js", import.meta.url));

export function startServer(settings: Record<string, string>, file = SERVER_FILE): ServerProcess {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(DNS_CACHE_|LD_PRELOAD$)/.test(name));
  const child = spawn(process.execPath, [file], {
    env: { ...Object.fromEntries(inherited), DNS_CACHE_HTTP: "off", ...settings }, // several run at once
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log: LogLine[] = [];
  const waiting = new Set<() => void>();
  let stderr = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    log.push(JSON.parse(line));
    for (const look of waiting) look();
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const exited = new Promise<number | null>((resolve) => child.on("close", resolve));

  return {
    pid: child.pid as number,
    log,
    stderr: () => stderr,
    seen: (start) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const line = log.find(({ msg }) => msg.startsWith(start));
          if (line === undefined) return;
          waiting.delete(look);
          resolve(line);
        };
        waiting.add(look);
        look();
        void exited.then((code) => reject(new Error(`the server ended (${code}) before '${start}': ${stderr}`)));
      }),
    closeLog: () => void child.stdout.destroy(),
    async stopped(signal) {
      if (signal !== undefined) child.kill(signal);
      const code = await exited;
      const last = log.findLast(({ msg }) => msg === "Stopped"); // an earlier version's has no counts
      const broken = last?.counts === undefined ? [] : brokenIdentities(last as unknown as Numbers);
      if (broken.length > 0) throw new Error(`the server's numbers do not fit each other: ${broken.join("; ")}`);
      return code;
    },
  };
}
