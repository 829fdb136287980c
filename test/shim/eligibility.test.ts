// Which calls reach the cache, as the container's files and the user's settings have it. The sandbox's own nameserver
// knows other addresses than the cache, so each result says who gave it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { beatingHeader } from "../support/tableFile.ts";
import { INSTRUMENTED_FLAGS } from "./flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = "192.0.2.1";
const LIBC = "198.51.100.9";
const LOCAL_NAMES = ["printer.local", "a.printer.local", "notcluster.local", "a.localhost", "a.localdomain"];
const NAMES = [
  ...["single", "www.example", "a.b.c.example", "a.test", "x.a.test", "aa.test", "single.search.example"],
  ...["web.shop.svc.cluster.local", ...LOCAL_NAMES],
];
const PLAIN = "nameserver 192.0.2.200\n";

const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;
let header: ReturnType<typeof beatingHeader> | undefined;

beforeAll(async () => {
  if (missing) return;
  box = await sandbox({ addresses: ["192.0.2.200/32", "127.0.0.11/8"] });
  for (const host of ["192.0.2.200", "127.0.0.11"]) {
    const zone = JSON.stringify(Object.fromEntries([...NAMES, "only.libc"].map((name) => [name, { A: [LIBC] }])));
    await box.startModule(`${root}/test/support/zoneUpstream.ts`, [host, zone], { ready: /ready/ });
  }
  server = await scriptedServer(answersFrom(Object.fromEntries(NAMES.map((name) => [name, { a: [CACHE] }]))));
  header = beatingHeader(server.directory);
});
afterAll(async () => {
  header?.close();
  await server?.close();
  await box?.close();
});

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`who answers, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    const glibc = libc === "glibc";
    const whenGlibc = glibc ? "libc" : "cache";

    beforeEach(async () => {
      await box.write("/etc/resolv.conf", PLAIN);
      await box.write("/etc/hosts", "127.0.0.1 localhost\n");
      await box.write("/etc/nsswitch.conf", "hosts: files dns\n");
      await box.write("/etc/host.conf", "multi on\n");
    });

    /** "cache", "libc", or what else the first address is; one for each name, in one process. */
    async function answerers(names: string[], env: Record<string, string> = {}, script = "cat"): Promise<string[]> {
      const program = buildProgram("test/shim/lookup.c", libc);
      const input = names.map((name) => (name.includes(" ") ? name : `getaddrinfo ${name} 80 2 1 0 0`)).join("\n");
      const preload = `LD_PRELOAD=${CLIENT}`;
      const command = ["sh", "-c", `(${script}) | env ${preload} "$0"`, program];
      const { stdout } = await box.run(command, {
        input: `${input}\n`,
        env: { DNS_CACHE_DIR: server.directory, ...env },
      });
      const results = stdout.split(/^(?=getaddrinfo)/m).filter((text) => text.startsWith("getaddrinfo"));
      return results.map((text) => {
        const address = text.match(/entry (\S+)/)?.[1] ?? text.match(/returns (-?\d+)/)?.[1] ?? text;
        return address === CACHE ? "cache" : address === LIBC ? "libc" : address;
      });
    }

    it("the cache, for plain names", async () => {
      expect(await answerers(["www.example", "www.example.", "WWW.Example", "single", "a.b.c.example"])).toEqual(
        Array(5).fill("cache"),
      );
    });

    it("libc, for names of this machine or link, but the cache for a Kubernetes cluster's", async () => {
      const answers = await answerers(LOCAL_NAMES);
      expect(answers).not.toContain("cache");
      expect(answers).toHaveLength(LOCAL_NAMES.length);
      expect(await answerers(["web.shop.svc.cluster.local"])).toEqual(["cache"]);
    });

    /** Which names the cache is asked for, by one call each. */
    async function candidates(name: string, env: Record<string, string> = {}): Promise<string> {
      const before = server.questions.length;
      await answerers([name], env);
      return server.questions
        .slice(before)
        .map(({ names }) => names.join(" "))
        .join(" | ");
    }

    it("the cache, for all candidates of the search list at once, in this libc's order", async () => {
      const one = glibc ? "a.b.test a.b.test.One.Example" : "a.b.test";
      for (const [resolvConf, name, names] of [
        ["search One.Example two.example", "Single", "single.one.example single.two.example single"],
        ["search one.example two.example", "single.", "single"],
        ["search One.Example", "a.B.test", one.toLowerCase()],
        ["search one.example\noptions ndots:3", "a.b.test", "a.b.test.one.example a.b.test"],
        ["search one.example\noptions ndots:2", "a.b.test", one.toLowerCase()],
        ["search one.example\noptions ndots:3", "a.b.test.", "a.b.test"],
        ["search one.example\noptions ndots:99", "a.b.test", "a.b.test.one.example a.b.test"],
        [
          "search one.example\ndomain two.example three.example",
          "s",
          glibc ? "s.two.example s" : "s.two.example s.three.example s",
        ],
        ["search one.example\nsearch", "s", glibc ? "s.one.example s" : "s"],
        [" search one.example", "s", "s"],
        ["search one.example\noptions ndots:0", "s", glibc ? "s s.one.example" : "s"],
        [
          `search ${Array.from({ length: 12 }, (_, i) => `d${i}.example`).join(" ")}`,
          "s",
          `${Array.from({ length: 12 }, (_, i) => `s.d${i}.example`).join(" ")} s`,
        ],
      ] as const) {
        await box.write("/etc/resolv.conf", `${PLAIN}${resolvConf}\n`);
        expect(await candidates(name), resolvConf).toBe(names);
      }
    });

    it("libc, for a name that the search list would make too long, up to the longest that there is", async () => {
      await box.write("/etc/resolv.conf", `${PLAIN}search ${"d".repeat(60)}.${"d".repeat(60)}\noptions ndots:9\n`);
      const longest = Array(4).fill("n".repeat(63)).join(".").slice(0, 253);
      const lengths = Array.from({ length: 125 }, (_, i) => 253 - i);
      const names = lengths.map((length) => longest.slice(0, length).replace(/\.$/, "n"));
      const before = server.questions.length;
      const answers = await answerers(names);
      expect(answers).toHaveLength(names.length);
      expect(server.questions.slice(before).map(({ names: [first = ""] }) => first.length)).toEqual(
        lengths.filter((length) => length + 122 <= 253).map((length) => length + 122),
      );
    });

    it("the cache, whichever candidate it knows", async () => {
      await box.write("/etc/resolv.conf", `search nowhere.example search.example\n${PLAIN}options ndots:3\n`);
      expect(await answerers(["single", "www.example", "only.libc"])).toEqual(["cache", "cache", "-2"]);
    });

    it("libc, under a search list that is not to be taken as it stands", async () => {
      const long = Array.from({ length: 9 }, () => `${"d".repeat(60)}.example`).join(" ");
      for (const list of [
        "one.example .",
        ".search.example",
        "s\u00fcch.example search.example",
        "search.example a..b",
      ]) {
        await box.write("/etc/resolv.conf", `${PLAIN}search ${list}\n`);
        expect(await candidates("single"), list).toBe("");
        expect(await answerers(["www.example"]), list).toEqual(["cache"]);
      }
      await box.write("/etc/resolv.conf", `${PLAIN}search ${Array(32).fill("x.example").join(" ")}\n`);
      expect(await candidates("single")).toBe("");
      await box.write("/etc/resolv.conf", `${PLAIN}search ${long}\n`);
      expect((await candidates("single")) === "").toBe(!glibc); // longer than musl reads a line
      await box.write("/etc/resolv.conf", `${PLAIN}search search.example.\n`);
      expect(await candidates("single")).toBe(glibc ? "single.search.example single" : "");
      await box.write("/etc/resolv.conf", `${PLAIN}search search.example\n`);
      expect(await candidates(`${"n".repeat(60)}.${"n".repeat(60)}.${"n".repeat(60)}.${"n".repeat(60)}`)).toBe(
        glibc ? "" : `${"n".repeat(60)}.${"n".repeat(60)}.${"n".repeat(60)}.${"n".repeat(60)}`,
      );
    });

    it("the domain of the host's name, where there is no other search list, on glibc", async () => {
      const { stdout } = await box.run(
        [
          "unshare",
          "-u",
          "sh",
          "-c",
          `hostname box.search.example; echo getaddrinfo single 80 2 1 0 0 | env LD_PRELOAD=${CLIENT} "$0"`,
          buildProgram("test/shim/lookup.c", libc),
        ],
        { env: { DNS_CACHE_DIR: server.directory } },
      );
      expect(stdout).toContain(CACHE);
      expect(server.questions.at(-1)?.names).toEqual(glibc ? ["single.search.example", "single"] : ["single"]);
    });

    it("the list of LOCALDOMAIN and the options of RES_OPTIONS, on glibc", async () => {
      await box.write("/etc/resolv.conf", `search one.example\n${PLAIN}`);
      const glibcElse = (names: string, musl: string) => (glibc ? names : musl);
      expect(await candidates("s", { LOCALDOMAIN: "x.example\ty.example" })).toBe(
        glibcElse("s.x.example s.y.example s", "s.one.example s"),
      );
      expect(await candidates("a.test", { RES_OPTIONS: "rotate ndots:2" })).toBe(
        glibcElse("a.test.one.example a.test", "a.test"),
      );
      for (const [name, value] of [
        ["LOCALDOMAIN", ""],
        ["LOCALDOMAIN", " x"],
        ["LOCALDOMAIN", "."],
        ["LOCALDOMAIN", "x".repeat(600)],
        ["RES_OPTIONS", "x".repeat(600)],
        ["HOSTALIASES", "/none"],
      ] as const)
        expect(await candidates("s", { [name]: value }), name).toBe(glibcElse("", "s.one.example s"));
    });

    it("no IPv6 lookups under no-aaaa, on glibc since 2.36", async ({ skip }) => {
      const version = Number(
        process.report?.getReport &&
          JSON.parse(JSON.stringify(process.report.getReport())).header.glibcVersionRuntime?.split(".")[1],
      );
      if (glibc && version < 36) skip("glibc before 2.36");
      await box.write("/etc/resolv.conf", `options no-aaaa\n${PLAIN}`);
      const families = async (family: number) => {
        const before = server.questions.length;
        await answerers([`getaddrinfo www.example 80 ${family} 1 0 0`]);
        return server.questions.slice(before).map((question) => question.families);
      };
      expect([await families(0), await families(2), await families(10)]).toEqual(
        glibc ? [[1], [1], []] : [[3], [1], [2]],
      );
    });

    it("libc, for single labels and after a no, where the nameserver is within the container", async () => {
      await box.write("/etc/resolv.conf", "nameserver 127.0.0.11\n");
      expect(await answerers(["single", "www.example", "only.libc"])).toEqual(["libc", "cache", "libc"]);
    });

    it("the cache's no is final otherwise", async () => {
      expect(await answerers(["only.libc", "only.libc."])).toEqual(["-2", "-2"]);
    });

    it("libc, under options that change answers", async () => {
      for (const line of ["sortlist 10.0.0.0", "nameserver what.is.this"]) {
        await box.write("/etc/resolv.conf", `${PLAIN}${line}\n`);
        expect(await answerers(["www.example"]), line).toEqual(["libc"]);
      }
    });

    it("libc, where resolv.conf is written as one of them reads it and the other does not", async () => {
      for (const line of ["search one.example\r", "search one.example\0two.example", "options ndots:1\v"]) {
        await box.write("/etc/resolv.conf", `${PLAIN}${line}\n`);
        expect(await answerers(["www.example"]), line).toEqual(["libc"]);
      }
      for (const line of [
        ...["options ndots:1 ndots:3", "options xndots:3", "options timeout:1,ndots:3"],
        `options ${"rotate ".repeat(60)}ndots:3`,
      ]) {
        await box.write("/etc/resolv.conf", `${PLAIN}${line}\n`);
        expect(await answerers(["www.example"]), line).toEqual([glibc ? "cache" : "libc"]);
      }
    });

    it("the cache, under options that only change the way", async () => {
      await box.write(
        "/etc/resolv.conf",
        `# search x\n;search x\n${PLAIN}options rotate edns0 timeout:1 use-vc ndots:1\n`,
      );
      expect(await answerers(["www.example", "single"])).toEqual(["cache", "cache"]);
    });

    it("/etc/hosts, for its names, noticed within about a second", async () => {
      await box.write("/etc/hosts", "192.0.2.77 www.example WWW.a.test # single\n192.0.2.78\ta.b.c.example\n");
      expect(await answerers(["www.example", "a.b.c.example", "single"])).toEqual([
        "192.0.2.77",
        "192.0.2.78",
        "cache",
      ]);
      const change =
        "head -n 1; sleep 0.1; echo 192.0.2.79 single > /etc/hosts; sleep 1.1; echo getaddrinfo single 80 2 1 0 0";
      expect(await answerers(["single"], {}, change)).toEqual(["cache", "192.0.2.79"]);
    });

    it("libc, for all names, where /etc/hosts holds too many to keep", async () => {
      const hosts = Array.from({ length: 4200 }, (_, i) => `192.0.2.5 host${i}.many.example\n`).join("");
      await box.write("/etc/hosts", hosts);
      expect(await answerers(["www.example", "host4199.many.example"])).toEqual(["libc", "192.0.2.5"]);
      await box.write("/etc/hosts", hosts.slice(0, 60_000));
      expect(await answerers(["www.example", "host1700.many.example"])).toEqual(["cache", "192.0.2.5"]);
    });

    it("as nsswitch.conf has it, on glibc", async () => {
      const plain = [
        ...["hosts: files dns", "hosts: dns", "hosts: dns files", "hosts files dns", " hosts:dns", "host: files"],
        "hosts: files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns myhostname",
      ];
      const other = [
        ...["hosts: files", "hosts files", "hosts : files", "hosts: files ldap dns", "hosts files ldap dns"],
        ...["hosts: files [NOTFOUND=return] dns", "hosts: files [ SUCCESS = continue ] dns"],
        "hosts: files dns # nis",
        ...["hosts: [NOTFOUND=return] files dns", "hosts: files myhostname [NOTFOUND=return] dns"],
        ...["hosts: dns [SUCCESS=merge] files", "hosts: dns [SUCCESS=continue] files"],
      ];
      for (const modules of [...plain, ...other]) {
        await box.write("/etc/nsswitch.conf", `passwd: files # nis\n${modules}\n`);
        const [who] = await answerers(["www.example"]);
        if (plain.includes(modules) || !glibc) expect(who, modules).toBe("cache");
        else expect(who, modules).not.toBe("cache");
      }
    });

    it("libc, where host.conf reorders, on glibc", async () => {
      await box.write("/etc/host.conf", "multi on\nreorder on\n");
      expect(await answerers(["www.example"])).toEqual([whenGlibc]);
    });

    it("libc, under the environment's resolver settings, on glibc", async () => {
      for (const name of ["RESOLV_REORDER", "RESOLV_HOST_CONF"])
        expect(await answerers(["www.example"], { [name]: "x" }), name).toEqual([whenGlibc]);
    });

    it.runIf(glibc)("libc, for a thread whose nameservers the application has changed", async () => {
      const lines = [
        "getaddrinfo www.example 80 2 1 0 0",
        "resolver 192.0.2.200",
        "getaddrinfo www.example 80 2 1 0 0",
      ];
      expect(await answerers(lines)).toEqual(["cache", "cache"]);
      lines[1] = "resolver 127.0.0.11";
      expect(await answerers(lines)).toEqual(["cache", "libc"]);
      lines[1] = "search search.example";
      expect(await answerers(lines)).toEqual(["cache", "libc"]);
      await box.write("/etc/resolv.conf", `search search.example two.example\n${PLAIN}`);
      const names = lines.map((line) => line.replace("www.example", "single"));
      names[1] = "resolver 192.0.2.200";
      expect(await answerers(names)).toEqual(["cache", "cache"]);
      names[1] = "search two.example";
      expect(await answerers(names)).toEqual(["cache", "libc"]);
    });

    it("libc, when the user says so", async () => {
      expect(await answerers(["www.example"], { DNS_CACHE_OFF: "1" })).toEqual(["libc"]);
      expect(await answerers(["www.example"], { DNS_CACHE_OFF: "0" })).toEqual(["cache"]);
      const names = ["a.test", "x.a.test", "aa.test", "www.example"];
      for (const list of ["a.test", "other.example,.A.test.", " a.TEST ,", ",,a.test"])
        expect(await answerers(names, { DNS_CACHE_BYPASS: list }), list).toEqual(["libc", "libc", "cache", "cache"]);
      expect(await answerers(["www.example"], { DNS_CACHE_BYPASS: "x".repeat(5000) })).toEqual(["libc"]);
    });

    it("libc, when the directory's path is too long for a socket", async () => {
      expect(await answerers(["www.example"], { DNS_CACHE_DIR: `/${"d".repeat(120)}` })).toEqual(["libc"]);
    });

    it("the cache, by the library's own place, absolute or relative", async () => {
      const program = buildProgram("test/shim/lookup.c", libc);
      const place = server.directory;
      await box.run(["cp", CLIENT, `${place}/client.so`]);
      for (const [preload, cwd] of [
        [`${place}/client.so`, "/"],
        ["./client.so", place],
      ] as const) {
        const { stdout } = await box.run([program], {
          input: "gethostbyname www.example\n",
          env: { LD_PRELOAD: preload },
          cwd,
        });
        expect(stdout).toContain(CACHE);
      }
      await box.run(["rm", `${place}/client.so`]);
    });
  });
}

describe("a set-uid program", () => {
  it("is libc's alone", async () => {
    const program = buildProgram("test/shim/parts.c", "glibc", INSTRUMENTED_FLAGS);
    const directory = mkdtempSync(join(tmpdir(), "namewell-secure-"));
    const { spawnSync } = await import("node:child_process");
    const run = (secure: string) =>
      spawnSync(program, ["secure", secure], {
        encoding: "utf8",
        env: { DNS_CACHE_DIR: directory, DNS_CACHE_EXPLAIN: "1" },
      }).stdout;
    expect(run("0")).toBe(`on, ${directory}/dns.sock, explained\n`);
    expect(run("1")).toBe("off, \n");
    rmSync(directory, { recursive: true });
  });
});
