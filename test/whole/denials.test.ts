// Names that the cache's upstream denies, through the built server: a container whose own nameserver is another one gets
// what libc gets from it, and one with the same nameserver is spared the second question.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as layout from "../../assembly/layout.ts";
import type { Zone } from "../../demo/upstream.ts";
import { buildProgram, muslMissing } from "../support/programs.ts";
import { type Running, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const SERVER = fileURLToPath(new URL("../../dist/server.js", import.meta.url));
const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const SEEN_WITHIN_MS = 30_000;
// The cache's nameservers, and the container's own, which knows its siblings besides (Podman's, at the gateway's address).
const [NODES, NODES_SIX, OWN] = ["192.0.2.53", "2001:db8::53", "192.0.2.1"];
const SIBLING = { A: ["10.89.0.5"], AAAA: ["fd00::5"] };
const OWN_ZONE: Zone = {
  "www.example": { A: ["198.51.100.1"] },
  db: SIBLING,
  "db.app.example": SIBLING,
  "5.0.89.10.in-addr.arpa": { PTR: ["db.app.example"] },
  "5.113.0.203.in-addr.arpa": { PTR: ["db.app.example"] },
};
const NODES_ZONE: Zone = { "www.example": { A: ["192.0.2.80"] } };
const SIBLING_CALLS = [
  ...["db", "db.app.example"].flatMap((name) => [
    ...[0, 2, 10].map((family) => `getaddrinfo ${name} 80 ${family} 1 0 0`),
    ...[`gethostbyname ${name}`, `gethostbyname_r ${name} 1024 0`, `gethostbyname2_r ${name} 10 1024 0`],
  ]),
  ...["gethostbyaddr 10.89.0.5 4 2", "getnameinfo 2 203.0.113.5 0 80 256 256 - 8"],
];
const WWW_CALL = "gethostbyname_r www.example 1024 0";

const missing = sandboxMissing();
let directory: string;
let box: Sandbox;
let nodes: Running;
let own: Running;

beforeEach(async () => {
  if (missing) return;
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  fs.chmodSync(directory, 0o755);
  box = await sandbox({ addresses: [`${NODES}/32`, `${OWN}/32`, `${NODES_SIX}/64`] });
  nodes = await box.startModule(ZONE_MODULE, [NODES, JSON.stringify(NODES_ZONE)], { ready: /ready/ });
  await box.startModule(ZONE_MODULE, [NODES_SIX, JSON.stringify(NODES_ZONE)], { ready: /ready/ });
  own = await box.startModule(ZONE_MODULE, [OWN, JSON.stringify(OWN_ZONE)], { ready: /ready/ });
});
afterEach(async () => {
  await box?.close();
  if (directory) fs.rmSync(directory, { recursive: true, force: true });
});

async function serve(env: Record<string, string> = {}): Promise<Running> {
  const settings = { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: NODES, ...env };
  return box.start([process.execPath, SERVER], { env: settings, ready: /Listening/ });
}
const questionsOf = (nameserver: Running) => nameserver.stdout().match(/^asked for .*$/gm)?.length ?? 0;
/** musl gives a host of an address without a name, too. */
const isSibling = (result: string) =>
  /^get(hostbyaddr|nameinfo)/.test(result)
    ? /(name|host) db\.app/.test(result)
    : /^ {2}(entry|address) (10\.89\.0\.5|fd00::5)/m.test(result);

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`a name that the upstream denies, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    /** In a container whose resolv.conf names these. */
    async function run(nameservers: readonly string[], calls: readonly string[], preload = true): Promise<string[]> {
      const resolvConf = `${directory}/resolv.conf`;
      fs.writeFileSync(resolvConf, nameservers.map((host) => `nameserver ${host}\n`).join(""));
      const enter = `mount --bind ${resolvConf} /etc/resolv.conf && exec env $2 "$1"`;
      const { code, stdout, stderr } = await box.run(
        [
          ...["unshare", "--mount", "--propagation", "private", "sh", "-c", enter, "sh"],
          buildProgram("test/shim/lookup.c", libc),
          preload ? `LD_PRELOAD=${directory}/client.so` : "UNUSED=1",
        ],
        { input: calls.map((call) => `${call}\n`).join("") },
      );
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return stdout.replaceAll(/ {2}leaves errno .*\n|(?<= host) h_errno \d+$/gm, "").split(/^(?=get)/m); // test/differential compares these
    }

    it.each<[string, Record<string, string>]>([
      ["with a table", {}],
      ["with the table switched off", { DNS_CACHE_SHARED_TABLE: "off" }],
    ])("is found as libc alone finds it where the container's nameserver is another one, %s", async (_what, env) => {
      await serve(env);
      const alone = await run([OWN], SIBLING_CALLS, false);
      expect(alone.every(isSibling)).toBe(true);
      for (let round = 0; round < 2; round++) expect(await run([OWN], SIBLING_CALLS)).toEqual(alone);
      const before = questionsOf(own);
      expect((await run([OWN], [WWW_CALL]))[0]).toContain("address 192.0.2.80"); // the cache's
      expect(questionsOf(own)).toBe(before);
    });

    it.each<[string, readonly string[], Record<string, string>]>([
      ["that nameserver is the container's too", [NODES], {}],
      [
        "all of the container's nameservers are asked",
        [NODES_SIX, NODES],
        { DNS_CACHE_UPSTREAMS: `${NODES},${NODES_SIX}` },
      ],
      ["that nameserver is asked over TCP", [NODES], { DNS_CACHE_UPSTREAMS: `tcp://${NODES}` }],
      ["the table is switched off", [NODES], { DNS_CACHE_SHARED_TABLE: "off" }],
      ["denials are final, though the container's is another one", [OWN], { DNS_CACHE_DENIALS: "final" }],
    ])("is final where %s: libc is not asked", async (_what, nameservers, env) => {
      await serve(env);
      const first = await run(nameservers, SIBLING_CALLS);
      expect(first.some(isSibling)).toBe(false);
      const before = [nodes, own].map(questionsOf);
      expect(await run(nameservers, SIBLING_CALLS)).toEqual(first);
      expect([nodes, own].map(questionsOf)).toEqual(before);
      expect(before[1]).toBe(0);
    });

    it("is not final behind a loopback nameserver, whatever the server says", async () => {
      await box.startModule(ZONE_MODULE, ["127.0.0.11", JSON.stringify(OWN_ZONE)], { ready: /ready/ });
      await serve({ DNS_CACHE_DENIALS: "final", DNS_CACHE_UPSTREAMS: `${NODES},127.0.0.11` });
      expect((await run(["127.0.0.11"], SIBLING_CALLS)).every(isSibling)).toBe(true);
    });

    it("is final as soon as the server's resolv.conf names the container's nameserver", async () => {
      await box.write("/etc/resolv.conf", `nameserver ${NODES}\n`);
      await serve({ DNS_CACHE_UPSTREAMS: "" });
      const call = "gethostbyname_r none.app.example 1024 0";
      const isOwnAsked = async () => {
        const before = questionsOf(own);
        await run([OWN], [call]);
        return questionsOf(own) > before;
      };
      expect(await isOwnAsked()).toBe(true);
      await box.write("/etc/resolv.conf", `nameserver ${OWN}\n`);
      const serversIn = () => fs.readFileSync(path.join(directory, "cache.table")).subarray(layout.HEADER_SERVERS);
      await vi.waitFor(() => expect(serversIn().readUInt32BE(12)).toBe(0xc0000201), SEEN_WITHIN_MS);
      await run([OWN], [call]); // the server asks it itself
      expect(await isOwnAsked()).toBe(false);
    });

    it("is final or not as a server says that goes on with the table", async () => {
      const first = await serve({ DNS_CACHE_DENIALS: "final" });
      expect((await run([OWN], SIBLING_CALLS)).some(isSibling)).toBe(false);
      await first.stop();
      const second = await serve();
      expect(second.stdout()).toContain("entries of the last table");
      expect((await run([OWN], SIBLING_CALLS)).every(isSibling)).toBe(true);
    });

    it("may be one that the upstream fails for: it is found as well, or the failure is final", async () => {
      await serve({ DNS_CACHE_UPSTREAMS: "192.0.2.54" }); // nobody is there
      expect((await run([OWN], SIBLING_CALLS)).every(isSibling)).toBe(true);
      const failing = ["gethostbyname_r x.broken.example 1024 0", "getaddrinfo x.broken.example 80 2 1 0 0"];
      const before = questionsOf(own);
      for (const result of await run([OWN], failing)) expect(result).toMatch(/returns -3 |h_errno 2/);
      expect(questionsOf(own)).toBeGreaterThan(before);
    });

    it("and one that it fails for is not left to libc where that would ask the same server", async () => {
      await serve();
      for (const result of await run([NODES], ["gethostbyname_r x.broken.example 1024 0"]))
        expect(result).toMatch(/h_errno 2/);
      expect(questionsOf(nodes)).toBe(2); // with EDNS and, as libc would, without
    });
  });
}
