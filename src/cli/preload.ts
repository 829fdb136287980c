// `namewell env` and `namewell run`: what makes a program use the cache.
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { CliError } from "./failures.ts";
import type { Session } from "./session.ts";

export type Format = "shell" | "docker" | "compose" | "kubernetes";

const FOUND = "/run/namewell"; // by client.so, where neither table nor socket is beside it
const SEPARATORS = /[ :]/; // of LD_PRELOAD (ld.so(8))
const NOT_FOUND = 127; // as shells have it
const NOT_RUN = 126;
const SIGNALLED = 128;
/** A terminal sends these to all its programs in the foreground by itself. */
const OF_THE_TERMINAL: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT"];
const OTHERS: readonly NodeJS.Signals[] = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCONT", "SIGWINCH"];

export function environment(session: Session, { format }: { readonly format: Format }, env: NodeJS.ProcessEnv): void {
  const { directory } = session.doors;
  const library = libraryOf(session);
  const value = format === "shell" ? appended(env.LD_PRELOAD, library) : library;
  const variables = { LD_PRELOAD: value, ...directoryFor(library, directory) };
  const directories = [...new Set([directory, path.dirname(library)])];
  session.give({ ...variables, directory }, () => environmentLines(format, Object.entries(variables), directories));
  if (!fs.existsSync(library)) session.remark(`${library} is not there yet: start the server first`);
}

type Variables = ReadonlyArray<readonly [string, string]>;

function environmentLines(format: Format, variables: Variables, directories: readonly string[]): string[] {
  const mounts = directories.map((directory) => `${directory}:${directory}:ro`);
  switch (format) {
    case "shell":
      return variables.map(([name, value]) => `export ${name}=${quoted(value)}`);
    case "docker":
      return [
        [
          ...mounts.map((mount) => `-v ${quoted(mount)}`),
          ...variables.map(([name, value]) => `-e ${quoted(`${name}=${value}`)}`),
        ].join(" "),
      ];
    case "compose":
      return [
        "    # of each service that is to use the cache",
        "    volumes:",
        ...mounts.map((mount) => `      - ${JSON.stringify(mount)}`),
        "    environment:",
        ...variables.map(([name, value]) => `      ${name}: ${JSON.stringify(value)}`),
      ];
    case "kubernetes":
      return [
        "# spec of a pod, for each container that is to use the cache",
        "containers:",
        "  - name: app",
        "    env:",
        ...variables.flatMap(([name, value]) => [`      - name: ${name}`, `        value: ${JSON.stringify(value)}`]),
        "    volumeMounts:",
        ...directories.flatMap((directory, at) => [
          `      - name: ${volumeName(at)}`,
          `        mountPath: ${JSON.stringify(directory)}`,
          "        readOnly: true",
        ]),
        "volumes:",
        ...directories.flatMap((directory, at) => [
          `  - name: ${volumeName(at)}`,
          "    hostPath:",
          `      path: ${JSON.stringify(directory)}`,
          "      type: Directory",
        ]),
      ];
  }
}

/** Ends this process as the program ends. */
export async function run(session: Session, command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [program = "", ...args] = command;
  const library = libraryOf(session);
  try {
    fs.accessSync(library, fs.constants.R_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CliError(
      code === "ENOENT" || code === "ENOTDIR"
        ? `${library} is not there: start the server first, or say its directory by --dir`
        : `${library} cannot be read: ${code}`,
    );
  }
  const passed = [...OF_THE_TERMINAL, ...OTHERS];
  for (const signal of passed) process.on(signal, pass); // before the program is there, to whom others may send one at once
  const child = spawn(program, args, {
    stdio: "inherit",
    env: {
      ...env,
      LD_PRELOAD: appended(env.LD_PRELOAD, library),
      ...directoryFor(library, session.doors.directory),
    },
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  function pass(signal: NodeJS.Signals): void {
    if (process.stdin.isTTY && OF_THE_TERMINAL.includes(signal)) return;
    child.kill(signal);
  }
  try {
    const { code, signal } = await ended;
    if (signal === null) return code ?? 1;
    for (const each of passed) process.off(each, pass);
    process.kill(process.pid, signal);
    return SIGNALLED + (os.constants.signals[signal] ?? 0); // of one that is ignored here
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new CliError(`${program}: there is no such program`, NOT_FOUND);
    throw new CliError(`${program} cannot be run: ${code ?? message}`, NOT_RUN);
  }
}

function volumeName(at: number): string {
  return at === 0 ? "dns-cache" : "dns-cache-library";
}

/** What tells client.so of a directory that it does not find by itself. */
function directoryFor(library: string, directory: string): Record<string, string> {
  return path.dirname(library) === directory || directory === FOUND ? {} : { DNS_CACHE_DIR: directory };
}

function libraryOf({ doors: { libraryPath: library } }: Session): string {
  if (SEPARATORS.test(library)) {
    throw new CliError(`${library} cannot be named in LD_PRELOAD: a blank or colon stands in it`);
  }
  return library;
}

export function appended(preload: string | undefined, library: string): string {
  const libraries = (preload ?? "").split(SEPARATORS).filter((each) => each !== "");
  return libraries.includes(library) ? (preload as string) : [...libraries, library].join(":");
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w/.:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
