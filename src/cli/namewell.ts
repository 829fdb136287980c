#!/usr/bin/env node
// The command line of the product, by unbound-control's exit codes.
//
// The map of this folder. What there is to type stands in commands.ts, and is read in program.ts; a file for each command says
// what it does, asking the server by ask.ts, which doors.ts finds; doctor*.ts are the doctor's.
import { CommanderError } from "commander";
import { visible } from "../logline.ts";
import { completionScript, type Shell } from "./completion.ts";
import { diagnose } from "./diagnose.ts";
import { doorsOf, type ServerOptions, settingsOf } from "./doors.ts";
import { CliError } from "./failures.ts";
import { type FlushOptions, flush } from "./flush.ts";
import { install } from "./install.ts";
import { logLevel } from "./logLevel.ts";
import { type LookupOptions, lookup } from "./lookup.ts";
import { environment, type Format, run } from "./preload.ts";
import { createProgram, type Given } from "./program.ts";
import { createSession } from "./session.ts";
import { status } from "./status.ts";
import { top } from "./top.ts";
import { upstreams } from "./upstreams.ts";
import { type WatchOptions, watch } from "./watch.ts";

const SERVER = new URL("server.js", import.meta.url); // beside this bundle

async function serve(options: ServerOptions): Promise<void> {
  Object.assign(process.env, settingsOf(options));
  process.argv.splice(2); // it takes none
  await import(SERVER.href);
}

/** The exit code; undefined where this process goes on. */
async function perform({ command, words, options }: Given): Promise<number | undefined> {
  const [word] = words;
  if (command === "serve") {
    await serve(options);
    return undefined;
  }
  if (command === "completion") {
    process.stdout.write(completionScript(word as Shell));
    return 0;
  }
  if (command === "install") {
    const { lines, remarks } = install(word as string);
    for (const line of lines) process.stdout.write(`${visible(line)}\n`);
    for (const remark of remarks) process.stderr.write(`${visible(remark)}\n`);
    return 0;
  }
  const session = createSession(doorsOf(options, process.env), options.json === true);
  switch (command) {
    case "lookup":
      await lookup(session, word as string, options as unknown as LookupOptions);
      return 0;
    case "flush":
      await flush(session, word, options as FlushOptions);
      return 0;
    case "top":
      await top(session, options as { count: string });
      return 0;
    case "watch":
      await watch(session, options as unknown as WatchOptions);
      return 0;
    case "upstreams":
      await upstreams(session);
      return 0;
    case "doctor":
      return await diagnose(session, word, options);
    case "env":
      environment(session, options as unknown as { format: Format }, process.env);
      return 0;
    case "run":
      return await run(session, words, process.env);
    case "log-level":
      await logLevel(session, word);
      return 0;
    default:
      await status(session);
      return 0;
  }
}

async function main(args: readonly string[]): Promise<void> {
  process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => process.exit(code === "EPIPE" ? 0 : 1)); // a reader that has seen enough
  try {
    const given = createProgram().read(args.length === 0 ? ["serve"] : args);
    process.exitCode = await perform(given);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode; // it has said why
      return;
    }
    if (!(error instanceof CliError)) throw error;
    process.stderr.write(`namewell: ${visible(error.message)}\n`);
    process.exitCode = error.exitCode;
  }
}

await main(process.argv.slice(2));
