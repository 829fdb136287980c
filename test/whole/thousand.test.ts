// A thousand names, 64 at a time, through client.so, the socket, the table and our own queries.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Zone } from "../../demo/upstream.ts";
import { buildProgram, muslMissing } from "../support/programs.ts";
import { sandbox, sandboxMissing } from "../support/sandbox.ts";

const COUNT = 1000;
const addressOf = (i: number) => `198.51.${100 + (i >> 8)}.${i & 255}`;
const ZONE: Zone = Object.fromEntries(
  Array.from({ length: COUNT }, (_, i) => [`n${i}.example`, { ttl: 300, A: [addressOf(i)] }]),
);
const memoryKiB = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
const openFiles = (pid: number) => fs.readdirSync(`/proc/${pid}/fd`).length;

describe.skipIf(sandboxMissing())("a thousand names, 64 at a time", { timeout: 120_000 }, () => {
  it.for(["glibc", "musl"] as const)(
    "are all answered right, asked for once in two rounds, and nothing is left open (%s)",
    async (libc, { skip }) => {
      const reason = libc === "musl" ? muslMissing() : undefined;
      if (reason !== undefined) skip(reason);
      const program = buildProgram("test/whole/thousand.c", libc);
      const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
      const upstream = await startUpstream({ zone: ZONE });
      const server = startServer({
        DNS_CACHE_DIR: directory,
        DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`,
        DNS_CACHE_CONTROL: "off", // it opens files of its own, a moment after the others
      });
      const box = await sandbox();
      try {
        await server.seen("Listening");
        const before = { memory: memoryKiB(server.pid), files: openFiles(server.pid) };
        const env = { LD_PRELOAD: path.join(directory, "client.so") };
        const expected = Array.from({ length: COUNT }, (_, i) => `n${i}.example ${addressOf(i)}`).sort();
        let asked = 0; // on a busy machine a reply may be late, and a question go out twice
        for (let round = 0; round < 2; round++) {
          const { code, stdout } = await box.run([program, `${COUNT}`, "64"], { env });
          const lines = stdout.trimEnd().split("\n");
          const [, filesBefore, filesAfter] = /^descriptors (\d+) (\d+)$/.exec(lines.pop() ?? "") ?? [];
          expect(code).toBe(0);
          expect(lines.sort()).toEqual(expected);
          expect(filesAfter).toBe(filesBefore);
          if (round === 0) asked = upstream.asked.length;
          expect(upstream.asked).toHaveLength(asked);
        }
        while (openFiles(server.pid) > before.files) await new Promise((resolve) => setTimeout(resolve, 10));
        expect(memoryKiB(server.pid) - before.memory).toBeLessThan(64 * 1024);
      } finally {
        await box.close();
        await server.stopped("SIGTERM");
        await upstream.close();
        fs.rmSync(directory, { recursive: true, force: true });
      }
    },
  );
});
