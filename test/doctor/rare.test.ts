// Set-ups that are broken in rarer ways.
import { closeSync, openSync, renameSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { copyInto, findingsOf, Place, UPSTREAM } from "../support/doctored.ts";
import { buildProgram } from "../support/programs.ts";
import { otherUsersMissing, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RESOLV_CONF = `nameserver ${UPSTREAM}\n`;
const HOSTS = "127.0.0.1 localhost\n";
const ZONE = JSON.stringify({ "www.example": { A: ["192.0.2.1"] } });
const NOBODY = 65534;

const missing = sandboxMissing();
let box: Sandbox;
let place: Place;

const waits = () => buildProgram("test/doctor/waits.c", "glibc");

async function codesOf(env: Record<string, string> = {}, args: string[] = [], program = waits()): Promise<string[]> {
  const pid = await place.program([program], { LD_PRELOAD: place.client, ...env });
  return (await place.findings(["--pid", String(pid), ...args])).codes;
}

function writeToTable(at: number, bytes: Buffer): void {
  const table = openSync(join(place.directory, "cache.table"), "r+");
  writeSync(table, bytes, 0, bytes.length, at);
  closeSync(table);
}

describe.skipIf(missing)(`the doctor${missing ? ` (skipped: ${missing})` : ""} finds`, () => {
  beforeAll(async () => {
    box = await sandbox({ resolvConf: RESOLV_CONF, hosts: HOSTS });
    await box.startModule(`${ROOT}/test/support/zoneUpstream.ts`, [UPSTREAM, ZONE], { ready: /ready/ });
  });
  afterAll(() => box?.close());
  beforeEach(() => {
    place = new Place(box);
  });
  afterEach(async () => {
    await place.close();
    await box.write("/etc/resolv.conf", RESOLV_CONF);
    await box.write("/etc/hosts", HOSTS);
  });

  it("PHP whose extensions go past every preload (NW-109)", async () => {
    await place.server();
    const php = copyInto(place.base, waits(), "php8.2");
    await box.run(["chmod", "0755", php]);
    expect(await codesOf({}, [], php)).toEqual([]);
    expect(await codesOf({ DNS_CACHE_CLEAR_DEEPBIND: "0" }, [], php)).toEqual(["NW-109"]);
  });

  it("settings that are too long (NW-111, NW-206)", async () => {
    await place.server();
    expect(await codesOf({ DNS_CACHE_BYPASS: "a.example,".repeat(500) }, ["www.example"])).toEqual(["NW-111"]);
    expect(await codesOf({ DNS_CACHE_DIR: `/${"a".repeat(100)}` })).toEqual(["NW-206"]);
  });

  it("no such process, and one that has other mounts (NW-114, NW-115)", async () => {
    await place.server();
    expect(findingsOf(await box.run([place.doctor, "--json", "--pid", "4194303"])).codes).toEqual(["NW-114"]);
    const pid = await place.program(["unshare", "--mount", waits()]);
    const elsewhere = findingsOf(await box.run([place.doctor, "--json", "--pid", String(pid)]));
    expect(elsewhere).toMatchObject({ codes: ["NW-115"], code: 2 });
  });

  it("a program in a chroot from outside it (NW-115), and not from within", async () => {
    await place.server();
    await box.run(["mount", "--rbind", "/", "/mnt"]);
    const pid = await place.program(["chroot", "/mnt", waits()]);
    const look = [place.doctor, "--json", "--pid", String(pid)];
    expect(findingsOf(await box.run(look))).toMatchObject({ codes: ["NW-115"], code: 2 });
    expect(findingsOf(await box.run(["chroot", "/mnt", ...look])).codes).toEqual([]);
    await box.run(["umount", "--lazy", "/mnt"]);
  });

  it("that others may write to the directory (NW-208)", async () => {
    await place.server();
    await box.run(["chmod", "0777", place.directory]);
    expect(await codesOf()).toEqual(["NW-208"]);
  });

  it("a server of other frames (NW-305)", async () => {
    const server = await place.server();
    await place.signal("SIGSTOP", server);
    renameSync(join(place.directory, "dns.sock"), join(place.directory, "aside"));
    const other = createServer((socket) => socket.resume().end(Buffer.from([0, 0, 0, 8, 99, 5, 0, 0])));
    await new Promise<void>((resolve) => other.listen(join(place.directory, "dns.sock"), resolve));
    expect(await codesOf()).toEqual(["NW-305"]);
    await new Promise((resolve) => other.close(resolve));
  });

  it("a table of another boot (NW-404) and one that is retired (NW-406)", async () => {
    await place.server();
    writeToTable(layout.HEADER_STATE, Buffer.from([layout.STATE_RETIRED, 0, 0, 0]));
    expect(await codesOf()).toEqual(["NW-406"]);
    writeToTable(layout.HEADER_BOOT_ID, Buffer.alloc(layout.BOOT_ID_BYTES));
    expect(await codesOf()).toEqual(["NW-404"]);
  });

  it("no table (NW-401), one of another layout than the doctor's (NW-402), and none that is one (NW-403)", async () => {
    await place.server();
    writeToTable(layout.HEADER_LAYOUT_VERSION, Buffer.from([99]));
    expect(await codesOf()).toEqual(["NW-402"]);
    writeToTable(layout.HEADER_MAGIC, Buffer.from([0]));
    expect(await codesOf()).toEqual(["NW-403"]);
    await box.run(["rm", join(place.directory, "cache.table")]);
    expect(await codesOf()).toEqual(["NW-401"]);
  });

  it("that the server publishes no entries (NW-401)", async () => {
    await place.server({ DNS_CACHE_SHARED_TABLE: "off" });
    expect(await codesOf()).toEqual(["NW-401"]);
  });

  it("that resolv.conf or nsswitch.conf is libc's matter (NW-502, NW-503)", async () => {
    await place.server();
    await box.write("/etc/resolv.conf", `${RESOLV_CONF}sortlist 192.0.2.0\n`);
    expect(await codesOf()).toEqual(["NW-502"]);
    await box.write("/etc/resolv.conf", RESOLV_CONF);
    await box.write("/etc/nsswitch.conf", "hosts: files ldap dns\n");
    expect(await codesOf()).toEqual(["NW-503"]);
    await box.write("/etc/nsswitch.conf", "hosts: files dns\n");
  });

  it("a clock of its own (NW-405)", async ({ skip }) => {
    await place.server();
    const alone = ["unshare", "--time", "--monotonic", "1000000", "--fork"];
    if ((await box.run([...alone, "true"])).code !== 0) skip("no time namespaces here");
    const pid = await place.program([waits()]);
    expect((await place.findings(["--pid", String(pid)], alone)).codes).toEqual(["NW-405"]);
  });

  it.skipIf(otherUsersMissing())("files of /etc that cannot be read (NW-504)", async () => {
    await place.server();
    await box.run(["chmod", "0755", place.base]);
    await box.run(["chmod", "0600", "/etc/resolv.conf"]);
    const program = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", waits()];
    const pid = await place.program(program);
    const found = findingsOf(await box.run([place.doctor, "--json", "--pid", String(pid)], { uid: NOBODY }));
    expect(found.codes).toEqual(["NW-504"]);
  });

  it("too many names in /etc/hosts (NW-505)", async () => {
    await place.server();
    const names = Array.from({ length: 5000 }, (_, i) => `192.0.2.9 name${i}.example\n`);
    await box.write("/etc/hosts", HOSTS + names.join(""));
    expect(await codesOf({}, ["www.example"])).toEqual(["NW-505"]);
  });

  it("a search list that is libc's (NW-506), and names without a dot that are (NW-605)", async () => {
    await place.server();
    await box.write("/etc/resolv.conf", `${RESOLV_CONF}search a..b\n`);
    expect(await codesOf({}, ["www"])).toEqual(["NW-506", "NW-605"]);
    await box.write("/etc/resolv.conf", RESOLV_CONF);
    expect(await codesOf({ HOSTALIASES: "/etc/aliases" }, ["db"])).toEqual(["NW-605"]);
    await box.write("/etc/resolv.conf", "nameserver 127.0.0.53\n");
    expect(await codesOf({}, ["db"])).toEqual(["NW-501", "NW-605"]);
    await box.write("/etc/resolv.conf", "nameserver 192.0.2.201\n");
    expect(await codesOf({}, ["db"])).toEqual(["NW-407", "NW-605"]);
  });

  it("a name that the server leaves to libc by a rule of its own (NW-605)", async () => {
    await place.server({ DNS_CACHE_RULES: "corp.example bypass" });
    expect(await codesOf({}, ["www.corp.example"])).toEqual(["NW-605"]);
    expect(await codesOf({ DNS_CACHE_EXPLAIN: "1" }, ["www.example"])).toEqual([]);
  });
});
