// Where client.so looks for the server's files: DNS_CACHE_DIR, beside itself, /run/namewell.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";

const NAME = "www.example";
const CALL = `gethostbyname ${NAME}`;
const [BESIDE, IN_RUN, NAMED] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
const PATIENCE = { timeout: 20_000 };
const missing = sandboxMissing();
const folders: string[] = [];
const servers: ScriptedServer[] = [];
let box: Sandbox;

async function started(address: string): Promise<ScriptedServer> {
  const server = await scriptedServer(answersFrom({ [NAME]: { a: [address] } }));
  servers.push(server);
  return server;
}
const serverOf = async (address: string) => (await started(address)).directory;

/** Client.so in a new folder, alone. */
function clientAlone(): string {
  const folder = fs.mkdtempSync(path.join(tmpdir(), "namewell-folder-"));
  folders.push(folder);
  return putClient(folder);
}

function putClient(folder: string): string {
  const file = path.join(folder, "client.so");
  fs.copyFileSync(CLIENT, file);
  return file;
}

beforeAll(async () => {
  if (missing) return;
  box = await sandbox({ resolvConf: "nameserver 127.0.0.9\noptions timeout:1 attempts:1\n" });
  await box.run(["mount", "-t", "tmpfs", "tmpfs", "/run"]);
  await box.run(["mkdir", "/run/namewell"]);
  await box.run(["mount", "--bind", await serverOf(IN_RUN), "/run/namewell"]);
});
afterAll(async () => {
  await box?.close();
  for (const server of servers) await server.close();
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});

describe.each(["glibc", "musl"] as const)("on %s the server's files are looked for", (libc) => {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);

  async function addresses(client: string, env: Record<string, string> = {}, before: string[] = []): Promise<string[]> {
    const program = buildProgram("test/shim/lookup.c", libc);
    const { stdout } = await box.run([...before, "env", `LD_PRELOAD=${client}`, program], {
      input: `${CALL}\n`,
      env: { DNS_CACHE_EXPLAIN: "1", ...env },
    });
    return stdout.match(/192\.0\.2\.\d+/g) ?? [];
  }

  it.skipIf(without)("beside client.so", async () => {
    expect(await addresses(putClient(await serverOf(BESIDE)))).toEqual([BESIDE]);
  });

  it.skipIf(without)("in /run/namewell where neither socket nor table stands beside it", async () => {
    expect(await addresses(clientAlone())).toEqual([IN_RUN]);
    const far = path.join(path.dirname(clientAlone()), "n".repeat(80), "x".repeat(40));
    folders.push(path.dirname(far));
    fs.mkdirSync(far, { recursive: true });
    expect(await addresses(putClient(far))).toEqual([IN_RUN]); // no socket's path would fit beside it
  });

  it.skipIf(without)("not in a /run/namewell that anybody can have made, since others may write in /run", async () => {
    const server = await started(IN_RUN);
    const client = clientAlone();
    const inOtherRun = (mode: string, owner: string) => {
      const make = `mount -t tmpfs -o ${mode} tmpfs /run && chown ${owner} /run && ln -s "$0" /run/namewell && exec "$@"`;
      return addresses(client, {}, ["unshare", "--mount", "sh", "-c", make, server.directory]);
    };
    expect(await inOtherRun("mode=1777", "0:0")).toEqual([]);
    expect(await inOtherRun("mode=775", "0:1000")).toEqual([]);
    expect(await inOtherRun("mode=755", "1000:1000")).toEqual([]);
    expect(await inOtherRun("mode=755", "0:0")).toEqual([IN_RUN]);
  });

  it.skipIf(without)(
    "beside it too where only the table stands there: that server is away, and another's is none",
    async () => {
      const client = clientAlone();
      fs.writeFileSync(path.join(path.dirname(client), "cache.table"), "");
      expect(await addresses(client)).toEqual([]);
    },
  );

  it.skipIf(without)("in DNS_CACHE_DIR and nowhere else where it is set", async () => {
    const beside = putClient(await serverOf(BESIDE));
    expect(await addresses(beside, { DNS_CACHE_DIR: await serverOf(NAMED) })).toEqual([NAMED]);
    expect(await addresses(beside, { DNS_CACHE_DIR: path.dirname(clientAlone()) })).toEqual([]);
  });

  it.skipIf(without)(
    "again and again, while a program runs that was started before them",
    async () => {
      const client = clientAlone();
      const folder = path.dirname(client);
      await box.run(["umount", "/run/namewell"]);
      const script = 'while [ ! -e "$3" ]; do echo "$0"; sleep 0.1; done | LD_PRELOAD=$1 "$2"';
      const lookup = buildProgram("test/shim/lookup.c", libc);
      const end = path.join(folder, "end");
      const program = await box.start(["sh", "-c", script, CALL, client, lookup, end], {
        env: { DNS_CACHE_EXPLAIN: "1" },
      });
      await expect.poll(() => program.stderr()).toContain("libc, since");
      expect(program.stderr()).not.toContain("found");
      const inRun = await started(IN_RUN);
      await box.run(["mount", "--bind", inRun.directory, "/run/namewell"]);
      await expect.poll(() => inRun.questions.length, PATIENCE).toBeGreaterThan(0);
      const beside = await started(BESIDE);
      fs.symlinkSync(path.join(beside.directory, "dns.sock"), path.join(folder, "dns.sock"));
      await expect.poll(() => beside.questions.length, PATIENCE).toBeGreaterThan(0);
      fs.writeFileSync(end, "");
      await program.ended;
    },
    60_000,
  );
});
