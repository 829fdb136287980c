// The doctor on the node: all is fine, and one thing at a time is not.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Packet } from "dns-packet";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type UpstreamOptions } from "../../../demo/upstream.ts";
import { doctor, exitCodeOf, reportText } from "../../../src/cli/doctor.ts";
import { type Config, readConfig } from "../../../src/settings/config.ts";
import { VERSION } from "../../../src/version.ts";
import { askOnce } from "../../support/frames.ts";
import { sandbox, sandboxMissing } from "../../support/sandbox.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const DIST = join(ROOT, "dist");
const ZONE = { "www.example": { A: ["192.0.2.1"] } };
const OFF = { DNS_CACHE_HTTP: "off", DNS_CACHE_CONTROL: "off" };
const NOBODY = { addresses: [], listing: { rotate: false, timeoutMs: 5000, attempts: 2 } };
const [SERVFAIL, REFUSED] = [2, 5];

let base: string;
let directory: string;
let ends: (() => Promise<unknown>)[];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "namewell-doctor-"));
  directory = join(base, "shared");
  mkdirSync(directory);
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  rmSync(base, { recursive: true, force: true });
});

async function upstream(tamper?: UpstreamOptions["tamper"]): Promise<Upstream> {
  const started = await startUpstream({ zone: ZONE, ...(tamper && { tamper }) });
  ends.push(() => started.close());
  return started;
}

async function server(settings: Record<string, string> = {}): Promise<ServerProcess> {
  const started = startServer({ DNS_CACHE_DIR: directory, ...OFF, ...settings });
  ends.push(() => started.stopped("SIGKILL"));
  await started.seen("Listening");
  return started;
}

function configOf(settings: Record<string, string> = {}): Config {
  return readConfig({ DNS_CACHE_DIR: directory, ...OFF, ...settings }, () => NOBODY);
}

async function findings(settings: Record<string, string> = {}, name?: string) {
  const report = await doctor({ config: configOf(settings), build: DIST, name });
  const checks = report.groups.flatMap((group) => group.checks);
  return { report, checks, codes: checks.flatMap(({ code }) => code ?? []), exitCode: exitCodeOf(report) };
}

function says(rcode: number, reply: Packet): Packet {
  return { ...reply, flags: ((reply.flags ?? 0) & ~0xf) | rcode };
}

