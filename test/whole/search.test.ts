// The search list through the built server: how often and in which order the upstream is asked.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DgramAsPromised } from "dgram-as-promised";
import dnsPacket from "dns-packet";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type UpstreamOptions } from "../../demo/upstream.ts";
import { buildProgram, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const DOMAINS = ["shop.svc.cluster.example", "svc.cluster.example", "cluster.example", "corp.example"];
const RESOLV_CONF = `nameserver 192.0.2.200\nsearch ${DOMAINS.join(" ")}\noptions ndots:5\n`; // nobody is there
const ZONE = {
  "api.example": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
  "cart.shop.svc.cluster.example": { A: ["192.0.2.2"] },
  "only.half.corp.example": { A: ["192.0.2.5"] },
  "half.corp.example": { A: ["192.0.2.3"] },
  half: { A: ["192.0.2.4"] },
};

let directory: string;
let box: Sandbox;
let server: ServerProcess | undefined;
let upstream: Upstream | undefined;

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  fs.chmodSync(directory, 0o755);
  box = await sandbox({ resolvConf: RESOLV_CONF });
});
afterEach(async () => {
  await box.close();
  await server?.stopped("SIGTERM");
  await upstream?.close();
  server = upstream = undefined;
  fs.rmSync(directory, { recursive: true, force: true });
});

async function startAll(options: Partial<UpstreamOptions> = {}): Promise<Upstream> {
  upstream = await startUpstream({ zone: ZONE, soaMinimum: 30, ...options });
  await startCache(upstream.port);
  return upstream;
}
async function startCache(port: number): Promise<void> {
  const upstreams = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${port}`, DNS_CACHE_DENIALS: "final" };
  server = startServer({ DNS_CACHE_DIR: directory, ...upstreams });
  await server.seen("Listening");
}

for (const libc of ["glibc", "musl"] as const) {
  const without = sandboxMissing() ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`a search list, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    async function calls(...lines: string[]): Promise<string> {
      const { stdout, stderr } = await box.run([buildProgram("test/shim/lookup.c", libc)], {
        input: `${lines.join("\n")}\n`,
        env: { LD_PRELOAD: path.join(directory, "client.so") },
      });
      expect(stderr).toBe("");
      return stdout;
    }

    it("costs each candidate's question once, whoever asks for it again", async () => {
      const { asked } = await startAll();
      const first = await calls("getaddrinfo api.example 80 0 1 0 2");
      expect(first).toMatch(/canonical api\.example[ \n]/);
      const names = ["api.example", ...DOMAINS.map((domain) => `api.example.${domain}`)];
      const wanted = names.flatMap((name) => [`${name} A`, `${name} AAAA`]).sort();
      const times = asked.length; // a first denial is asked for twice, in mixed case and without
      expect([...new Set(asked.map(({ name, type }) => `${name} ${type}`))].sort()).toEqual(wanted);
      for (let i = 0; i < 3; i++) expect(await calls("getaddrinfo api.example 80 0 1 0 2")).toBe(first);
      expect(asked).toHaveLength(times);
    });

    it("takes one round trip when nothing is known", async () => {
      const udp = DgramAsPromised.createSocket("udp4");
      const { port } = await udp.bind({ address: "127.0.0.1" });
      const waiting = new Map<string, () => void>();
      udp.socket.on("message", (message, from) => {
        const query = dnsPacket.decode(message);
        const [question] = query.questions ?? [];
        if (question === undefined) return;
        const name = question.name.toLowerCase(); // it comes in mixed case
        const answers = name === "api.example" ? [{ ...question, ttl: 60, data: "192.0.2.1" } as dnsPacket.Answer] : [];
        const flags = answers.length > 0 ? 0 : 3;
        const reply = dnsPacket.encode({ type: "response", id: query.id ?? 0, flags, questions: [question], answers });
        waiting.set(name, () => udp.socket.send(reply, from.port, from.address));
        if (waiting.size === 1 + DOMAINS.length) for (const send of waiting.values()) send(); // not before all are asked
      });
      await startCache(port);
      expect(await calls("gethostbyname api.example")).toContain("address 192.0.2.1");
      await udp.close();
    });

    it("ends at the first candidate that exists", async () => {
      const { asked } = await startAll();
      expect(await calls("gethostbyname cart")).toContain("name cart.shop.svc.cluster.example type 2");
      expect(await calls("gethostbyname_r cart 1024 0")).toContain("name cart.shop.svc.cluster.example type 2");
      expect(asked.filter(({ name }) => name === "cart.shop.svc.cluster.example")).toHaveLength(1);
    });

    it("gives nothing of a later candidate where an earlier one has failed for a moment", async () => {
      const tamper: UpstreamOptions["tamper"] = (reply, _query, { name }) =>
        name === "half.svc.cluster.example"
          ? { ...reply, answers: [], authorities: [], flags: ((reply.flags ?? 0) & ~0xf) | 2 }
          : reply;
      await startAll({ tamper }); // glibc goes on by itself, and finds nobody at its nameserver's address
      expect(await calls("getaddrinfo half 80 2 1 0 0")).toContain("returns -3 ");
      expect(await calls("gethostbyname_r half 1024 0")).toMatch(/returns 11 result NULL h_errno 2$/m);
    });

    it.runIf(libc === "glibc")(
      "is waited for as long as both of its exchanges take, where the name as it is comes first",
      async () => {
        const { asked } = await startAll({ delayMs: 1400 });
        await box.write(
          "/etc/resolv.conf",
          `${RESOLV_CONF.replace("ndots:5", "ndots:1")}options timeout:1 attempts:1\n`,
        );
        expect(await calls("gethostbyname only.half")).toContain("name only.half.corp.example type 2");
        const names = new Set(asked.map(({ name }) => name));
        expect(names.has("only.half") && names.has("only.half.corp.example")).toBe(true);
      },
    );

    it("is not walked for a name with dots enough, while that exists", async () => {
      const { asked } = await startAll();
      await box.write("/etc/resolv.conf", RESOLV_CONF.replace("ndots:5", "ndots:1"));
      expect(await calls("gethostbyname api.example")).toContain("address 192.0.2.1");
      expect(asked).toHaveLength(1);
      expect(await calls("gethostbyname none.example")).toContain("h_errno 1");
      expect(asked).toHaveLength(libc === "glibc" ? 2 + DOMAINS.length : 2);
    });
  });
}
