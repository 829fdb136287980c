// One table of commands: in help, docs and completion scripts.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { COMMANDS, optionsOf } from "../../../src/cli/commands.ts";
import { commandsDoc } from "../../../src/cli/commandsDoc.ts";
import { completionScript, type Shell } from "../../../src/cli/completion.ts";
import { LOG_LEVELS } from "../../../src/log.ts";
import { SETTINGS } from "../../../src/settings/config.ts";
import { VERSION } from "../../../src/version.ts";
import { NAMEWELL, namewell } from "../../support/namewell.ts";
import { toolMissing } from "../../support/programs.ts";

const root = new URL("../../../", import.meta.url);
const SERVER = fileURLToPath(new URL("dist/server.js", root));
const SHELLS: readonly Shell[] = ["bash", "zsh", "fish"];

describe("the table of commands", () => {
  it("is docs/commands.md", () => {
    expect(readFileSync(new URL("docs/commands.md", root), "utf8")).toBe(commandsDoc());
  });

  it("is each command's help", async () => {
    const all = await namewell(["--help"]);
    expect({ code: all.code, stderr: all.stderr }).toEqual({ code: 0, stderr: "" });
    const helps = await Promise.all(COMMANDS.map(({ name }) => namewell([name, "--help"])));
    for (const [i, command] of COMMANDS.entries()) {
      const { code, stdout = "", stderr } = helps[i] ?? { code: 1, stderr: "" };
      expect({ command: command.name, code, stderr }).toEqual({ command: command.name, code: 0, stderr: "" });
      expect(all.stdout).toMatch(new RegExp(`^ {2}${command.name} `, "m"));
      for (const { flags } of optionsOf(command)) expect(stdout).toContain(`  ${flags} `);
      for (const example of command.examples) expect(stdout).toContain(`  ${example}\n`);
    }
  });

  it("knows the levels that the log has", () => {
    const { arguments: [level] = [] } = COMMANDS.find(({ name }) => name === "log-level") ?? {};
    expect(level?.choices).toEqual(LOG_LEVELS);
  });
});

describe("a completion script", () => {
  it.each(SHELLS)("of %s has all commands and options", (shell) => {
    const script = completionScript(shell);
    for (const command of COMMANDS) {
      expect(script).toContain(command.name);
      const prefix = shell === "fish" ? "-l " : "--";
      for (const { flags } of optionsOf(command)) {
        expect(script).toContain(prefix + (flags.split(" ", 1)[0] as string).slice(2));
      }
    }
  });

  describe.each(SHELLS)("for %s", (shell) => {
    const missing = toolMissing(shell, shell);
    it.skipIf(missing)(`parses${missing ? ` (skipped: ${missing})` : ""}`, () => {
      const home = mkdtempSync(path.join(tmpdir(), "namewell-test-"));
      const file = path.join(home, "completion");
      try {
        for (const [script, isFine] of [
          [completionScript(shell), true],
          ["if (((\n", false],
        ] as const) {
          writeFileSync(file, script);
          const env = { PATH: process.env.PATH ?? "", HOME: home };
          const { status } = spawnSync(shell, ["-n", file], { encoding: "utf8", env });
          expect([script, status === 0]).toEqual([script, isFine]);
        }
      } finally {
        rmSync(home, { recursive: true });
      }
    });
  });

  it("of bash completes commands, options and their values", () => {
    const complete = (...words: string[]) => {
      const all = "COMPREPLY[*]"; // in braces it would look like a template's
      const ask = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _namewell; echo "$\{${all}}"`;
      const args = ["-c", `${completionScript("bash")}\n${ask}`, "bash", "namewell", ...words];
      return spawnSync("bash", args, { encoding: "utf8" }).stdout.trim().split(" ");
    };
    expect(complete("lo")).toEqual(["lookup", "log-level"]);
    expect(complete("lookup", "--libc", "")).toEqual(["glibc", "musl"]);
    expect(complete("log-level", "deb")).toEqual(["debug"]);
    expect(complete("flush", "--s")).toEqual(["--suffix"]);
    expect(complete("env", "--dir", "/pro")).toEqual(["/proc"]);
  });
});

describe("what is not understood", () => {
  it("starts nothing, and is told on standard error", async () => {
    for (const [args, line] of [
      [["sttus"], "error: unknown command 'sttus'\n(Did you mean status?)"],
      [["status", "x"], "error: too many arguments for 'status'. Expected 0 arguments but got 1."],
      [["serve", "x"], "error: too many arguments for 'serve'. Expected 0 arguments but got 1."],
      [["--dir", "/x"], "error: unknown option '--dir'"],
      [["lookup"], "error: missing required argument 'name'"],
      [
        ["completion", "tcsh"],
        "error: command-argument value 'tcsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish.",
      ],
    ] as const) {
      const { code, stdout, stderr } = await namewell(args);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr.startsWith(line), stderr).toBe(true);
    }
  });

  it("starts no server by dist/server.js either, and help and version are told", () => {
    const env = { PATH: process.env.PATH, DNS_CACHE_DIR: "/dev/null/none" }; // where none could start
    const server = (...args: string[]) => spawnSync(process.execPath, [SERVER, ...args], { env, encoding: "utf8" });
    expect(server("--version")).toMatchObject({ status: 0, stdout: `${VERSION}\n`, stderr: "" });
    const help = server("--help");
    expect({ status: help.status, stderr: help.stderr }).toEqual({ status: 0, stderr: "" });
    for (const name of Object.keys(SETTINGS)) expect(help.stdout).toContain(`  ${name}`);
    expect(server("stat\nus")).toMatchObject({
      status: 1,
      stdout: "",
      stderr: "'stat\\nus' is not accepted: the server takes no arguments, see --help; namewell has commands\n",
    });
    expect(spawnSync(process.execPath, [NAMEWELL, "-V"], { encoding: "utf8" })).toMatchObject({
      status: 0,
      stdout: `${VERSION}\n`,
    });
  });
});
