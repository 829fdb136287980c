import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { hasColours, logLine } from "../../src/logline.ts";
import { toolMissing } from "../support/programs.ts";

const SERVER = new URL("../../dist/server.js", import.meta.url).pathname;
const missing = toolMissing("script", "bsdutils");

/** What pino would have written. */
function line(write: (logger: pino.Logger) => void, hasColour = false): string {
  let json = "";
  const stream = {
    write(text: string) {
      json = text;
    },
  };
  write(pino({ level: "trace", base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream));
  return logLine(json, hasColour).replace(/^\d\d:\d\d:\d\d /, "");
}

describe("a line of the log for people", () => {
  it("has level, text, and what the text does not say already", () => {
    expect(line((log) => log.debug({ type: "A" }, "Cache hit a.example"))).toBe(
      "debug Cache hit a.example  (type A)\n",
    );
    expect(line((log) => log.info({ socket: "/s", upstreams: ["a", "b"], n: 2 }, "Listening on /s"))).toBe(
      "info  Listening on /s  (upstreams a, b, n 2)\n",
    );
    expect(line((log) => log.info({ counts: { a: 1 } }, "Stopped"))).toBe("info  Stopped\n");
  });

  it("colours the level alone", () => {
    expect(line((log) => log.warn("Odd"), true)).toBe("\x1b[33mwarn \x1b[0m Odd\n");
  });

  it("makes visible what would move the cursor", () => {
    const text = line((log) => log.warn({ reason: "\x07\u202e" }, "\x1b[31m\r\n\u009b2J"));
    expect(text).toBe("warn  \\x1b[31m\\x0d\\x0a\\x9b2J  (reason \\x07\\u{202e})\n");
  });

  it("keeps an error's stack, a line each", () => {
    const lines = line((log) => log.fatal({ err: new Error("no\x1b") }, "Stopping")).split("\n");
    expect(lines.slice(0, 2)).toEqual(["fatal Stopping", "Error: no\\x1b"]);
    expect(lines[2]).toMatch(/^ {4}at /);
  });

  it("has colours on a terminal, where NO_COLOR is not set", () => {
    const terminal = { isTTY: true };
    expect(hasColours(terminal, {})).toBe(true);
    expect(hasColours(terminal, { NO_COLOR: "" })).toBe(true);
    expect([
      hasColours(terminal, { NO_COLOR: "1" }),
      hasColours(terminal, { TERM: "dumb" }),
      hasColours({}, {}),
    ]).toEqual([false, false, false]);
  });

  it.skipIf(missing)(`is what the server writes to a terminal${missing ? ` (skipped: ${missing})` : ""}`, () => {
    const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    const env = {
      PATH: process.env.PATH,
      DNS_CACHE_DIR: directory,
      DNS_CACHE_UPSTREAMS: "127.0.0.1",
      DNS_CACHE_HTTP: "off",
      DNS_CACHE_CONTROL: "off",
    };
    const written = (more: object) => {
      const command = `${process.execPath} ${SERVER} & while [ ! -S ${directory}/dns.sock ]; do sleep 0.05; done; kill $!; wait`;
      return spawnSync("script", ["-qec", command, "/dev/null"], { env: { ...env, ...more }, encoding: "utf8" }).stdout;
    };
    try {
      expect(written({ NO_COLOR: "1" })).toMatch(/^\d\d:\d\d:\d\d info {2}Installed .*client\.so\r\n/);
      expect(written({ TERM: "xterm" })).toContain(" \x1b[32minfo \x1b[0m Went on with 0 entries");
    } finally {
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });
});
