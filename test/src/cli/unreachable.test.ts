// The commands that ask a server, where none is there, may be asked or answers.
import fs from "node:fs";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ask } from "../../../src/cli/ask.ts";
import { doorsOf } from "../../../src/cli/doors.ts";
import { namewell } from "../../support/namewell.ts";
import { makeStatus } from "../../support/snapshot.ts";

const NOBODY = 65_534;
const notRoot = process.getuid?.() !== 0 && process.env.CI !== "true";
const READING = [["status"], ["lookup", "www.example."], ["top"], ["watch"], ["upstreams"], ["log-level"]];
const CHANGING = [
  ["flush", "--all"],
  ["log-level", "debug"],
];

let directory: string;
let controlPath: string;
let servers: net.Server[];
let sockets: net.Socket[];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-cli-"));
  controlPath = path.join(directory, "control.sock");
  servers = [];
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  fs.rmSync(directory, { recursive: true, force: true });
});

const run = (args: readonly string[], env: Record<string, string> = {}, uid?: number) =>
  namewell([...args, "--dir", directory], { env, ...(uid !== undefined && { uid }) });

async function listen(server: net.Server, at: string | { host: string; port: number }): Promise<void> {
  server.on("connection", (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(at, resolve));
  servers.push(server);
}

/** Answers the same to all. */
async function answering(status: number, value: unknown, at: Parameters<typeof listen>[1] = controlPath) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const server = http.createServer((_request, response) => void response.writeHead(status).end(text));
  await listen(server, at);
  return server;
}
/** Its address. */
async function overTcp(status: number, value: unknown): Promise<string> {
  const server = await answering(status, value, { host: "127.0.0.1", port: 0 });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("without a server", () => {
  it("all that ask one end with 3 and one line that says where nobody listens", async () => {
    for (const args of [...READING, ...CHANGING]) {
      const stderr = `namewell: No server is running: nobody listens on ${controlPath}. Another directory is said by --dir or DNS_CACHE_DIR\n`;
      expect({ args, ...(await run(args)) }).toEqual({ args, code: 3, signal: null, stdout: "", stderr });
    }
  });

  it("the socket that a dead server left behind is none either", async () => {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(controlPath, resolve));
    fs.linkSync(controlPath, `${controlPath}.kept`);
    await new Promise((resolve) => server.close(resolve));
    fs.renameSync(`${controlPath}.kept`, controlPath);
    expect(fs.statSync(controlPath).isSocket()).toBe(true);
    expect(await run(["status"])).toMatchObject({ code: 3, stderr: expect.stringContaining("No server is running") });
  });

  it("nothing is taken for it that only has another's usual HTTP address", () => {
    expect(doorsOf({ dir: "/somewhere" }, {}).isHttpDoubtful).toBe(true);
    expect(doorsOf({ dir: "/somewhere", http: "http://127.0.0.1:80/" }, {})).toMatchObject({
      isHttpDoubtful: false,
      http: { host: "127.0.0.1", port: 80 },
    });
    expect(doorsOf({}, {}).isHttpDoubtful).toBe(false);
  });
});

describe("beside a server that has no control.sock", () => {
  it("what changes something says so and what to do, and what reads goes over HTTP", async () => {
    await listen(
      net.createServer((socket) => socket.end()),
      path.join(directory, "dns.sock"),
    );
    const env = { DNS_CACHE_HTTP: await overTcp(200, makeStatus()) };
    const flush = await run(["flush", "--all"], env);
    expect(flush.code).toBe(1);
    expect(flush.stderr).toBe(
      `namewell: A server listens on ${directory}/dns.sock, but nobody on ${controlPath}. Is its DNS_CACHE_CONTROL off or elsewhere? --control or --http says where to ask it\n`,
    );
    const status = await run(["status"], env);
    expect({ code: status.code, stderr: status.stderr }).toEqual({
      code: 0,
      stderr: `(asked over http://${env.DNS_CACHE_HTTP}/; the directory of that server is /dns_cache)\n`,
    });
    expect(status.stdout).toMatch(/^Namewell 1\.2\.3, up for 60 min: something is wrong\n/);
  });

  it("names that are not shown over HTTP are asked for elsewhere", async () => {
    const env = {
      DNS_CACHE_HTTP: await overTcp(403, { error: "names of DNS are not shown here: DNS_CACHE_HTTP_NAMES is off" }),
    };
    expect(await run(["top"], env)).toMatchObject({
      code: 1,
      stdout: "",
      stderr: `namewell: names of DNS are not shown here: DNS_CACHE_HTTP_NAMES is off (http://${env.DNS_CACHE_HTTP}/). Ask as the server's own user or as root, over its control.sock\n`,
    });
  });
});

