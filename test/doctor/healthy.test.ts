// The doctor where all is well, and where there is nothing but itself.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { copyInto, DOCTOR_ARM64, findingsOf, Place, UPSTREAM } from "../support/doctored.ts";
import { emulationMissing } from "../support/emulated.ts";
import { buildProgram, CLIENT_ARM64, muslMissing } from "../support/programs.ts";
import { otherUsersMissing, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ZONE = JSON.stringify({ "www.corp.example": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] } });
const NOBODY = 65534;

const missing = sandboxMissing();
let box: Sandbox;
let place: Place;

const waits = (target: "glibc" | "musl" = "glibc") => buildProgram("test/doctor/waits.c", target);

describe.skipIf(missing)(`the doctor${missing ? ` (skipped: ${missing})` : ""}`, () => {
  beforeAll(async () => {
    box = await sandbox({ resolvConf: `nameserver ${UPSTREAM}\nsearch corp.example\noptions ndots:2\n` });
    await box.startModule(`${ROOT}/test/support/zoneUpstream.ts`, [UPSTREAM, ZONE], { ready: /ready/ });
  });
  afterAll(() => box?.close());
  beforeEach(() => {
    place = new Place(box);
  });
  afterEach(() => place.close());

  for (const libc of ["glibc", "musl"] as const) {
    const without = libc === "musl" ? muslMissing() : undefined;
    it.skipIf(without)(`says that all is fine, ${libc}${without ? ` (skipped: ${without})` : ""}`, async () => {
      await place.server();
      const pid = await place.program([waits(libc)]);
      const { code, stdout, stderr } = await box.run([place.doctor, "www", "--pid", String(pid)]);
      const said = stdout
        .replaceAll(/\d+ us/g, "N us")
        .replaceAll(/\d+ ms/g, "N ms")
        .replaceAll(place.base, "");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const program = waits(libc);
      const loaded = `process ${pid} (${program}) has /shared/client.so loaded, on ${libc}`;
      expect(said).toBe(`program
  ok    ${loaded}
  ok    it reads tables of layout 2, as the server writes them

directory
  ok    /shared is the server's directory
  ok    /shared/client.so can be loaded

server
  ok    it answers on /shared/dns.sock within N us

table
  ok    /shared/cache.table is of layout 2
  ok    the server's heartbeat is N ms old
  ok    0 of the table's 65536 entries are in use

container
  -     its nameserver is ${UPSTREAM}
  ok    the server asks the same: that a name does not exist is final
  -     it searches in corp.example, names with fewer dots than 2 there first

name
  -     www is asked for as www.corp.example
  -     www is asked for as www
  -     www.corp.example is not in the table, for both families
  -     www is not in the table, for both families
  ok    www.corp.example is answered over the socket within N us
  -     A: 192.0.2.1
  -     AAAA: 2001:db8::1
  ok    www.corp.example is in the table, found within N us

All is fine (warnings: 0).
`);
    });
  }

  it("looks at process 1, or where that has no client.so at one that has", async () => {
    await place.server();
    const alone = ["unshare", "--pid", "--fork", "--mount-proc"];
    const env = { LD_PRELOAD: place.client };
    const first = findingsOf(await box.run([...alone, "sh", "-c", '"$0" --json; true', place.doctor], { env }));
    expect(first).toMatchObject({ code: 0, codes: [], verdict: "fine" });
    expect(first.checks[0]?.text).toMatch(/^process 1 /);

    const pid = await place.program([waits()]);
    const other = findingsOf(await box.run([place.doctor, "--json"]));
    expect(other).toMatchObject({ codes: [], verdict: "fine" });
    expect(other.checks[0]?.text).toMatch(`process ${pid} has, and is looked at instead`);
  });

  it("needs nothing but its directory, and says what it cannot tell without /proc", async () => {
    await place.server();
    const root = join(place.base, "root");
    const within = join(root, "dns_cache");
    mkdirSync(within, { recursive: true });
    await box.run(["mount", "--bind", place.directory, within]);
    const found = findingsOf(await box.run(["chroot", root, "/dns_cache/doctor", "--json", "www.corp.example"]));
    await box.run(["umount", "-l", within]);
    expect(found).toMatchObject({ code: 2, verdict: "unknown", codes: ["NW-114", "NW-409", "NW-501"] });
    expect(found.checks.map(({ text }) => text)).toContain("A: 192.0.2.1");
  });

  it.skipIf(otherUsersMissing())("says that it may not look into another user's process", async () => {
    await place.server();
    await box.run(["chmod", "0755", place.base]);
    const pid = await place.program([waits()]);
    const found = findingsOf(await box.run([place.doctor, "--json", "--pid", String(pid)], { uid: NOBODY }));
    expect(found).toMatchObject({ code: 2, codes: ["NW-114"] });
  });

  it.each([
    [["--pid", "nonsense"], "--pid wants the number of a process, not 'nonsense'"],
    [["--pid"], "--pid wants the number of a process, not ''"],
    [["--jsno"], "'--jsno' is not accepted"],
    [["one", "two"], "'two' is not accepted"],
    [["--\u001b[31m"], "'--\\\\x1b[31m' is not accepted"],
  ])("refuses %j", async (args, message) => {
    await place.server();
    const { code, stdout, stderr } = await box.run([place.doctor, ...args]);
    expect({ code, stdout, lines: stderr.split("\n").length }).toEqual({ code: 2, stdout: "", lines: 2 });
    expect(stderr).toContain(message.replace("\\\\", "\\"));
  });

  const noArm = emulationMissing();
  it.skipIf(noArm)(`works on arm64${noArm ? ` (skipped: ${noArm})` : ""}`, async () => {
    await place.server();
    copyInto(place.directory, CLIENT_ARM64, "client.so");
    const pid = await place.program([waits()], { DNS_CACHE_DIR: place.directory }); // of this machine, which is another
    const command = ["qemu-aarch64", DOCTOR_ARM64, "--json", "--pid", String(pid), "www.corp.example"];
    const { code, codes, checks } = findingsOf(await box.run(command));
    expect({ code, codes }).toEqual({ code: 1, codes: ["NW-108"] });
    const said = checks.map(({ text }) => text);
    expect(said).toContain("A: 192.0.2.1");
    expect(said.at(-1)).toMatch(/^www\.corp\.example is in the table/);
  });
});
