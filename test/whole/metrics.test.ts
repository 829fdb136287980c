// What /metrics says after every kind of lookup has been made, in a sandbox of its own: exactly what was done.
import fs from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { askOnce, frame } from "../support/frames.ts";
import { buildProgram } from "../support/programs.ts";
import { type Running, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const SERVER = fileURLToPath(new URL("../../dist/server.js", import.meta.url));
const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const LOOKUPS = 50;
const missing = sandboxMissing();

describe.skipIf(missing)("the metrics", () => {
  let directory: string;
  let box: Sandbox;
  let server: Running;

  beforeAll(async () => {
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    box = await sandbox({ resolvConf: "nameserver 127.0.0.5\n" });
    const zone = {
      "a.example": { ttl: 300, A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
      "b.example": { ttl: 300, A: ["192.0.2.2"] },
    };
    await box.startModule(ZONE_MODULE, ["127.0.0.5", JSON.stringify(zone)], { ready: /ready/ });
    // Nobody listens at 127.0.0.6.
    const rules = "left.example bypass; dead.example upstream=127.0.0.6";
    const env = { DNS_CACHE_DIR: directory, DNS_CACHE_RULES: rules, DNS_CACHE_PREFETCH: "off" };
    server = await box.start([process.execPath, SERVER], { env, ready: /Listening/ });
  });
  afterAll(async () => {
    await server?.stop();
    await box?.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  const socket = () => path.join(directory, "dns.sock");
  async function metrics(): Promise<Map<string, number>> {
    const { stdout } = await box.run(["curl", "-s", "http://127.0.0.1:9953/metrics"]);
    return new Map(
      stdout
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"))
        .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
    );
  }
  /** Of one metric, by its labels as they stand there. */
  async function of(name: string): Promise<Record<string, number>> {
    const start = `namewell_${name}{`;
    return Object.fromEntries(
      [...(await metrics())].flatMap(([key, value]) =>
        key.startsWith(start) ? [[key.slice(start.length, -1), value]] : [],
      ),
    );
  }

  it("are there from the start, all with 0", async () => {
    await vi.waitFor(async () => expect((await metrics()).size).toBeGreaterThan(100), 10_000);
    const { 'via="socket"': questions, ...others } = await of("questions_total");
    expect([questions, others]).toEqual([0, { 'via="dns"': 0 }]);
    expect(Object.values(await of("lookups_total"))).toEqual(Array(8).fill(0));
    expect(Object.values(await of("outcomes_total"))).toEqual(Array(5).fill(0));
    const failed = await of("client_frames_refused_total");
    expect(failed).toEqual({ 'reason="malformed"': 0, 'reason="unknown"': 0 });
  });

  it("have each lookup over the socket once: asked, found, denied, joined, failed, known to fail, left to libc", async () => {
    const both = layout.FAMILY_A | layout.FAMILY_AAAA;
    await askOnce(socket(), ["a.example"], both); // 2 asked, data
    await askOnce(socket(), ["a.example"]); // a hit
    await askOnce(socket(), ["b.example"], both); // 2 asked: data, and no data
    await askOnce(socket(), ["b.example"], both); // 2 hits, one a denial
    await askOnce(socket(), ["none.example"]); // asked: no such name
    await askOnce(socket(), ["none.example"]); // a hit, a denial
    await askOnce(socket(), ["x.left.example"]); // left to libc
    await askOnce(socket(), ["1.2.0.192.in-addr.arpa"], layout.FAMILY_PTR); // asked: no such name
    await Promise.all([askOnce(socket(), ["x.dead.example"]), askOnce(socket(), ["x.dead.example"])]); // asked and joined
    await askOnce(socket(), ["x.dead.example"]); // known to have failed
    await askOnce(socket(), ["search.example", "b.example"]); // asked, then a hit

    expect(await of("questions_total")).toEqual({ 'via="socket"': 12, 'via="dns"': 0 });
    const lookups = await of("lookups_total");
    expect(lookups['type="A",result="miss"']).toBe(8);
    expect(lookups['type="AAAA",result="miss"']).toBe(2);
    expect(lookups['type="PTR",result="miss"']).toBe(1);
    expect(lookups['type="A",result="hit"']).toBe(4);
    expect(lookups['type="AAAA",result="hit"']).toBe(1);
    const hits = await of("cache_hits_total");
    expect([hits['via="socket",kind="success"'], hits['via="socket",kind="denial"']]).toEqual([3, 2]);
    const misses = await of("cache_misses_total");
    expect(misses).toEqual({
      'how="asked"': 8,
      'how="joined"': 1,
      'how="stale"': 0,
      'how="failure_known"': 1,
      'how="bypass"': 1,
      'how="refused"': 0,
    });
    const outcomes = await of("outcomes_total");
    expect(Object.values(outcomes).reduce((sum, each) => sum + each)).toBe(16);
    expect(outcomes['outcome="data"']).toBe(6);
    expect(outcomes['outcome="no_data"']).toBe(2);
    expect(outcomes['outcome="no_name"']).toBe(4);
  });

  it("have a client's hits in the table, when it has told of them", async () => {
    const program = buildProgram("test/shim/lookup.c", "glibc");
    const input = "getaddrinfo a.example 80 2 1 0 0\n".repeat(LOOKUPS);
    const preload = { LD_PRELOAD: path.join(directory, "client.so") };
    // It tells of them a second after its first, at the next.
    const command = [
      "sh",
      "-c",
      `(cat; sleep 1.2; echo getaddrinfo a.example 80 2 1 0 0) | env LD_PRELOAD=${preload.LD_PRELOAD} "$0"`,
      program,
    ];
    const { stdout } = await box.run(command, { input });
    expect(stdout.match(/192\.0\.2\.1/g)?.length).toBeGreaterThanOrEqual(LOOKUPS);
    await vi.waitFor(async () => {
      const hits = await of("cache_hits_total");
      expect(hits['via="table",kind="success"']).toBe(LOOKUPS + 1);
    }, 10_000);
    expect((await of("lookups_total"))['type="A",result="hit"']).toBe(4 + LOOKUPS + 1);
  });

  it("have no hit where a denial in the table goes to libc, whose nameservers may know more", async () => {
    await askOnce(socket(), ["none.example"]);
    await box.write("/etc/resolv.conf", "nameserver 127.0.0.7\noptions timeout:1 attempts:1\n");
    const calls = (name: string, count: number) => `getaddrinfo ${name} 80 2 1 0 0\n`.repeat(count);
    const client = path.join(directory, "client.so");
    const script = '(cat; sleep 1.2; echo "$1") | env LD_PRELOAD="$2" "$0"';
    const program = buildProgram("test/shim/lookup.c", "glibc");
    const before = await of("cache_hits_total");
    const input = calls("none.example", LOOKUPS) + calls("a.example", LOOKUPS);
    await box.run(["sh", "-c", script, program, calls("a.example", 1), client], { input });
    await box.write("/etc/resolv.conf", "nameserver 127.0.0.5\n");
    await vi.waitFor(async () => {
      const { 'via="table",kind="success"': told } = await of("cache_hits_total");
      expect(told).toBe((before['via="table",kind="success"'] as number) + LOOKUPS + 1);
    }, 10_000);
    expect((await of("cache_hits_total"))['via="table",kind="denial"']).toBe(before['via="table",kind="denial"']);
  });

  it("have frames that were refused, by reason", async () => {
    for (const bytes of [frame(99), Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 1])]) {
      await new Promise<void>((resolve, reject) => {
        const client = net.connect(socket(), () => client.end(bytes));
        client.on("data", () => undefined);
        client.on("close", () => resolve());
        client.on("error", reject);
      });
    }
    const refused = await of("client_frames_refused_total");
    expect(refused['reason="unknown"']).toBe(1);
  });

  it("have exactly one end for each query to a DNS server", async () => {
    const all = await metrics();
    const total = (name: string) =>
      [...all].reduce((sum, [key, value]) => (key.startsWith(`namewell_upstream_${name}{`) ? sum + value : sum), 0);
    const ends = total("timeouts_total") + total("errors_total") + total("requests_unneeded_total");
    const replied = total("request_duration_seconds_count");
    expect(total("requests_total")).toBe(replied + ends + total("requests_in_flight"));
    expect(replied).toBeGreaterThanOrEqual(7);
    expect(total("errors_total")).toBeGreaterThan(0); // of 127.0.0.6
  });
});