async function servedWith(tamper?: UpstreamOptions["tamper"], settings: Record<string, string> = {}) {
  const { port } = await upstream(tamper);
  const started = await server({ DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}`, ...settings });
  return { port, started };
}

describe("the doctor on the node", () => {
  it("says that all is fine", async () => {
    const { port } = await servedWith();
    const { report, exitCode } = await findings({ DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}` }, "WWW.example");
    const text = reportText(report)
      .replaceAll(base, "")
      .replaceAll(/\d+ ms/g, "N ms");
    expect(text.replace(/ on \S+, mounted at .*/, "")).toBe(`directory
  ok    /shared is the server's directory
  ok    there is room for a second table
  ok    /shared/client.so is this build's, for ${process.arch}
  -     within a container, /shared/doctor says why its lookups do not come from here

server
  ok    it answers on /shared/dns.sock within N ms

table
  ok    /shared/cache.table is of layout 2
  ok    the server's heartbeat is N ms old
  ok    0 of the table's 65536 entries are in use
  -     the server asks udp 127.0.0.1:${port}

upstreams
  ok    udp 127.0.0.1:${port} answers within N ms, over TCP within N ms

operation
  -     DNS_CACHE_CONTROL is off
  -     DNS_CACHE_HTTP is off

name
  ok    www.example is answered within N ms: A data, AAAA no such record

All is fine (warnings: 0).
`);
    expect(exitCode).toBe(0);
  });

  it("finds no directory, another, one that others may write to, and no or another client.so", async () => {
    rmSync(directory, { recursive: true });
    expect((await findings()).codes).toEqual(["NW-201", "NW-701"]);
    mkdirSync(directory);
    expect((await findings()).codes).toEqual(["NW-202", "NW-701"]);

    const { port } = await servedWith();
    const settings = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}` };
    const client = join(directory, "client.so");
    const bytes = readFileSync(client);
    const put = (change: (copy: Buffer) => void) => {
      const copy = Buffer.from(bytes);
      change(copy);
      rmSync(client);
      writeFileSync(client, copy);
    };
    put((copy) => copy.writeUInt8(1, copy.length - 1));
    expect((await findings(settings)).codes).toEqual(["NW-211"]);
    put((copy) => copy.writeUInt16LE(21, 18));
    expect((await findings(settings)).codes).toEqual(["NW-204"]);
    rmSync(client);
    expect((await findings(settings)).codes).toEqual(["NW-205"]);
  });

  it("finds that others may write to the directory", async () => {
    const { port } = await servedWith();
    chmodSync(directory, 0o777);
    const found = await findings({ DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}` });
    expect(found).toMatchObject({ codes: ["NW-208"], exitCode: 0 });
  });

  it("finds that the server is dead, or hangs, or speaks otherwise", async () => {
    const { port, started } = await servedWith();
    const settings = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}` };
    process.kill(started.pid, "SIGSTOP");
    expect(await findings(settings)).toMatchObject({ codes: ["NW-302"], exitCode: 1 });
    await started.stopped("SIGKILL");
    expect(await findings(settings)).toMatchObject({ codes: ["NW-301"], exitCode: 1 });

    rmSync(join(directory, "dns.sock"));
    const other = createNetServer((socket) => socket.end(Buffer.from([0, 0, 0, 8, 99, 5, 0, 0])));
    await new Promise<void>((resolve) => other.listen(join(directory, "dns.sock"), resolve));
    ends.push(async () => other.close());
    expect((await findings(settings)).codes).toEqual(["NW-305"]);
  });

  it("finds no table, one of another layout, and one that is full", async () => {
    const { port } = await servedWith(undefined, { DNS_CACHE_ENTRIES: "8" });
    const settings = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}` };
    for (let i = 0; i < 12; i++) await askOnce(join(directory, "dns.sock"), [`n${i}.example`]);
    expect(await findings(settings)).toMatchObject({ codes: ["NW-408"], exitCode: 0 });

    const table = join(directory, "cache.table");
    const bytes = readFileSync(table);
    bytes.writeUInt32LE(99, 8);
    rmSync(table);
    writeFileSync(table, bytes);
    expect((await findings(settings)).codes).toEqual(["NW-402"]);
    writeFileSync(table, "nothing");
    expect((await findings(settings)).codes).toEqual(["NW-403"]);
    rmSync(table);
    expect((await findings(settings)).codes).toEqual(["NW-401"]);
  });

  it("finds nobody to ask", async () => {
    await server({ DNS_CACHE_UPSTREAMS: "127.0.0.1:9", DNS_CACHE_SHARED_TABLE: "off" });
    rmSync(join(directory, "cache.table"));
    expect((await findings({ DNS_CACHE_SHARED_TABLE: "off" })).codes).toEqual(["NW-401", "NW-701"]);
  });

  it.each<[string, UpstreamOptions["tamper"], string[]]>([
    ["is silent", () => undefined, ["NW-702"]],
    ["has no EDNS", (reply) => ({ ...reply, additionals: [] }), ["NW-703"]],
    ["is silent over TCP", (reply, _query, { transport }) => (transport === "tcp" ? undefined : reply), ["NW-704"]],
    ["refuses", (reply) => says(REFUSED, reply), ["NW-706"]],
    ["fails", (reply) => ({ ...says(SERVFAIL, reply), additionals: [] }), ["NW-706", "NW-703"]],
  ])("finds an upstream that %s", async (_, tamper, codes) => {
    const { port } = await servedWith(tamper);
    expect((await findings({ DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}` })).codes).toEqual(codes);
  });

  it("asks whom the running server asks, and tells where this environment names others", async () => {
    const { port } = await servedWith();
    const { codes, checks } = await findings({ DNS_CACHE_UPSTREAMS: "192.0.2.9" });
    expect(codes).toEqual([]);
    const texts = checks.map(({ text }) => text);
    expect(texts).toContain("this environment would have it ask udp 192.0.2.9:53");
    expect(texts.some((text) => text.startsWith(`udp 127.0.0.1:${port} answers within`))).toBe(true);
  });

  it("says that it asks whom this environment names, where no server says whom it asks", async () => {
    const { port, started } = await servedWith();
    const settings = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}` };
    const upstreamsOf = ({ report }: Awaited<ReturnType<typeof findings>>) =>
      report.groups
        .find(({ name }) => name === "upstreams")
        ?.checks.map(({ text }) => text.replaceAll(/\d+ ms/g, "N ms"));
    const answers = `udp 127.0.0.1:${port} answers within N ms, over TCP within N ms`;
    expect(upstreamsOf(await findings(settings))).toEqual([answers]);
    rmSync(join(directory, "cache.table"));
    const unsaid = "the server's table does not say whom it asks: these are the ones that this environment names";
    expect(upstreamsOf(await findings(settings))).toEqual([unsaid, answers]);
    process.kill(started.pid, "SIGSTOP");
    const note = "no running server says whom it asks: these are the ones that this environment names";
    expect(upstreamsOf(await findings(settings))).toEqual([note, answers]);
  });

  it("finds a name that fails, or is none, and makes what stands in it visible", async () => {
    const { port } = await servedWith((reply, _query, { name }) =>
      name === "broken.example" ? says(SERVFAIL, reply) : reply,
    );
    const settings = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}` };
    expect((await findings(settings, "broken.example")).codes).toEqual(["NW-606"]);
    const { codes, report } = await findings(settings, "a\u001b[31m\u00e9\n");
    expect(codes).toEqual(["NW-604"]);
    expect(reportText(report)).toContain("a\\x1b[31m\\xc3\\xa9\\x0a is no plain host name");
  });

  it("finds that a name is left to libc", async () => {
    const { port } = await servedWith(undefined, { DNS_CACHE_RULES: "lan bypass" });
    const settings = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}` };
    expect((await findings(settings, "a.lan")).codes).toEqual(["NW-605"]);
  });

  it("finds that control.sock and HTTP are not to be reached, and a server of another version", async () => {
    const { port } = await servedWith();
    const control = join(base, "control.sock");
    const settings = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}`, DNS_CACHE_CONTROL: control };
    expect((await findings({ ...settings, DNS_CACHE_HTTP: "127.0.0.1:1" })).codes).toEqual(["NW-801", "NW-802"]);

    let version = "99.0.0";
    const answering = await answers(() => JSON.stringify({ schema: 1, version, pid: 7, startedAtMs: 5 }), control);
    let startedAtMs = 5;
    const http = await answers(() => JSON.stringify({ schema: 1, version, pid: 7, startedAtMs }), 0);
    const reached = { ...settings, DNS_CACHE_HTTP: `127.0.0.1:${(http.address() as AddressInfo).port}` };
    expect((await findings(reached)).codes).toEqual(["NW-803"]);
    version = VERSION;
    expect(await findings(reached)).toMatchObject({ codes: [], exitCode: 0 });
    startedAtMs = 6;
    expect((await findings(reached)).codes).toEqual(["NW-802"]);
    const foreign = await answers(() => "hi", 0);
    const there = { ...settings, DNS_CACHE_HTTP: `127.0.0.1:${(foreign.address() as AddressInfo).port}` };
    expect((await findings(there)).codes).toEqual(["NW-802"]);
    expect(answering.listening).toBe(true);
  });
});

async function answers(body: () => string, where: string | number): Promise<Server> {
  const answering = createServer((_request, response) => response.end(body()));
  await new Promise<void>((resolve) => {
    if (typeof where === "string") answering.listen(where, resolve);
    else answering.listen(where, "127.0.0.1", resolve);
  });
  ends.push(async () => answering.close());
  return answering;
}

const missing = sandboxMissing();
describe.skipIf(missing)(`the doctor on the node${missing ? ` (skipped: ${missing})` : ""} finds by /proc`, () => {
  it("how the directory is mounted, and how much room there is", async () => {
    const box = await sandbox();
    ends.push(() => box.close());
    await box.run(["mount", "-t", "tmpfs", "-o", "noexec,mode=755,size=2m", "tmpfs", directory]);
    copyFileSync(join(DIST, `client-${process.arch}.so`), join(base, "client.so"));
    await box.run(["cp", join(base, "client.so"), directory]);
    const args = [DIST];
    const env = { DNS_CACHE_DIR: directory, ...OFF, DNS_CACHE_UPSTREAMS: "127.0.0.9" };
    const running = await box.startModule(`${ROOT}/test/support/nodeDoctor.ts`, args, { env, ready: /verdict/ });
    const codes = [...running.stdout().matchAll(/"code":"(NW-\d+)"/g)].map(([, code]) => code);
    expect(codes).toEqual(["NW-213", "NW-209", "NW-301", "NW-702"]);
  });

  it("a container that holds a directory which was removed, and not one that holds another of its name", async () => {
    const box = await sandbox();
    ends.push(() => box.close());
    const mounted = join(base, "mounted");
    const namesake = join(base, "elsewhere", "shared");
    const other = join(base, "other");
    for (const each of [mounted, namesake, other]) mkdirSync(each, { recursive: true });
    await box.run(["mount", "--bind", namesake, other]);
    await box.run(["rm", "-r", namesake]);
    await box.run(["mount", "--bind", directory, mounted]);
    await box.run(["rm", "-r", directory]);
    mkdirSync(directory);
    const { port } = await servedWith();
    const { codes, checks } = await findings({ DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}` });
    expect(codes).toEqual(["NW-207"]);
    expect(checks.find(({ code }) => code)?.text).toContain(` has at ${mounted} a directory that was removed since`);
  });
});
