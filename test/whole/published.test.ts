// Hits without the server: names that it has published are found while it stands still, names in use never end, and what
// does not fit the table comes over the socket, whole.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HEADER_BYTES } from "../../assembly/layout.ts";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type Zone } from "../../demo/upstream.ts";
import { buildProgram, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const MANY = Array.from({ length: 60 }, (_, i) => `198.51.100.${i}`);
const long = (i: number) => `${`a-rather-long-label-${i}-`.padEnd(60, "x")}.${"y".repeat(60)}.example`;
const CHAIN = Array.from({ length: 12 }, (_, i) => long(i));
const ZONE: Zone = {
  "www.example": { ttl: 60, A: ["198.51.100.1", "198.51.100.2"], AAAA: ["2001:db8::1"] },
  "hot.example": { ttl: 2, A: ["198.51.100.3"] },
  "many.example": { ttl: 60, A: MANY, AAAA: MANY.map((_, i) => `2001:db8::${i}`) },
  "chain.example": { ttl: 60, CNAME: CHAIN[0] as string },
  ...Object.fromEntries(CHAIN.map((name, i) => [name, { ttl: 60, CNAME: CHAIN[i + 1] ?? "end.example" }])),
  "end.example": { ttl: 60, A: ["198.51.100.4"] },
};
const DELAY_MS = 200;

let directory: string;
let box: Sandbox;
let upstream: Upstream;
let server: ServerProcess;
const settings = () => ({ DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}` });
const questions = () => server.log.filter(({ msg }) => msg.startsWith("Got message")).length;

async function start(more: Record<string, string> = {}): Promise<void> {
  server = startServer({ ...settings(), DNS_CACHE_LOG_LEVEL: "debug", ...more });
  await server.seen("Listening");
}

const missing = sandboxMissing();
beforeEach(async () => {
  if (missing) return;
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  upstream = await startUpstream({ zone: ZONE, delayMs: DELAY_MS });
  box = await sandbox({ addresses: ["192.0.2.200/32", "2001:db8::200/128"] });
  await start();
});
afterEach(async () => {
  if (missing) return;
  await box.close();
  process.kill(server.pid, "SIGCONT");
  await server.stopped("SIGTERM");
  await upstream.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`a published name, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    async function lookUp(...lines: string[]) {
      const env = { LD_PRELOAD: path.join(directory, "client.so") };
      const program = buildProgram("test/shim/lookup.c", libc);
      const { code, stdout } = await box.run([program], { env, input: `${lines.join("\n")}\n` });
      expect(code).toBe(0);
      return stdout;
    }
    const CALLS = ["getaddrinfo www.example 80 0 1 0 0", "gethostbyname_r www.example 1024 0"];

    it("is found while the server stands still, by processes that never asked it", async () => {
      const asked = await lookUp(...CALLS);
      process.kill(server.pid, "SIGSTOP");
      const found = await lookUp(...CALLS);
      const lines = (text: string) => text.replaceAll(/198\.51\.100\.\S+|c63364../g, "…").split("\n");
      expect(lines(found)).toEqual(lines(asked));
      process.kill(server.pid, "SIGCONT");
      expect(upstream.asked).toHaveLength(2);
    });

    it("is not published where that is off, and what was is gone", async () => {
      await lookUp(...CALLS);
      await server.stopped("SIGTERM");
      await start({ DNS_CACHE_SHARED_TABLE: "off" });
      await lookUp(...CALLS);
      await lookUp(...CALLS);
      expect(fs.statSync(path.join(directory, "cache.table")).size).toBe(HEADER_BYTES);
      expect(questions()).toBe(4);
      expect(upstream.asked).toHaveLength(4);
    });

    it("is known to a server that starts anew, killed or stopped", async () => {
      await lookUp(...CALLS);
      for (const signal of ["SIGKILL", "SIGTERM"] as const) {
        await server.stopped(signal);
        await start();
        await lookUp("getaddrinfo www.example 80 0 1 0 0");
        expect(questions()).toBe(0);
      }
      expect(upstream.asked).toHaveLength(2);
    });

    it("never ends while it is in use, however far away the upstream is", async () => {
      const program = buildProgram("test/whole/loop.c", libc);
      const env = { LD_PRELOAD: path.join(directory, "client.so") };
      const { code } = await box.run([program, "hot.example", "7"], { env });
      expect(code).toBe(0);
      // Of four times or so one is the first lookup's. A machine that stands still in the wrong moment may cost another.
      expect(upstream.count("hot.example", "A") - questions()).toBeGreaterThanOrEqual(2);
    });

    it("comes over the socket, whole, where it does not fit the table", async () => {
      const addresses = (text: string) => [...text.matchAll(/entry (\S+)/g)].map(([, address]) => address).sort();
      const all = [...MANY, ...MANY.map((_, i) => (i === 0 ? "2001:db8::" : `2001:db8::${i}`))];
      const asked: number[] = [];
      for (let round = 0; round < 2; round++) {
        const found = addresses(await lookUp("getaddrinfo many.example 80 0 1 0 0"));
        expect(found).toHaveLength(libc === "glibc" ? all.length : 48); // all that musl's own arrays hold
        expect(new Set(all)).toEqual(new Set([...found, ...all]));
        const chained = await lookUp("getaddrinfo chain.example 80 2 1 0 2", "gethostbyname_r chain.example 4096 0");
        expect(addresses(chained)).toEqual(["198.51.100.4"]);
        if (libc === "glibc") for (const name of CHAIN) expect(chained).toContain(name);
        expect(chained).toContain("end.example");
        asked.push(upstream.asked.length);
      }
      expect(questions()).toBe(6);
      expect(asked[1]).toBe(asked[0]);
    });
  });
}
