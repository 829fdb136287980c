// The HTTP side of a running server: what it serves, and that nothing that is done to it reaches a lookup.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import parsePrometheus from "parse-prometheus-text-format";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream } from "../../demo/upstream.ts";
import { addressesOf } from "../../src/table/record.ts";
import { askOnce, recordsOf } from "../support/frames.ts";
import { toolMissing } from "../support/programs.ts";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const missing = toolMissing("prometheus", "prometheus") ?? toolMissing("promtool", "prometheus");
let directory: string;
let socketPath: string;
let controlPath: string;
let upstream: Upstream;
let server: ServerProcess;
let port: number;

async function serve(settings: Record<string, string> = {}, file?: string): Promise<void> {
  const names = Array.from({ length: 200 }, (_, at) => [`n${at}.example`, { A: ["192.0.2.1"] }]);
  upstream = await startUpstream({ zone: Object.fromEntries(names) });
  port = await freePort();
  server = startServer(
    {
      DNS_CACHE_DIR: path.join(directory, "d"),
      DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`,
      DNS_CACHE_HTTP: `127.0.0.1:${port}`,
      ...settings,
    },
    file,
  );
  await server.seen("Listening");
}
const served = () =>
  Promise.all([server.seen("Serving numbers and health on http"), server.seen("Serving numbers and health on /")]);

async function freePort(): Promise<number> {
  const listener = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => listener.once("listening", resolve));
  const { port: free } = listener.address() as net.AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return free;
}

interface Got {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}
function get(where: string, options: http.RequestOptions & { body?: string } = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const request = http.request({ host: "127.0.0.1", port, path: where, agent: false, ...rest }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    request.on("error", reject);
    request.end(body);
  });
}
const control = (where: string, options: http.RequestOptions & { body?: string } = {}) =>
  get(where, { socketPath: controlPath, ...options });

async function lookups(from = 0, count = 50): Promise<void> {
  for (let at = from; at < from + count; at++) {
    const [record] = recordsOf(await askOnce(socketPath, [`n${at}.example`]));
    expect(addressesOf(record as Buffer)).toEqual(["192.0.2.1"]);
  }
}
async function sampleOf(name: string, labels: Record<string, string> = {}): Promise<number> {
  const family = parsePrometheus((await control("/metrics")).text).find((each) => each.name === name);
  const found = family?.metrics.find((each) =>
    Object.entries(labels).every(([label, value]) => each.labels?.[label] === value),
  );
  return Number(found?.value);
}

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-http-"));
  socketPath = path.join(directory, "d/dns.sock");
  controlPath = path.join(directory, "d/control.sock");
});
afterEach(async () => {
  await server.stopped("SIGTERM");
  await upstream.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

describe("over TCP", () => {
  it("numbers are exactly what was done", async () => {
    await serve();
    await served();
    await lookups(0, 20);
    await lookups(0, 20);
    expect(await sampleOf("namewell_lookups_total", { type: "A", result: "miss" })).toBe(20);
    expect(await sampleOf("namewell_cache_hits_total", { via: "socket", kind: "success" })).toBe(20);
    expect(await sampleOf("namewell_outcomes_total", { outcome: "data" })).toBe(40);
    expect(await sampleOf("namewell_questions_total", { via: "socket" })).toBe(40);
    expect(await sampleOf("namewell_http_up", { door: "tcp" })).toBe(1);
  });

  it("there are health and numbers for whoever asks by an address, and no names and no changes", async () => {
    await serve();
    await served();
    expect(await get("/livez")).toMatchObject({ status: 200, text: "ok\n" });
    expect(await get("/readyz")).toMatchObject({ status: 200, text: "ok\n" });
    expect(JSON.parse((await get("/status")).text)).toMatchObject({ schema: 1, pid: server.pid, isListening: true });
    expect(await get("/status", { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
    expect((await get("/status")).headers).toMatchObject({
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    });
    for (const [where, method, status] of [
      ["/names", "GET", 403],
      ["/lookup?name=n0.example", "GET", 403],
      ["/flush", "POST", 404],
      ["/log-level", "PUT", 404],
      ["/status", "POST", 405],
      ["/nothing", "GET", 404],
      ["/__proto__", "GET", 404],
      ["//", "GET", 400],
    ] as const) {
      const got = await get(where, { method });
      expect({ where, status: got.status, keys: Object.keys(JSON.parse(got.text)) }).toEqual({
        where,
        status,
        keys: ["error"],
      });
    }
  });

  it.each([
    ["evil.example", 403],
    ["evil.example:9953", 403],
    ["localhost:9953", 200],
    ["10.1.2.3:9953", 200],
    ["[::1]:9953", 200],
    ["namewell:9953", 200],
    ["[evil.example]", 403],
  ])("a Host of %s gets %i", async (host, status) => {
    await serve();
    await served();
    expect((await get("/status", { headers: { Host: host } })).status).toBe(status);
  });

  it("names are shown where they may be, and nobody is asked for them", async () => {
    await serve({ DNS_CACHE_HTTP_NAMES: "on" });
    await served();
    await lookups(0, 1);
    expect(JSON.parse((await get("/names")).text).top).toMatchObject([{ name: "n0.example" }]);
    const looked = await get("/lookup?name=n0.example&type=A&ask=1");
    expect(JSON.parse(looked.text).reports).toMatchObject([{ name: "n0.example", data: ["192.0.2.1"] }]);
    const other = await get("/lookup?name=n9.example&type=A&ask=1");
    expect(JSON.parse(other.text).reports).toMatchObject([{ data: [] }]);
    expect(upstream.count("n9.example", "A")).toBe(0);
    expect((await get("/lookup?name=n9.example&type=MX")).status).toBe(400);
  });

  it("a taken port is a line in the log and a number, and it is taken as soon as it is free", async () => {
    const other = net.createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port: taken } = other.address() as net.AddressInfo;
    await serve({ DNS_CACHE_HTTP: `127.0.0.1:${taken}` });
    port = taken;
    expect((await server.seen("Not serving what DNS_CACHE_HTTP says")).reason).toContain("EADDRINUSE");
    await server.seen("Serving numbers and health on /");
    expect(await sampleOf("namewell_http_up", { door: "tcp" })).toBe(0);
    await lookups();
    await new Promise((resolve) => other.close(resolve));
    await server.seen("Serving numbers and health on http");
    expect((await get("/livez")).status).toBe(200);
  });
});

describe("control.sock", () => {
  it("is its owner's alone, flushes, asks and sets the log's level, and goes with the server", async () => {
    await serve();
    await served();
    expect(fs.statSync(controlPath).mode & 0o777).toBe(0o600);
    await lookups(0, 3);
    expect(JSON.parse((await control("/names")).text).top).toHaveLength(3);
    const flush = await control("/flush", { method: "POST", body: '{"what":"name","name":"n1.example"}' });
    expect(JSON.parse(flush.text)).toMatchObject({ table: 1 });
    const asked = await control("/lookup?name=n9.example&type=A&ask=1");
    expect(JSON.parse(asked.text).reports).toMatchObject([{ data: ["192.0.2.1"] }]);
    expect(JSON.parse((await control("/log-level", { method: "PUT", body: '{"level":"warn"}' })).text)).toEqual({
      level: "warn",
    });
    expect(JSON.parse((await control("/log-level")).text)).toEqual({ level: "warn" });
    for (const body of ["", "{", "null", '{"what":"name"}', '{"what":"everything"}', `"${"x".repeat(5000)}"`]) {
      const refused = await control("/flush", { method: "POST", body });
      expect({ body, status: refused.status }).toEqual({ body, status: 400 });
    }
    expect((await control("/log-level", { method: "PUT", body: '{"level":"loud"}' })).status).toBe(400);
    expect((await control("/flush")).status).toBe(405);
    await server.stopped("SIGTERM");
    expect(fs.existsSync(controlPath)).toBe(false);
  });

  it("of a server that was killed is replaced, and another's is left alone", async () => {
    await serve();
    await served();
    await server.stopped("SIGKILL");
    await upstream.close();
    expect(fs.existsSync(controlPath)).toBe(true);
    await serve();
    await served();
    expect((await control("/livez")).status).toBe(200);
    fs.rmSync(controlPath);
    fs.writeFileSync(controlPath, "of another");
    await server.stopped("SIGTERM");
    expect(fs.readFileSync(controlPath, "utf8")).toBe("of another");
  });
});

describe("lookups go on", () => {
  it.each([
    ["/metrics", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["the page", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ])("beside a flood of %s, connections that are half open, and readers of a byte now and then", async (_, asking) => {
    await serve();
    await served();
    const pipelined = Buffer.from(asking.repeat(6000));
    const flooding = (at: number) => {
      const socket = net.connect({ port, host: "127.0.0.1" });
      socket.on("error", () => undefined);
      if (at % 2 === 0) socket.write("GET /metrics HTTP/1.1\r\nHos");
      else socket.write(pipelined);
      socket.pause();
      return socket;
    };
    let sockets = Array.from({ length: 600 }, (_, at) => flooding(at));
    let isOver = false;
    const flood = [
      ...Array.from({ length: 8 }, async () => {
        while (!isOver) await get("/metrics").catch(() => undefined);
      }),
      (async () => {
        while (!isOver) {
          for (const socket of sockets.splice(0, 50)) socket.destroy();
          sockets = [...sockets, ...Array.from({ length: 50 }, (_, at) => flooding(at))];
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      })(),
    ];
    await lookups(0, 100);
    isOver = true;
    await Promise.all(flood);
    expect((await control("/livez")).status).toBe(200);
    expect(await sampleOf("namewell_http_restarts_total")).toBe(0);
    expect(await sampleOf("namewell_http_connections", { door: "tcp" })).toBeLessThanOrEqual(64);
    for (const socket of sockets) socket.destroy();
  });

  it.each([
    ["has ended by an error", "setTimeout(() => { throw new Error('it was made to') }, 50)", "it was made to"],
    ["is out of memory", "const all = []; for (;;) all.push(new Array(1000).fill(all.length))", "memory"],
    ["cannot even start", "import 'no-such-module'", "no-such-module"],
  ])("while the thread %s, again and again", async (_, program, reason) => {
    await serve({}, copyWith(program));
    const ended = await server.seen("The part that serves numbers and health has ended");
    expect(ended.msg).toContain(reason);
    await lookups();
    const again = () => server.log.filter(({ msg }) => msg.startsWith("The part that serves")).length > 1;
    while (!again()) await new Promise((resolve) => setTimeout(resolve, 20));
    await lookups();
    expect(server.log.filter(({ msg }) => msg.startsWith("The part that")).map(({ seconds }) => seconds)).toEqual([
      1, 2,
    ]);
  });

  it("while the thread does nothing but turn in a circle, and the server stops when it is told to", async () => {
    await serve({}, copyWith("for (;;);"));
    await lookups(0, 100);
    expect(await server.stopped("SIGTERM")).toBe(0);
  });

  /** A server whose thread runs this program. */
  function copyWith(program: string): string {
    const copy = path.join(directory, "dist");
    fs.mkdirSync(copy);
    for (const name of fs.readdirSync(DIST)) {
      if (/^(client|doctor)-|^namewell\.wasm$|^server\.js$/.test(name))
        fs.copyFileSync(path.join(DIST, name), path.join(copy, name));
    }
    fs.symlinkSync(path.join(DIST, "../node_modules"), path.join(directory, "node_modules"));
    fs.writeFileSync(path.join(directory, "package.json"), '{"type":"module"}');
    fs.writeFileSync(path.join(copy, "operate.js"), program);
    return path.join(copy, "server.js");
  }
});

describe("the thread", () => {
  it("gives way to the main one", async () => {
    await serve();
    await served();
    const niceOf = (stat: string) => fs.readFileSync(stat, "utf8").split(") ")[1]?.split(" ")[16];
    const tasks = fs.readdirSync(`/proc/${server.pid}/task`);
    expect(
      tasks.map((tid) => niceOf(`/proc/${server.pid}/task/${tid}/stat`)).filter((nice) => nice === "10"),
    ).toHaveLength(1);
    expect(niceOf(`/proc/${server.pid}/task/${server.pid}/stat`)).toBe("0");
  });
});

describe.skipIf(missing)(`Prometheus${missing ? ` (skipped: ${missing})` : ""}`, () => {
  it("scrapes a running server, whose metrics promtool has nothing against", async () => {
    await serve();
    await served();
    await lookups(0, 7);
    const checked = spawnSync("promtool", ["check", "metrics"], {
      input: (await get("/metrics")).text,
      encoding: "utf8",
    });
    expect({ status: checked.status, told: checked.stdout + checked.stderr }).toEqual({ status: 0, told: "" });

    const own = await freePort();
    const file = path.join(directory, "prometheus.yml");
    const jobs = [{ job_name: "namewell", static_configs: [{ targets: [`127.0.0.1:${port}`] }] }];
    fs.writeFileSync(file, JSON.stringify({ global: { scrape_interval: "1s" }, scrape_configs: jobs }));
    const prometheus = spawn(
      "prometheus",
      [`--config.file=${file}`, `--storage.tsdb.path=${directory}/tsdb`, `--web.listen-address=127.0.0.1:${own}`],
      { stdio: "ignore" },
    );
    const ended = new Promise((resolve) => prometheus.once("exit", resolve));
    try {
      const query = `/api/v1/query?query=${encodeURIComponent('namewell_cache_misses_total{job="namewell",how="asked"}')}`;
      for (;;) {
        const answer = await get(query, { port: own }).catch(() => undefined);
        const [result] = answer?.status === 200 ? (JSON.parse(answer.text).data?.result ?? []) : [];
        if (result !== undefined) {
          expect(result.value[1]).toBe("7");
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    } finally {
      prometheus.kill();
      await ended;
    }
  });
});
