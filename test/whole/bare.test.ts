// A server on a machine that lacks what machines have.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { addressesOf } from "../../src/table/record.ts";
import { askOnce, recordsOf } from "../support/frames.ts";
import { sandbox, sandboxMissing } from "../support/sandbox.ts";

const SERVER = fileURLToPath(new URL("../../dist/server.js", import.meta.url));
const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const ZONE = JSON.stringify({ "www.example": { A: ["192.0.2.5"] } });

describe.skipIf(sandboxMissing())("a server", () => {
  it.each(["/proc", "/etc", "/dev", "/sys"])("without %s serves, and writes nothing but its log", async (place) => {
    const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    const box = await sandbox();
    try {
      await box.startModule(ZONE_MODULE, ["127.0.0.5", ZONE], { ready: /ready/ });
      const hidden = `mount -t tmpfs tmpfs ${place} && exec ${process.execPath} ${SERVER}`;
      const env = { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: "127.0.0.5" };
      const server = await box.start(["unshare", "--mount", "sh", "-c", hidden], { env, ready: /Listening/ });
      const [record] = recordsOf(await askOnce(path.join(directory, "dns.sock"), ["www.example"]));
      expect(addressesOf(record as Buffer)).toEqual(["192.0.2.5"]);
      expect(server.stderr()).toBe("");
      expect(fs.existsSync(path.join(directory, "cache.table"))).toBe(place !== "/proc");
      expect(/not published.*boot_id cannot be read/.test(server.stdout())).toBe(place === "/proc");
    } finally {
      await box.close();
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });
});
