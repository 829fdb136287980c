// The server where its nameservers come from /etc/resolv.conf, and change while it runs.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { addressesOf } from "../../src/record.ts";
import { askOnce, recordsOf } from "../support/frames.ts";
import { sandbox, sandboxMissing } from "../support/sandbox.ts";

const SERVER = fileURLToPath(new URL("../../dist/server.js", import.meta.url));
const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
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
});