describe.skipIf(notRoot)("as a user that may not use control.sock", () => {
  it("what changes something says who may, and what reads goes over HTTP", async () => {
    await answering(200, { level: "info" });
    fs.chmodSync(directory, 0o755);
    fs.chmodSync(controlPath, 0o600);
    const who = `${controlPath} may be used by the server's own user and root alone`;
    expect(await run(["flush", "--all"], {}, NOBODY)).toMatchObject({
      code: 1,
      stderr: `namewell: ${who}. Run this as one of them (sudo, docker exec)\n`,
    });
    expect(await run(["status"], { DNS_CACHE_HTTP: "127.0.0.1:1" }, NOBODY)).toMatchObject({
      code: 1,
      stderr: `namewell: ${who}, and nobody listens on http://127.0.0.1:1/. Run this as one of them (sudo, docker exec)\n`,
    });
    const env = { DNS_CACHE_HTTP: await overTcp(200, makeStatus()) };
    expect(await run(["upstreams"], env, NOBODY)).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("where something else answers, or nothing", () => {
  it("a server that hangs is not waited for longer than 5 s", async () => {
    await listen(net.createServer(), controlPath);
    const error = `The server on ${controlPath} does not answer within 0.1 s: it hangs, or has too much to do`;
    const doors = doorsOf({ control: controlPath }, { DNS_CACHE_HTTP: "off" });
    await expect(ask(doors, { method: "GET", path: "/status" }, 100)).rejects.toThrow(error);
    expect(await run(["status"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("does not answer within 5 s"),
    });
  });

  /** Its lookups take this long, and its health is this. */
  async function slow(ms: number, healthStatus: number) {
    const server = http.createServer((request, response) => {
      if (request.url === "/livez") response.writeHead(healthStatus).end("the event loop does not turn\n");
      else setTimeout(() => response.end('{"reports":[]}'), ms);
    });
    await listen(server, controlPath);
  }
  const lookup = { method: "GET", path: "/lookup?name=www.example&type=A&ask=1" } as const;
  const ownDoors = () => doorsOf({ control: controlPath }, { DNS_CACHE_HTTP: "off" });

  it("a lookup waits for a server's DNS servers, says that it waits, and ends with the server", async () => {
    await slow(2500, 200);
    let waits = 0;
    const { value } = await ask<{ reports: [] }>(ownDoors(), { ...lookup, onWait: () => waits++ });
    expect({ value, waits }).toEqual({ value: { reports: [] }, waits: 1 });
  });

  it("a lookup does not wait for a server that has stopped, or whose main thread hangs", async () => {
    await slow(60_000, 503);
    await expect(ask(ownDoors(), lookup)).rejects.toThrow(
      `The server on ${controlPath} hangs: the event loop does not turn`,
    );
    fs.rmSync(controlPath);
    await listen(net.createServer(), controlPath);
    expect(await run(["lookup", "www.example."])).toMatchObject({
      code: 1,
      stderr: `namewell: The server on ${controlPath} does not answer within 5 s: it hangs, or has too much to do\n`,
    });
  }, 20_000);

  it("what is no Namewell server is not taken for one", async () => {
    await listen(
      net.createServer((socket) => socket.end("220 mail.example ready\r\n")),
      controlPath,
    );
    expect(await run(["status"])).toMatchObject({
      code: 1,
      stderr: `namewell: What listens on ${controlPath} is no Namewell server\n`,
    });
    const other = path.join(directory, "other.sock");
    await answering(200, "<html>", other);
    const stderr = `namewell: What listens on ${other} is no Namewell server, or another version of it (HTTP 200)\n`;
    expect(await run(["status", "--control", other])).toMatchObject({ code: 1, stderr });
  });

  it.each([
    ["an empty one", {}],
    ["a list", []],
    ["no more than a schema", { schema: 99 }],
    ["another schema", { ...makeStatus(), schema: 99 }],
    ["other types", { ...makeStatus(), groups: 1, top: 1, reports: {}, level: 1 }],
  ])("a reply that is another service's, or another version's, is told as such: %s", async (_what, body) => {
    await answering(200, body);
    for (const args of [...READING, ...CHANGING]) {
      const { code, stdout, stderr } = await run(args);
      expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: "" });
      expect(stderr).toBe(
        `namewell: What listens on ${controlPath} is no Namewell server, or another version of it (HTTP 200)\n`,
      );
    }
  });

  it.each([{ message: "not found" }, { error: { code: 404 } }])(
    "an error that is another service's is told as such: %j",
    async (body) => {
      await answering(404, body);
      const stderr = `namewell: What listens on ${controlPath} is no Namewell server, or another version of it (HTTP 404)\n`;
      expect(await run(["top"])).toMatchObject({ code: 1, stdout: "", stderr });
    },
  );

  it("a server that is said by its HTTP address alone is asked there, not over this machine's control.sock", async () => {
    await answering(200, makeStatus({ version: "9.9.9" }));
    const address = await overTcp(200, makeStatus());
    const env = { DNS_CACHE_DIR: directory };
    const status = await namewell(["status", "--http", `http://${address}/`], { env });
    expect(status.stdout).toMatch(/^Namewell 1\.2\.3,/);
    expect(await namewell(["flush", "--all", "--http", address], { env })).toMatchObject({
      code: 1,
      stderr: "namewell: Over HTTP a server is told nothing: --dir or --control says where its control.sock is\n",
    });
    expect(doorsOf({ http: "http://localhost:80/" }, {}).http).toEqual({ host: "127.0.0.1", port: 80 });
  });

  it("an error of the server is told on one line, whatever stands in it", async () => {
    await answering(503, { error: "too\nmuch \x1b[31m" });
    expect(await run(["status"])).toMatchObject({ code: 1, stdout: "", stderr: "namewell: too\\x0amuch \\x1b[31m\n" });
  });
});

it("text of the server moves no terminal's cursor, as text and as JSON", async () => {
  const events = [{ atMs: 0, level: "warn" as const, text: "\x1b]0;title\x07\u202e\u009b2J" }];
  await answering(200, makeStatus({ events, version: "1\x1b[2J", socketPath: "/\r" }));
  for (const args of [["status"], ["status", "--json"]]) {
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    expect(stdout.replaceAll("\n", "")).toMatch(/^[ -~\u2013]+$/);
  }
});

it("a place that cannot be one is refused by the name that it was given by", async () => {
  const cases = [
    [
      { DNS_CACHE_DIR: "relative" },
      [],
      "DNS_CACHE_DIR: 'relative' is not accepted; accepted: an absolute path of at most 98 bytes",
    ],
    [
      {},
      ["--http", "nowhere"],
      "--http: 'nowhere' is not accepted; accepted: an address and port such as 127.0.0.1:9953 or [::1]:9953, or off",
    ],
    [
      {},
      ["--dir", `/${"x".repeat(99)}`],
      `--dir: '/${"x".repeat(99)}' is not accepted; accepted: an absolute path of at most 98 bytes`,
    ],
  ] as const;
  for (const [env, args, error] of cases) {
    expect(await namewell(["status", ...args], { env })).toMatchObject({
      code: 1,
      stdout: "",
      stderr: `namewell: ${error}\n`,
    });
  }
});
