// The server where its nameservers come from /etc/resolv.conf, and change while it runs.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { OUTCOME_DATA, OUTCOME_UNFIT } from "../../assembly/layout.ts";
import { addressesOf, outcomeOf } from "../../src/table/record.ts";
import { createAuthority, opensslMissing } from "../support/certificates.ts";
import { askOnce, recordsOf } from "../support/frames.ts";
import { sandbox, sandboxMissing } from "../support/sandbox.ts";

const SERVER = fileURLToPath(new URL("../../dist/server.js", import.meta.url));
const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const SECURE_MODULE = fileURLToPath(new URL("../support/secureUpstream.ts", import.meta.url));
const SEEN_WITHIN_MS = 30_000;
const zone = (address: string) => JSON.stringify({ "www.example": { ttl: 3600, A: [address] } });

describe.skipIf(sandboxMissing())("the nameservers of /etc/resolv.conf", () => {
  it("are asked, and when others stand there those are, for what is known already too", async () => {
    const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    const box = await sandbox({ resolvConf: "nameserver 127.0.0.5\n" });
    const look = async () => {
      const [record] = recordsOf(await askOnce(path.join(directory, "dns.sock"), ["www.example"]));
      return addressesOf(record as Buffer);
    };
    try {
      for (const [host, address] of [
        ["127.0.0.5", "192.0.2.5"],
        ["127.0.0.6", "192.0.2.6"],
      ] as const) {
        await box.startModule(ZONE_MODULE, [host, zone(address)], { ready: /ready/ });
      }
      const env = { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: "" };
      await box.start([process.execPath, SERVER], { env, ready: /Listening/ });
      expect(await look()).toEqual(["192.0.2.5"]);
      const header = fs.readFileSync(path.join(directory, "cache.table")).subarray(0, 4096);
      await box.write("/etc/resolv.conf", "nameserver 127.0.0.6\n");
      await vi.waitFor(async () => expect(await look()).toEqual(["192.0.2.6"]), SEEN_WITHIN_MS);
      const now = fs.readFileSync(path.join(directory, "cache.table")).subarray(0, 4096);
      expect(header.toString("latin1")).toContain("udp 127.0.0.5:53");
      expect(now.toString("latin1")).toContain("udp 127.0.0.6:53");
    } finally {
      await box.close();
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });

  it("are asked by who comes after the change, though the last ones still owe others an answer to the same", async () => {
    const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    const box = await sandbox({ resolvConf: "nameserver 127.0.0.5\n" });
    const look = () => askOnce(path.join(directory, "dns.sock"), ["www.example"]);
    try {
      const mute = 'require("node:dgram").createSocket("udp4").bind(53, "127.0.0.5", () => console.log("ready"))';
      await box.start([process.execPath, "-e", mute], { ready: /ready/ });
      await box.startModule(ZONE_MODULE, ["127.0.0.6", zone("192.0.2.6")], { ready: /ready/ });
      const env = { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: "", DNS_CACHE_TIMEOUT_MS: "30000" };
      const server = await box.start([process.execPath, SERVER], { env, ready: /Listening/ });
      void look().catch(() => undefined);
      await box.write("/etc/resolv.conf", "nameserver 127.0.0.6\n");
      await vi.waitFor(() => expect(server.stdout()).toContain("127.0.0.6"), SEEN_WITHIN_MS);
      const before = performance.now();
      const [record] = recordsOf(await look());
      expect(addressesOf(record as Buffer)).toEqual(["192.0.2.6"]);
      expect(performance.now() - before).toBeLessThan(10_000);
    } finally {
      await box.close();
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });

  it.each([
    ["empty", ": > /etc/resolv.conf"],
    ["missing", "rm /etc/resolv.conf"],
    ["without a nameserver that can be asked", "echo nameserver fe80::1 > /etc/resolv.conf"],
  ])(
    "are waited for where the file is %s, and lookups are left to libc until they stand there",
    async (_what, unmake) => {
      const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
      const box = await sandbox();
      const look = async () => {
        const [record] = recordsOf(await askOnce(path.join(directory, "dns.sock"), ["www.example"]));
        return [outcomeOf(record as Buffer), ...addressesOf(record as Buffer)];
      };
      try {
        await box.startModule(ZONE_MODULE, ["127.0.0.6", zone("192.0.2.6")], { ready: /ready/ });
        await box.run(["sh", "-c", unmake]);
        const env = { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: "" };
        const server = await box.start([process.execPath, SERVER], { env, ready: /Listening/ });
        expect(server.stdout()).toContain("No nameserver stands in /etc/resolv.conf yet");
        expect(await look()).toEqual([OUTCOME_UNFIT]);
        await box.write("/etc/resolv.conf", "nameserver 127.0.0.6\n");
        await vi.waitFor(async () => expect(await look()).toEqual([OUTCOME_DATA, "192.0.2.6"]), SEEN_WITHIN_MS);
        await box.run(["sh", "-c", unmake]);
        await box.write("/etc/resolv.conf", "nameserver 127.0.0.6\noptions attempts:3\n");
        await vi.waitFor(() => expect(server.stdout().match(/Other nameservers/g)).toHaveLength(2), SEEN_WITHIN_MS);
        expect(await look()).toEqual([OUTCOME_DATA, "192.0.2.6"]);
      } finally {
        await box.close();
        fs.rmSync(directory, { recursive: true, force: true });
      }
    },
  );

  it("may be of a link, with the number of its interface", async () => {
    const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    const box = await sandbox({ addresses: ["fe80::1/64"], resolvConf: "nameserver fe80::1%1\n" });
    try {
      await box.startModule(ZONE_MODULE, ["fe80::1%lo", zone("192.0.2.5")], { ready: /ready/ });
      const env = { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: "" };
      await box.start([process.execPath, SERVER], { env, ready: /udp \[fe80::1%lo\]:53.*Listening/ });
      const [record] = recordsOf(await askOnce(path.join(directory, "dns.sock"), ["www.example"]));
      expect(addressesOf(record as Buffer)).toEqual(["192.0.2.5"]);
    } finally {
      await box.close();
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe.skipIf(sandboxMissing() ?? opensslMissing())("a DNS server of a link", () => {
  it.each(["tls://[fe80::1%lo]", "https://[fe80::1%1]/dns-query"])("is asked as %s", async (upstream) => {
    const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    const authority = createAuthority();
    const { certPath, keyPath } = authority.issue(["IP:fe80::1"]);
    const box = await sandbox({ addresses: ["fe80::1/64"] });
    try {
      const other = await box.startModule(SECURE_MODULE, ["fe80::1%lo", certPath, keyPath], { ready: /ready/ });
      const env = { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: upstream, NODE_EXTRA_CA_CERTS: authority.path };
      await box.start([process.execPath, SERVER], { env, ready: /Listening/ });
      const [record] = recordsOf(await askOnce(path.join(directory, "dns.sock"), ["www.example"]));
      expect(addressesOf(record as Buffer)).toEqual(["192.0.2.1"]);
      if (upstream.startsWith("https")) expect(other.stdout()).toContain("asked under [fe80::1]\n");
    } finally {
      await box.close();
      authority.close();
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });
});
