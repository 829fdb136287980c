// Names of addresses from end to end: real programs, the built client.so and server, an upstream that counts.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isInstalled } from "../../demo/clients.ts";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type Zone } from "../../demo/upstream.ts";
import { buildProgram, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const ZONE_UPSTREAM = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const NOBODY = "nameserver 192.0.2.201\noptions timeout:1 attempts:1\n"; // not a loopback address, which might know more
const ADDRESS = "198.51.101.7";
const QUESTION = "7.101.51.198.in-addr.arpa";
const DENIED = { address: "198.51.101.8", question: "8.101.51.198.in-addr.arpa" };
const SIX = { address: "2001:db8::7", question: `7.${"0.".repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa` };
const HOT = { address: "198.51.101.9", question: "9.101.51.198.in-addr.arpa" };
const NAME = "seven.example";
const ZONE: Zone = {
  [QUESTION]: { ttl: 300, CNAME: "7.0/25.101.51.198.in-addr.arpa" },
  "7.0/25.101.51.198.in-addr.arpa": { ttl: 300, PTR: [NAME] },
  [SIX.question]: { ttl: 300, PTR: ["six.example"] },
  [HOT.question]: { ttl: 2, PTR: ["hot.example"] },
};

interface Program {
  readonly title: string;
  command(address: string): string[];
}
const PYTHON_BY_ADDRESS = "import socket,sys;print(socket.gethostbyaddr(sys.argv[1])[0])";
const PYTHON_NAMEINFO = "import socket,sys;print(socket.getnameinfo((sys.argv[1],0),socket.NI_NAMEREQD)[0])";
const PHP_BY_ADDRESS = "$n=gethostbyaddr($argv[1]);if($n===$argv[1])exit(2);echo $n,PHP_EOL;";
const PERL_BY_ADDRESS = "print +(gethostbyaddr(inet_aton($ARGV[0]),AF_INET)//exit 2).qq(\\n)";
const RUBY_NAMEINFO = "puts Addrinfo.tcp(ARGV[0],0).getnameinfo(Socket::NI_NAMEREQD)[0]";
const NODE_SERVICE = "require('dns').lookupService(process.argv[1],80,(e,n)=>{if(e)throw e;console.log(n)})";
const REQUIRED = ["getent", "python3", "php", "perl"]; // what the README installs; the rest is run where it is found
const PROGRAMS: Program[] = [
  { title: "getent hosts", command: (address: string) => ["getent", "hosts", address] },
  { title: "Python gethostbyaddr", command: (address: string) => ["python3", "-c", PYTHON_BY_ADDRESS, address] },
  { title: "Python getnameinfo", command: (address: string) => ["python3", "-c", PYTHON_NAMEINFO, address] },
  { title: "PHP gethostbyaddr", command: (address: string) => ["php", "-r", PHP_BY_ADDRESS, address] },
  { title: "Perl gethostbyaddr", command: (address: string) => ["perl", "-MSocket", "-e", PERL_BY_ADDRESS, address] },
  { title: "Ruby getnameinfo", command: (address: string) => ["ruby", "-rsocket", "-e", RUBY_NAMEINFO, address] },
  { title: "Node lookupService", command: (address: string) => [process.execPath, "-e", NODE_SERVICE, address] },
].filter(({ command }) => {
  const program = command("")[0] as string;
  return isInstalled(program) || (process.env.CI === "true" && REQUIRED.includes(program));
});

const missing = sandboxMissing();
let directory: string;
let box: Sandbox;
let upstream: Upstream;
let server: ServerProcess;
const preload = () => ({ LD_PRELOAD: path.join(directory, "client.so"), HOME: process.env.HOME ?? "/" });
const questions = () => server.log.filter(({ msg }) => msg.startsWith("Got message")).length;

beforeEach(async () => {
  if (missing) return;
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  fs.chmodSync(directory, 0o755);
  upstream = await startUpstream({ zone: ZONE, soaMinimum: 30 });
  server = startServer({
    DNS_CACHE_DIR: directory,
    DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`,
    DNS_CACHE_DENIALS: "final",
    DNS_CACHE_LOG_LEVEL: "debug",
  });
  await server.seen("Listening");
});
afterEach(async () => {
  if (missing) return;
  await box.close();
  process.kill(server.pid, "SIGCONT");
  await server.stopped("SIGTERM");
  await upstream.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

const why = missing ? ` (skipped: ${missing})` : "";
describe.skipIf(missing)(`the name of an address${why}`, { timeout: 300_000 }, () => {
  it("is given to every program while the container's own nameserver is dead: two rounds, one question", async () => {
    box = await sandbox({ resolvConf: NOBODY });
    for (let round = 0; round < 2; round++)
      for (const { title, command } of PROGRAMS) {
        const { code, stdout } = await box.run(command(ADDRESS), { env: preload() });
        expect({ title, code, name: stdout.trim().split(/\s+/).at(-1) }).toEqual({ title, code: 0, name: NAME });
      }
    expect(upstream.asked.map(({ name, type }) => `${name} ${type}`)).toEqual([`${QUESTION} PTR`]);
    expect(questions()).toBe(1);
  });

  it("and its lack end in each program as without the cache, and are asked for once", async () => {
    box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
    await box.startModule(ZONE_UPSTREAM, ["192.0.2.200", JSON.stringify(ZONE)], { ready: /ready/ });
    for (const address of [DENIED.address, ADDRESS])
      for (const { title, command } of PROGRAMS) {
        const alone = await box.run(command(address), { env: { HOME: process.env.HOME ?? "/" } });
        expect({ title, fails: alone.code !== 0 }).toEqual({ title, fails: address === DENIED.address });
        const { code, signal, stdout } = await box.run(command(address), { env: preload() });
        expect({ title, code, signal, stdout }).toEqual({
          title,
          code: alone.code,
          signal: alone.signal,
          stdout: alone.stdout,
        });
      }
    expect(upstream.count(DENIED.question, "PTR")).toBe(2); // in small letters too: nothing was known of the server
    expect(upstream.asked.length).toBe(3);
    expect(questions()).toBe(2);
  });

  for (const libc of ["glibc", "musl"] as const) {
    const noMusl = libc === "musl" ? muslMissing() : undefined;
    describe.skipIf(noMusl)(`on ${libc}${noMusl ? ` (skipped: ${noMusl})` : ""}`, () => {
      it("is found in the table, and its lack too, while the server stands still", async () => {
        box = await sandbox({ resolvConf: NOBODY });
        const program = buildProgram("test/shim/reverse.c", libc);
        const input = [ADDRESS, DENIED.address, SIX.address, `::ffff:${ADDRESS}`]
          .flatMap((address) => [`gethostbyaddr_r ${address} 1024 0`, `getnameinfo ${address} 80 256 64 10`])
          .join("\n");
        const lookUp = () => box.run([program], { env: preload(), input: `${input}\n` });
        const asked = await lookUp();
        process.kill(server.pid, "SIGSTOP");
        expect(await lookUp()).toEqual(asked);
        expect(asked.stdout).toMatch(/seven\.example.*returns -2.*six\.example.*seven\.example/s);
        process.kill(server.pid, "SIGCONT");
        expect(upstream.asked.length).toBe(3);
      });

      it("does not end while it is in use", async () => {
        box = await sandbox({ resolvConf: NOBODY });
        const program = buildProgram("test/shim/reverse.c", libc);
        const script = `for i in $(seq 600); do echo gethostbyaddr ${HOT.address}; sleep 0.01; done | env LD_PRELOAD=$LIBRARY "$0"`;
        const { stdout } = await box.run(["sh", "-c", script, program], { env: { LIBRARY: preload().LD_PRELOAD } });
        expect(stdout.match(/name hot\.example/g)).toHaveLength(600);
        expect(upstream.count(HOT.question, "PTR") - questions()).toBeGreaterThanOrEqual(1);
      });
    });
  }
});
