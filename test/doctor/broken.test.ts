// Set-ups in which lookups do not come from the cache, each made for real: the doctor in the application's container
// names its cause and nothing else.
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { copyInto, type Findings, Place, UPSTREAM } from "../support/doctored.ts";
import { askOnce } from "../support/frames.ts";
import { arm64Missing, buildProgram, CLIENT, CLIENT_ARM64 } from "../support/programs.ts";
import { otherUsersMissing, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RESOLV_CONF = `nameserver ${UPSTREAM}\n`;
const HOSTS = "127.0.0.1 localhost\n";
const NAME = "www.example";
const ZONE = JSON.stringify({ [NAME]: { A: ["192.0.2.1"] }, "www.other.example": { A: ["192.0.2.2"] } });
const LOADER = process.arch === "arm64" ? "/lib/ld-linux-aarch64.so.1" : "/lib64/ld-linux-x86-64.so.2";
const ALONE = ["-nostdlib", "-nostartfiles", "-fPIE", "-pie", "-fno-stack-protector", "-Wl,--as-needed"];

const missing = sandboxMissing();
let box: Sandbox;
let place: Place;

/** Of a program with client.so, unless it is told otherwise. */
async function lookAt(command = [waits()], env?: Record<string, string>, args: string[] = []): Promise<Findings> {
  const pid = await place.program(command, env);
  return place.findings(["--pid", String(pid), ...args]);
}

const waits = () => buildProgram("test/doctor/waits.c", "glibc");

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

  it("that nothing is mounted (NW-201)", async () => {
    const found = await lookAt([waits()], { LD_PRELOAD: join(place.base, "nowhere", "client.so") });
    expect(found).toMatchObject({ codes: ["NW-201"], code: 1, verdict: "problems" });
  });

  it("that another directory is mounted (NW-202)", async () => {
    writeFileSync(join(place.directory, "something"), "");
    expect(await lookAt()).toMatchObject({ codes: ["NW-202"], code: 1 });
  });

  it("that anybody can have made what is in /run/namewell (NW-214)", async () => {
    copyInto(place.directory, CLIENT, "client.so");
    await box.run([
      "sh",
      "-ec",
      "mount -t tmpfs -o mode=1777 tmpfs /run; mkdir /run/namewell; touch /run/namewell/dns.sock",
    ]);
    expect(await lookAt()).toMatchObject({ codes: ["NW-214"], code: 1 });
    expect(await lookAt([waits()], { LD_PRELOAD: place.client, DNS_CACHE_DIR: "/run/namewell" })).toMatchObject({
      codes: expect.not.arrayContaining(["NW-214"]),
    });
    await box.run(["umount", "-l", "/run"]);
  });

  it("that the volume is mounted noexec (NW-203)", async () => {
    await box.run(["mount", "-t", "tmpfs", "-o", "noexec,mode=755", "tmpfs", place.directory]);
    await place.server();
    expect(await lookAt()).toMatchObject({ codes: ["NW-203"], code: 1 });
    await box.run(["umount", "-l", place.directory]);
  });

  const noOther = process.arch === "x64" ? arm64Missing() : "this machine is arm64";
  it.skipIf(noOther)(
    `that client.so is of another architecture (NW-204)${noOther ? ` (skipped: ${noOther})` : ""}`,
    async () => {
      await place.server();
      copyInto(place.directory, CLIENT_ARM64, "client.so");
      const found = await lookAt();
      expect(found).toMatchObject({ codes: ["NW-204"], code: 1 });
      expect(found.checks.find(({ code }) => code)?.text).toMatch(/ is for arm64, and this is x64$/);
    },
  );

  it("that client.so is missing (NW-205)", async () => {
    await place.server();
    await box.run(["rm", place.client]);
    expect(await lookAt()).toMatchObject({ codes: ["NW-205"], code: 1 });
  });

  it("that the directory was replaced under a bind mount (NW-207)", async () => {
    const mounted = join(place.base, "mounted");
    mkdirSync(mounted);
    await place.server();
    await box.run(["mount", "--bind", place.directory, mounted]);
    await box.run(["rm", "-r", place.directory]);
    mkdirSync(place.directory);
    await place.server();
    const env = { LD_PRELOAD: place.client, DNS_CACHE_DIR: mounted };
    expect(await lookAt([waits()], env)).toMatchObject({ codes: ["NW-207"], code: 1 });
    await box.run(["umount", "-l", mounted]);
  });

  it("that the program was started before client.so stood there (NW-101)", async () => {
    const pid = await place.program([waits()]);
    await place.server();
    expect(await place.findings(["--pid", String(pid)])).toMatchObject({ codes: ["NW-101"], code: 1 });
  });

  it("that nobody set LD_PRELOAD (NW-102)", async () => {
    await place.server();
    expect(await lookAt([waits()], { DNS_CACHE_DIR: place.directory })).toMatchObject({ codes: ["NW-102"], code: 1 });
  });

  it("that process 1 is the machine's own, and no program was named (NW-117)", async () => {
    await place.server();
    const kernels = copyInto(place.base, waits(), "kthreadd");
    await box.run(["chmod", "0755", kernels]);
    const isThere = "grep -qx kthreadd /proc/2/comm";
    const behindIt = `"$1" >/dev/null & until ${isThere}; do sleep 0.01; done; shift; "$@"; exit $?`;
    const machine = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", behindIt, "sh", kernels];
    const options = { env: { DNS_CACHE_DIR: place.directory } };
    expect(await place.findings([], machine, options)).toMatchObject({ codes: ["NW-117"], code: 2 });
    expect(await place.findings(["--pid", "1"], machine, options)).toMatchObject({ codes: ["NW-102"], code: 1 });
  });

  it("that LD_PRELOAD was replaced by another (NW-103)", async () => {
    await place.server();
    const env = { LD_PRELOAD: "libm.so.6", DNS_CACHE_DIR: place.directory };
    expect(await lookAt([waits()], env)).toMatchObject({ codes: ["NW-103"], code: 1 });
  });

  it("that another preload stands behind client.so (NW-104), and not one before it", async () => {
    await place.server();
    expect(await lookAt([waits()], { LD_PRELOAD: `libm.so.6:${place.client}` })).toMatchObject({ codes: [], code: 0 });
    const behind = await lookAt([waits()], { LD_PRELOAD: `${place.client} libm.so.6` });
    expect(behind).toMatchObject({ codes: ["NW-104"], code: 0 });
  });

  it("that the program is static (NW-105)", async () => {
    await place.server();
    const program = buildProgram("test/doctor/waits.c", "glibc", ["-static"], "static");
    expect(await lookAt([program])).toMatchObject({ codes: ["NW-105"], code: 1 });
  });

  it("that the program has no libc (NW-106)", async () => {
    await place.server();
    const program = buildProgram("test/doctor/alone.c", "glibc", [...ALONE, `-Wl,--dynamic-linker=${LOADER}`]);
    expect(await lookAt([program])).toMatchObject({ codes: ["NW-106"], code: 1 });
  });

  it.skipIf(otherUsersMissing())("that the program is set-uid (NW-107)", async () => {
    await place.server();
    const program = copyInto(place.base, waits(), "waits");
    chownSync(program, 65534, 65534);
    chmodSync(program, 0o4755);
    expect(await lookAt([program])).toMatchObject({ codes: ["NW-107"], code: 1 });
  });

  it("that it is switched off (NW-110)", async () => {
    await place.server();
    expect(await lookAt([waits()], { LD_PRELOAD: place.client, DNS_CACHE_OFF: "1" })).toMatchObject({
      codes: ["NW-110"],
      code: 1,
    });
  });

  it("that client.so was replaced since the program was started (NW-112)", async () => {
    await place.server();
    const pid = await place.program([waits()]);
    copyInto(place.directory, CLIENT, "client.so");
    expect(await place.findings(["--pid", String(pid)])).toMatchObject({ codes: ["NW-112"], code: 0 });
  });

  it.each([
    ["reads other tables", "NW_LAYOUT_VERSION", "NW-113", 0],
    ["speaks other frames", "NW_FRAME_VERSION", "NW-116", 1],
  ])("that a client.so is there that %s, in its place or not", async (_, constant, finding, code) => {
    const shim = join(place.base, "shim");
    cpSync(join(ROOT, "shim"), shim, { recursive: true });
    const header = readFileSync(join(shim, "layout.h"), "utf8");
    writeFileSync(join(shim, "layout.h"), header.replace(new RegExp(`(?<=#define ${constant} )\\d+`), "99"));
    const old = join(place.base, "old", `client-${process.arch}.so`);
    expect(spawnSync("make", ["-s", "-C", shim, `DIST=${join(place.base, "old")}`, old]).status).toBe(0);

    await place.server();
    const elsewhere = { LD_PRELOAD: old, DNS_CACHE_DIR: place.directory };
    expect(await lookAt([waits()], elsewhere)).toMatchObject({ codes: [finding], code });

    copyInto(place.directory, old, "client.so");
    const pid = await place.program([waits()]);
    copyInto(place.directory, CLIENT, "client.so");
    expect(await place.findings(["--pid", String(pid)])).toMatchObject({ codes: [finding], code });
  });

  it.each(["SIGKILL", "SIGTERM"] as const)("that the server has ended by %s (NW-301)", async (signal) => {
    const server = await place.server();
    await place.signal(signal, server);
    await expect.poll(async () => (await box.run(["test", "-e", `/proc/${server}`])).code).not.toBe(0);
    expect(existsSync(join(place.directory, "dns.sock"))).toBe(signal === "SIGKILL");
    expect(await lookAt()).toMatchObject({ codes: ["NW-301"], code: 1 });
  });

  it("that the server hangs (NW-302)", async () => {
    const server = await place.server();
    await place.signal("SIGSTOP", server);
    expect(await lookAt()).toMatchObject({ codes: ["NW-302"], code: 1 });
  });

  it("that Unix sockets are forbidden (NW-303)", async () => {
    await place.server();
    const pid = await place.program([waits()]);
    const confined = buildProgram("test/doctor/confined.c", "glibc", ["-D_GNU_SOURCE"]);
    expect(await place.findings(["--pid", String(pid)], [confined])).toMatchObject({ codes: ["NW-303"], code: 1 });
  });

  it("that the server asks others than the container (NW-407)", async () => {
    await place.server();
    await box.write("/etc/resolv.conf", "nameserver 192.0.2.201\n");
    const found = await lookAt();
    expect(found).toMatchObject({ codes: ["NW-407"], code: 0 });
    expect(found.checks.find(({ code }) => code)?.text).toContain(UPSTREAM);
  });

  it("that the table is full (NW-408)", async () => {
    await place.server({ DNS_CACHE_ENTRIES: "8" });
    for (let i = 0; i < 12; i++) await askOnce(join(place.directory, "dns.sock"), [`n${i}.example`]);
    expect(await lookAt()).toMatchObject({ codes: ["NW-408"], code: 0 });
  });

  it("that a nameserver is a loopback address (NW-501)", async () => {
    await place.server();
    await box.write("/etc/resolv.conf", "nameserver 127.0.0.53\n");
    expect(await lookAt()).toMatchObject({ codes: ["NW-501"], code: 0 });
  });

  it("that a name stands in /etc/hosts (NW-601)", async () => {
    await place.server();
    await box.write("/etc/hosts", `${HOSTS}192.0.2.9 ${NAME}\n`);
    expect(await lookAt([waits()], undefined, [NAME])).toMatchObject({ codes: ["NW-601"], code: 0 });
    expect(await lookAt([waits()], undefined, ["www.other.example"])).toMatchObject({ codes: [], code: 0 });
  });

  it("that a name is under DNS_CACHE_BYPASS (NW-602)", async () => {
    await place.server();
    const env = { LD_PRELOAD: place.client, DNS_CACHE_BYPASS: "corp, .example" };
    expect(await lookAt([waits()], env, [NAME])).toMatchObject({ codes: ["NW-602"], code: 0 });
  });

  it.each([
    ["printer.local", "NW-603"],
    ["192.0.2.1", "NW-604"],
    ["a\u001b[31mb", "NW-604"],
    ["www.broken.example", "NW-606"],
  ])("what is special about the name %j (%s)", async (name, code) => {
    await place.server();
    const { codes, checks } = await lookAt([waits()], undefined, [name]);
    expect(codes).toEqual([code]);
    expect(checks.map(({ text }) => text).join("")).toMatch(/^[ -~]*$/);
  });
});
