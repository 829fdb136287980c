// `namewell env` and `namewell run`: what makes a program use the cache.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { appended } from "../../../src/cli/preload.ts";
import { namewell } from "../../support/namewell.ts";
import { CLIENT } from "../../support/programs.ts";

let directory: string;
let library: string;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-cli-"));
  library = path.join(directory, "client.so");
  fs.copyFileSync(CLIENT, library);
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const inDirectory = (args: readonly string[]) => [args[0] as string, "--dir", directory, ...args.slice(1)];
const run = (args: readonly string[], env: Record<string, string> = {}) => namewell(inDirectory(args), { env });

describe("namewell env", () => {
  it("gives a line for the shell, which keeps what is preloaded already and is not there twice", async () => {
    for (const [preload, expected] of [
      [undefined, library],
      ["/a.so", `/a.so:${library}`],
      [`/a.so ${library}`, `/a.so ${library}`],
    ] as const) {
      const { code, stdout } = await run(["env"], preload === undefined ? {} : { LD_PRELOAD: preload });
      const { stdout: value } = spawnSync("sh", ["-c", `${stdout}\nunset X; printf %s "$LD_PRELOAD"`], {
        encoding: "utf8",
      });
      expect({ code, value }).toEqual({ code: 0, value: expected });
    }
  });

  it("says what containers need, in the words of each", async () => {
    const { stdout: docker } = await run(["env", "--format", "docker"]);
    expect(docker).toBe(`-v ${directory}:${directory}:ro -e LD_PRELOAD=${library}\n`);
    const { stdout: compose } = await run(["env", "--format", "compose"]);
    expect(compose).toContain(`\n      LD_PRELOAD: "${library}"\n`);
    const { stdout: kubernetes } = await run(["env", "--format", "kubernetes"]);
    expect(kubernetes).toContain(`\n      - name: LD_PRELOAD\n        value: "${library}"\n`);
    expect(await run(["env", "--format", "nomad"])).toMatchObject({ code: 1, stdout: "" });
  });

  it("says that client.so is not there yet, beside the line", async () => {
    fs.rmSync(library);
    expect(await run(["env"])).toEqual({
      code: 0,
      signal: null,
      stdout: `export LD_PRELOAD=${library}\n`,
      stderr: `${library} is not there yet: start the server first\n`,
    });
  });

  it("refuses a directory that LD_PRELOAD cannot name", async () => {
    const { code, stderr } = await namewell(["env", "--dir", "/with blank"]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: "namewell: /with blank/client.so cannot be named in LD_PRELOAD: a blank or colon stands in it\n",
    });
  });
});

describe("namewell run", () => {
  it("starts a program with client.so behind what is preloaded already, and its options are its own", async () => {
    const ran = await run(["run", "--", "sh", "-c", 'grep -c client.so /proc/$$/maps >&2; echo "$1"', "sh", "--json"]);
    expect({ code: ran.code, stdout: ran.stdout }).toEqual({ code: 0, stdout: "--json\n" });
    expect(Number(ran.stderr)).toBeGreaterThan(0);
    const beside = path.join(directory, "other.so");
    fs.copyFileSync(CLIENT, beside);
    const preload = await run(["run", "--", "sh", "-c", 'echo "$LD_PRELOAD"'], { LD_PRELOAD: beside });
    expect(preload.stdout).toBe(`${beside}:${library}\n`);
    expect(appended(` ${beside}: `, library)).toBe(`${beside}:${library}`);
  });

  it("ends as the program does: by its code, or by its signal", async () => {
    expect(await run(["run", "--", "sh", "-c", "exit 42"])).toMatchObject({ code: 42, signal: null });
    for (const signal of ["KILL", "TERM", "INT", "USR2"] as const) {
      const killed = await run(["run", "--", "sh", "-c", `kill -${signal} $$`]);
      expect(killed).toMatchObject({ code: null, signal: `SIG${signal}` });
    }
  });

  it("passes signals on", async () => {
    for (const signal of ["TERM", "INT", "HUP", "USR1"] as const) {
      const script = `trap 'echo got ${signal}; exit 7' ${signal}; echo ready; while :; do sleep 0.05; done`;
      const args = inDirectory(["run", "--", "sh", "-c", script]);
      expect(await namewell(args, { signalAt: [/ready/, `SIG${signal}`] })).toEqual({
        code: 7,
        signal: null,
        stdout: `ready\ngot ${signal}\n`,
        stderr: "",
      });
    }
  });

  it("says why it cannot start one", async () => {
    const { code, stderr } = await run(["run", "--", "no-such-program"]);
    expect({ code, stderr }).toEqual({ code: 127, stderr: "namewell: no-such-program: there is no such program\n" });
    const plain = path.join(directory, "plain");
    fs.writeFileSync(plain, "");
    expect(await run(["run", "--", plain])).toMatchObject({
      code: 126,
      stderr: `namewell: ${plain} cannot be run: EACCES\n`,
    });
    fs.rmSync(library);
    const missing = `namewell: ${library} is not there: start the server first, or say its directory by --dir\n`;
    expect(await run(["run", "--", "true"])).toMatchObject({ code: 1, stdout: "", stderr: missing });
    expect(await run(["run"])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: missing required argument 'command'/),
    });
  });
});
