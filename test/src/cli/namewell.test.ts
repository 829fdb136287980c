// The commands that ask a server, beside one that runs.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FAMILY_A, FAMILY_AAAA } from "../../../assembly/layout.ts";
import { type ServerProcess, startServer } from "../../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type Zone } from "../../../demo/upstream.ts";
import { VERSION } from "../../../src/version.ts";
import { askOnce } from "../../support/frames.ts";
import { NAMEWELL, namewell, type RunOptions } from "../../support/namewell.ts";
import { sandbox, sandboxMissing } from "../../support/sandbox.ts";

const ZONE: Zone = {
  "www.example": { ttl: 300, A: ["192.0.2.1", "192.0.2.2"], AAAA: ["2001:db8::1"] },
  "alias.example": { CNAME: "www.example" },
  "www.two.example": { A: ["192.0.2.3"] },
  "1.2.0.192.in-addr.arpa": { PTR: ["www.example"] },
};
const missing = sandboxMissing();

let directory: string;
let upstream: Upstream;
let server: ServerProcess;

async function serve(settings: Record<string, string> = {}, file?: string): Promise<void> {
  server = startServer(
    { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`, ...settings },
    file,
  );
  await server.seen(`Serving numbers and health on ${directory}/control.sock`);
}
const run = (args: readonly string[], options: RunOptions = {}) => namewell([...args, "--dir", directory], options);
const ask = (name: string) => askOnce(path.join(directory, "dns.sock"), [name], FAMILY_A | FAMILY_AAAA);
async function fine(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
  return stdout;
}

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-cli-"));
  upstream = await startUpstream({ zone: ZONE, soaMinimum: 60 });
});
afterEach(async () => {
  await server.stopped("SIGTERM");
  await upstream.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

describe("namewell, without a command or with serve,", () => {
  it("is the server", async () => {
    await serve({}, NAMEWELL);
    expect(await fine("status")).toMatch(new RegExp(`^Namewell ${VERSION}, up for .*: all is well\n`));
    expect(await server.stopped("SIGTERM")).toBe(0);
    const other = path.join(directory, "other");
    const env = { DNS_CACHE_UPSTREAMS: "127.0.0.1" };
    const ran = await namewell(["serve", "--dir", other], { env, signalAt: [/Serving numbers/, "SIGTERM"] });
    expect({ ...ran, stdout: "" }).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
    expect(ran.stdout).toContain(`Listening on ${other}/dns.sock`);
  });
});

describe("namewell status", () => {
  it("tells the numbers of what was done", async () => {
    await serve();
    expect(await fine("status")).toMatch(/^ {2}lookups +none yet$/m);
    for (const name of ["www.example", "www.example", "none.example"]) await ask(name);
    const text = await fine("status");
    expect(text).toMatch(/^ {2}lookups +6, 33\.3 % from the cache$/m);
    expect(text).toMatch(/^ {4}misses +4 asked$/m);
    expect(text).toMatch(/^ {4}outcomes +4 data, 2 no name$/m);
    expect(text).toMatch(/^ {2}table +published, .*4 of 65,536 entries \(2 of them denials\), 32\.0 MiB$/m);
    expect(text).toMatch(/^ {2}servers +1 of 1 up$/m);
    const snapshot = JSON.parse(await fine("status", "--json"));
    expect(snapshot).toMatchObject({ schema: 1, version: VERSION, counts: { misses: { asked: 4 } } });
  });

  it("says first what is wrong, and what to do", async () => {
    await serve();
    fs.rmSync(path.join(directory, "client.so"));
    const wrong = `  ! ${directory}/client.so is missing or of another build: no program can load it. Start the server anew`;
    let text = "";
    while (!text.includes(wrong)) text = await fine("status"); // it is looked at once in a while
    expect(text.split("\n")[0]).toMatch(/: something is wrong$/);
  });
});

describe("namewell lookup", () => {
  it("says where an answer comes from: asked now, and then held in the table", async () => {
    await serve();
    const first = await fine("lookup", "www.example.");
    expect(first).toMatch(/^www\.example is asked for as it is \(glibc\)\.\n\nwww\.example A: found\n/);
    expect(first).toMatch(/^ {2}held +no$/m);
    const from = `  from     udp 127\\.0\\.0\\.1:${upstream.port} over udp in `;
    expect(first).toMatch(new RegExp(`^${from}[^\n]* \\(asked now: [^\n]* in all\\)$`, "m"));
    expect(
      first
        .match(/^ {2}record +(.*)$/gm)
        ?.map((line) => line.split(/ +/)[2])
        .sort(),
    ).toEqual(["192.0.2.1", "192.0.2.2", "2001:db8::1"]);

    const second = await fine("lookup", "alias.example.", "--type", "a");
    expect(second).toMatch(/^ {2}alias +www\.example$/m);
    const third = await fine("lookup", "www.example.", "--type", "A");
    expect(third).toMatch(/^ {2}held +in the table, slot \d+: 5 min of 5 min left, /m);
    expect(third).toMatch(new RegExp(`^${from}[^\n]* ago$`, "m"));
    expect(upstream.count("www.example", "A")).toBe(1);
  });

  it("asks nobody with --no-ask, tells denials and rules, and finds the names of an address", async () => {
    await serve({ DNS_CACHE_RULES: "corp.example bypass; two.example max-ttl=7" });
    expect(await fine("lookup", "www.example.", "--no-ask")).toContain("www.example A: not known, and not asked for\n");
    expect(upstream.asked).toEqual([]);
    expect(await fine("lookup", "none.example.")).toContain("none.example AAAA: no such name\n");
    expect(await fine("lookup", "a.corp.example.")).toContain("a.corp.example A: left to libc, by its rule");
    expect(await fine("lookup", "www.two.example.")).toMatch(/^ {2}rule +two\.example max-ttl=7$/m);
    expect(await fine("lookup", "192.0.2.1")).toMatch(
      /^1\.2\.0\.192\.in-addr\.arpa PTR: found\n(.*\n)* {2}record +www\.example$/m,
    );
    const json = JSON.parse(await fine("lookup", "www.two.example.", "--json"));
    expect(json.candidates[0][0]).toMatchObject({ name: "www.two.example", data: ["192.0.2.3"], outcome: "data" });
  });

  it.skipIf(missing)(
    `goes through the search list until one ends it${missing ? ` (skipped: ${missing})` : ""}`,
    async () => {
      await serve();
      const box = await sandbox({
        resolvConf: "nameserver 127.0.0.1\nsearch one.example two.example three.example\noptions ndots:2\n",
        hosts: "127.0.0.1 localhost\n192.0.2.9 printer\n",
      });
      try {
        const look = (...args: string[]) =>
          box.run([process.execPath, NAMEWELL, "lookup", ...args, "--dir", directory]);
        const { stdout } = await look("www");
        expect(stdout.split("\n\n")[0]?.split("\n")).toEqual([
          "glibc asks for these in turn, by /etc/resolv.conf (search one.example two.example three.example, ndots:2):",
          "  www.one.example",
          "  www.two.example",
          "  www.three.example (not reached)",
          "  www (not reached)",
        ]);
        expect(stdout).toContain("www.one.example A: no such name\n");
        expect(stdout).toContain("www.two.example A: found\n");
        expect((await look("printer")).stdout).toMatch(
          /^A program's libc answers printer by itself: it stands in \/etc\/hosts\.\n/,
        );
        expect((await look("www.a.example", "--libc", "musl")).stdout).toMatch(
          /^www\.a\.example is asked for as it is \(musl\)\.\n/,
        );
      } finally {
        await box.close();
      }
    },
  );
});

describe("namewell flush", () => {
  it("says how much went, and the next lookup asks anew", async () => {
    await serve();
    const answers = async () => {
      for (const name of ["www.example", "alias.example", "www.two.example", "none.example"]) await ask(name);
    };
    await answers();
    expect(await fine("flush", "www.example")).toBe("Flushed 4 entries (4 in the table, 0 beside it)\n"); // its alias' too
    await ask("www.example");
    expect(upstream.count("www.example", "A")).toBe(2);
    expect(await fine("flush", "--negative")).toBe("Flushed 3 entries (3 in the table, 0 beside it)\n");
    expect(await fine("flush", "--suffix", "two.example")).toBe("Flushed 1 entry (1 in the table, 0 beside it)\n");
    expect(JSON.parse(await fine("flush", "--all", "--json"))).toEqual({
      table: 2,
      beside: 0,
      failures: 0,
      underWay: 0,
    });
    expect(await fine("flush", "--all")).toBe("Flushed 0 entries\n");
  });

  it("refuses what it cannot mean, and flushes nothing", async () => {
    await serve();
    await ask("www.example");
    for (const args of [[], ["www.example", "--all"], ["--all", "--negative"]]) {
      const error = "namewell: flush takes one of NAME, --suffix SUFFIX, --negative and --all\n";
      expect(await run(["flush", ...args])).toMatchObject({ code: 1, stdout: "", stderr: error });
    }
    const stderr = 'namewell: "a\\u001b[31mb..c" is not a name\n';
    expect(await run(["flush", "a\x1b[31mb..c"])).toMatchObject({ code: 1, stdout: "", stderr });
    expect(await fine("flush", "--all")).toContain("Flushed 2 entries ");
  });
});

describe("namewell top, upstreams, watch and log-level", () => {
  it("tell the names, the servers and how their queries ended", async () => {
    await serve();
    for (const name of ["www.example", "www.example", "none.example"]) await ask(name);
    expect(await fine("top", "--count", "1")).toMatch(
      /^Most asked for\n {2}4 {2}www\.example\n\nFailing most\n {2}none\n/,
    );
    expect(JSON.parse(await fine("top", "--json")).top).toMatchObject([
      { name: "www.example", count: 4 },
      { name: "none.example", count: 2 },
    ]);
    expect(await run(["top", "--count", "0"])).toMatchObject({
      code: 1,
      stderr: 'namewell: --count: "0" is not a whole number from 1 to 100\n',
    });
    const row = `  udp 127\\.0\\.0\\.1:${upstream.port} +udp +up +[\\d.]+ ms +4 +4 +0 +0 +0 +0\n`;
    expect(await fine("upstreams")).toMatch(new RegExp(`^For all names .*\n.*\n${row}`));
    expect(JSON.parse(await fine("upstreams", "--json"))[0].suffixes).toEqual(["."]);
  });

  it("watch what goes on, until Ctrl-C", async () => {
    await serve();
    const asking = (async () => {
      await ask("www.example");
      return (await run(["watch", "--count", "1", "--json"])).stdout;
    })();
    expect(JSON.parse(await asking)).toMatchObject({ lookups: 0, hits: 0, waiting: 0 });
    const ran = await run(["watch"], { signalAt: [/\n.*\n/, "SIGINT"] });
    expect({ ...ran, stdout: "" }).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
    expect(ran.stdout).toMatch(/^ {4}time {3}lookups\/s .*\n\d\d:\d\d:\d\d +0 +– /);
    expect(await run(["watch", "--interval", "1.5"])).toMatchObject({ code: 1, stdout: "" });
  });

  it("watch goes on while a server is started anew", async () => {
    await serve();
    const ran = run(["watch", "--count", "3"]);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await server.stopped("SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await serve();
    const { code, stdout, stderr } = await ran;
    expect({ code, lines: stdout.match(/^\d\d:/gm)?.length }).toEqual({ code: 0, lines: 3 });
    expect(stderr).toMatch(/^No server is running: .* \(waiting for it\)\nThe server was started anew\n$/);
  });

  it("status tells what the last minutes show", async () => {
    await serve({ DNS_CACHE_TIMEOUT_MS: "100", DNS_CACHE_UPSTREAMS: "127.0.0.1:1" });
    for (let i = 0; i < 60; i++) await ask(`n${i}.example`);
    expect(await fine("status")).toMatch(/something is wrong\n(.*\n)*.*100\.0 % of the lookups failed/);
  });

  it("lookup names nobody as the source of an answer that none has given", async () => {
    await serve({ DNS_CACHE_STALE: "0", DNS_CACHE_TIMEOUT_MS: "300" });
    await ask("www.example");
    await upstream.close();
    await fine("flush", "--all");
    const text = await fine("lookup", "www.example.", "--type", "A");
    expect(text).toMatch(/^ {2}from +nobody \(asked now: /m);
    expect(text).not.toContain("over udp");
    upstream = await startUpstream({ zone: ZONE }); // to be closed
  });

  it("change the log's level", async () => {
    await serve();
    expect(await fine("log-level")).toBe("info\n");
    expect(JSON.parse(await fine("log-level", "debug", "--json"))).toEqual({ level: "debug" });
    await ask("www.example");
    await server.seen("Cache warmup www.example");
    expect(await run(["log-level", "loud"])).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("trace, debug, info"),
    });
  });
});

it("every reading command has JSON, and doctor its own exit codes", async () => {
  await serve();
  const commands = [
    ["status"],
    ["upstreams"],
    ["top"],
    ["log-level"],
    ["lookup", "www.example"],
    ["watch", "--count", "1"],
    ["env"],
  ];
  for (const args of commands) expect(JSON.parse(await fine(...args, "--json")), `${args}`).toBeTypeOf("object");
  const env = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}` };
  const report = await run(["doctor", "www.example", "--json"], { env });
  expect(JSON.parse(report.stdout)).toMatchObject({ schema: 1, verdict: "fine" });
  expect(report.code).toBe(0);
  const text = await run(["doctor"], { env });
  expect({ code: text.code, end: text.stdout.split("\n").at(-2) }).toEqual({
    code: 0,
    end: expect.stringMatching(/^All is fine/),
  });
});

it.skipIf(missing)("a server in /run/namewell is found where none is in /dns_cache", async () => {
  const box = await sandbox();
  try {
    await box.run(["sh", "-c", "mount -t tmpfs tmpfs /run && mkdir /run/namewell"]);
    const env = { DNS_CACHE_DIR: "/run/namewell", DNS_CACHE_UPSTREAMS: "127.0.0.9", DNS_CACHE_HTTP: "off" };
    await box.start([process.execPath, NAMEWELL], { env, ready: /Serving numbers and health on .*control\.sock/ });
    const { code, stdout } = await box.run([process.execPath, NAMEWELL, "log-level"], {
      env: { DNS_CACHE_HTTP: "off" },
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "info\n" });
    const report = await box.run([process.execPath, NAMEWELL, "doctor"], { env: { DNS_CACHE_HTTP: "off" } });
    expect(report.stdout).toContain("ok    /run/namewell is the server's directory\n");
  } finally {
    await box.close();
  }
});
