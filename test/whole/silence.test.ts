// A DNS server that answers for IPv4 and never for IPv6: programs have the address, and nobody waits in libc for the other one.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream } from "../../demo/upstream.ts";
import { buildProgram, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const NOBODY = "nameserver 192.0.2.99\noptions timeout:1 attempts:1\n"; // whoever is left to libc fails
const CALLS = ["getaddrinfo four.example 80 0 1 0 0", "gethostbyname_r four.example 1024 0"];

let directory: string;
let box: Sandbox;
let upstream: Upstream;
let server: ServerProcess;

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  fs.chmodSync(directory, 0o755);
  box = await sandbox({ resolvConf: NOBODY, addresses: ["192.0.2.200/32", "2001:db8::200/64"] });
  upstream = await startUpstream({
    zone: { "four.example": { A: ["192.0.2.4"] } },
    tamper: (reply, _query, { type }) => (type === "AAAA" ? undefined : reply),
  });
  server = startServer({
    DNS_CACHE_DIR: directory,
    DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`,
    DNS_CACHE_DENIALS: "final",
    DNS_CACHE_TIMEOUT_MS: "1000",
  });
  await server.seen("Listening");
});
afterEach(async () => {
  await box.close();
  await server.stopped("SIGTERM");
  await upstream.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

for (const libc of ["glibc", "musl"] as const) {
  const without = sandboxMissing() ?? (libc === "musl" ? muslMissing() : undefined);
  it.skipIf(without)(`${libc} gives IPv4 addresses${without ? ` (skipped: ${without})` : ""}`, async () => {
    for (let round = 0; round < 3; round++) {
      const { stdout } = await box.run([buildProgram("test/shim/lookup.c", libc)], {
        input: `${CALLS.join("\n")}\n`,
        env: { LD_PRELOAD: path.join(directory, "client.so") },
      });
      expect(stdout.match(/192\.0\.2\.4/g)?.length).toBeGreaterThanOrEqual(CALLS.length);
      expect(stdout).not.toContain("returns -");
    }
  });
}
