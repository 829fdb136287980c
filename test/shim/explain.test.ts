// DNS_CACHE_EXPLAIN=1: a line for each lookup, of where its answer comes from, or why it is libc's.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { HEADER_FLAGS, OUTCOME_NO_NAME, OUTCOME_TEMPORARY, OUTCOME_UNFIT } from "../../assembly/layout.ts";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { beatingHeader } from "../support/tableFile.ts";

const NAMES = ["www.example", "single", "a.lan"];
const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;
let header: ReturnType<typeof beatingHeader> | undefined;
const others: ScriptedServer[] = [];

beforeAll(async () => {
  if (missing) return;
  box = await sandbox();
  const known = Object.fromEntries(NAMES.map((name) => [name, { a: ["192.0.2.1"] }]));
  server = await scriptedServer(answersFrom(known));
  header = beatingHeader(server.directory, (bytes) => bytes.writeUInt32LE(0, HEADER_FLAGS)); // whom it asks, nobody knows
});
afterAll(async () => {
  header?.close();
  for (const each of [server, ...others]) await each?.close();
  await box?.close();
});

describe.each(["glibc", "musl"] as const)("on %s", (libc) => {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  const isGlibc = libc === "glibc";

  beforeEach(async () => {
    if (without) return;
    await box.write("/etc/resolv.conf", "nameserver 192.0.2.200\noptions timeout:1 attempts:1\n");
    await box.write("/etc/hosts", "127.0.0.1 localhost\n");
    await box.write("/etc/nsswitch.conf", "hosts: files dns\n");
  });

  /** What is said on standard error, without the times. */
  async function said(call: string, env: Record<string, string> = {}): Promise<string> {
    const program = buildProgram("test/shim/lookup.c", libc);
    const { stderr } = await box.run(["env", `LD_PRELOAD=${CLIENT}`, program], {
      input: `${call}\n`,
      env: { DNS_CACHE_DIR: server.directory, DNS_CACHE_EXPLAIN: "1", ...env },
    });
    expect(stderr).toMatch(/^(namewell: .*, \d+\.\d us\n)*$/);
    return stderr.replace(/, \d+\.\d us\n/g, "\n").trimEnd();
  }
  const look = (name: string) => `getaddrinfo ${name} 80 2 1 0 0`;

  it.skipIf(without).each<[string, string, string]>([
    ["an answer over the socket", "getaddrinfo www.example 80 2 1 0 0", 'getaddrinfo "www.example": socket, found'],
    ["one of gethostbyname", "gethostbyname www.example", 'gethostbyname "www.example": socket, found'],
    ["a numeric address", look("192.0.2.7"), 'getaddrinfo "192.0.2.7": libc, since it is no name for the DNS'],
    [
      "a local name",
      look("a.localhost"),
      "getaddrinfo \"a.localhost\": libc, since such names are this machine's or this link's",
    ],
    [
      "no name at all",
      "getaddrinfo - 80 2 1 0 0",
      'getaddrinfo "": libc, since only it understands the hints or the service',
    ],
    [
      "this machine's address",
      "gethostbyaddr 127.0.0.1 4 2",
      "name of \"1.0.0.127.in-addr.arpa\": libc, since such names are this machine's or this link's",
    ],
  ])("says of %s", async (_title, call, line) => {
    expect(await said(call)).toBe(`namewell: ${line}`);
  });

  it.skipIf(without)("says nothing where it is not asked to", async () => {
    expect(await said(look("www.example"), { DNS_CACHE_EXPLAIN: "" })).toBe("");
    expect(await said(look("www.example"), { DNS_CACHE_EXPLAIN: "0" })).toBe("");
  });

  it.skipIf(without)("names the user's settings and the container's files", async () => {
    const why = async (name: string, env: Record<string, string> = {}) =>
      (await said(look(name), env)).replace(/^namewell: getaddrinfo "[^"]*": /, "");
    expect(await why("www.example", { DNS_CACHE_OFF: "1" })).toBe("libc, since DNS_CACHE_OFF is set");
    expect(await why("a.lan", { DNS_CACHE_BYPASS: "lan" })).toBe("libc, since it is under DNS_CACHE_BYPASS");
    expect(await why("single")).toBe("libc, since its nameservers are not the cache's, and may know such a name");
    await box.write("/etc/hosts", "192.0.2.9 www.example\n");
    expect(await why("www.example")).toBe("libc, since /etc/hosts has it, or it is this machine's name");
    await box.write("/etc/resolv.conf", "nameserver 127.0.0.11\noptions timeout:1 attempts:1\n");
    expect(await why("single")).toBe("libc, since a loopback nameserver may know such a name");
    await box.write("/etc/hosts", "127.0.0.1 localhost\n");
    await box.write("/etc/nsswitch.conf", "hosts: files ldap dns\n");
    expect(await why("a.lan")).toBe(
      isGlibc ? "libc, since nsswitch.conf or host.conf ask other modules" : "socket, found",
    );
  });

  it.skipIf(without)("names what the server did", async () => {
    const why = async (directory: string) =>
      (await said(look("www.example"), { DNS_CACHE_DIR: directory })).replace(/^namewell: getaddrinfo "[^"]*": /, "");
    const with_ = async (outcome: number) => {
      const one = await scriptedServer(answersFrom({ "www.example": { a: outcome } }));
      others.push(one);
      return why(one.directory);
    };
    expect(await with_(OUTCOME_UNFIT)).toBe("libc, since the server leaves it to it");
    expect(await with_(OUTCOME_NO_NAME)).toBe("libc, since its nameservers may know more than the cache's");
    expect(await with_(OUTCOME_TEMPORARY)).toBe("libc, since its nameservers may know more than the cache's");
    const nobody = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    try {
      expect(await why(nobody)).toBe("libc, since dns.sock cannot be reached");
    } finally {
      fs.rmSync(nobody, { recursive: true });
    }
  });

  it.skipIf(without)("writes no byte of a name that a terminal would heed", async () => {
    const program = buildProgram("test/shim/explained.c", libc);
    const { stderr } = await box.run(["env", `LD_PRELOAD=${CLIENT}`, program, "names"], {
      env: { DNS_CACHE_DIR: server.directory, DNS_CACHE_EXPLAIN: "1" },
    });
    const lines = stderr.trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/, \d+\.\d us$/, ""))).toEqual([
      'namewell: getaddrinfo "\\027[31m\\007\\"\\\\\\255": libc, since it is no name for the DNS'
        .replace('\\"', "\\034")
        .replace("\\\\", "\\092"),
      `namewell: getaddrinfo "${"\\001".repeat(254)}...": libc, since it is no name for the DNS`,
    ]);
  });

  it.skipIf(without).each([
    ["another file stands in its place", "replaced"],
    ["it is closed", "closed"],
    ["its pipe is full", "full"],
    ["its pipe has no reader", "broken"],
    ["its file may not grow", "limited"],
  ])("leaves standard error alone, and the lookup as it is, where %s", async (_title, way) => {
    const program = buildProgram("test/shim/explained.c", libc);
    const { code, stdout, stderr, signal } = await box.run(["env", `LD_PRELOAD=${CLIENT}`, program, way], {
      env: { DNS_CACHE_DIR: server.directory, DNS_CACHE_EXPLAIN: "1" },
    });
    expect([code, signal, stdout, stderr]).toEqual([0, null, "ok\n", ""]);
  });
});
