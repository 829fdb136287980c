// The names of addresses: as each libc gives them, from the cache or from libc itself.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import * as layout from "../../assembly/layout.ts";
import type { Zone } from "../../demo/upstream.ts";
import { buildProgram, CLIENT, muslMissing, toolMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type Entry, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { beatingHeader, type TableEntry, TableFile, tableBytes } from "../support/tableFile.ts";
import { INSTRUMENTED_FLAGS } from "./flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const LONG = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(53)}.example`;
const missing = sandboxMissing();

/** The name that is asked for an address's. */
function questionOf(address: string): string {
  const v4 = address.replace(/^::ffff:(?=.*\.)/, "");
  if (!v4.includes(":")) return `${v4.split(".").reverse().join(".")}.in-addr.arpa`;
  const [head = "", tail = ""] = v4.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const groups = [...head, ...Array(8 - head.length - tail.length).fill("0"), ...tail];
  const nibbles = groups.map((group) => group.padStart(4, "0")).join("");
  return `${[...nibbles].reverse().join(".")}.ip6.arpa`;
}

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  const glibc = libc === "glibc";
  const why = without ? ` (skipped: ${without})` : "";

  describe.skipIf(without)(`the names of addresses against libc's, ${libc}${why}`, () => {
    const NAMES: Record<string, string[]> = {
      "192.0.2.1": ["one.example"],
      "192.0.2.2": ["first.example", "second.example", "third.example"],
      "192.0.2.8": ["Upper.EXAMPLE"],
      "192.0.2.9": ["under_score.example"],
      "192.0.2.10": [LONG],
      "192.0.2.99": ["not-so-here.example"],
      "198.51.100.1": ["broken.example"],
      "10.1.2.3": ["private.example"],
      "2001:db8::1": ["six.example"],
      "2001:db8::2": ["six-a.example", "six-b.example"],
      "fd00::1": ["unique.example"],
    };
    const DELEGATED = "192.0.2.3";
    const ZONE: Zone = {
      ...Object.fromEntries(Object.entries(NAMES).map(([address, PTR]) => [questionOf(address), { PTR }])),
      [questionOf(DELEGATED)]: { CNAME: "3.0/25.2.0.192.in-addr.arpa" },
      "3.0/25.2.0.192.in-addr.arpa": { PTR: ["delegated.example"] },
      [questionOf("192.0.2.4")]: { A: ["192.0.2.1"] },
      [questionOf("192.0.2.5")]: { CNAME: "nowhere.example" },
    };
    const LEARNED: Record<string, Entry> = {
      ...Object.fromEntries(Object.entries(NAMES).map(([address, ptr]) => [questionOf(address), { ptr }])),
      [questionOf(DELEGATED)]: { chain: ["3.0/25.2.0.192.in-addr.arpa"], ptr: ["delegated.example"] },
      [questionOf("192.0.2.4")]: { ptr: layout.OUTCOME_NO_DATA },
      [questionOf("192.0.2.5")]: { chain: ["nowhere.example"], ptr: layout.OUTCOME_NO_NAME },
      [questionOf("198.51.100.1")]: { ptr: layout.OUTCOME_TEMPORARY },
    };
    const ADDRESSES = [
      ...Object.keys(NAMES),
      ...[DELEGATED, "192.0.2.4", "192.0.2.5", "192.0.2.7", "2001:db8::7", "::ffff:192.0.2.1", "::ffff:192.0.2.7"],
    ];
    const LIBCS_OWN = [
      "127.0.0.1",
      "::1",
      "::",
      "0.0.0.0",
      "169.254.1.1",
      "fe80::1",
      "224.0.0.1",
      "ff02::1",
      "::192.0.2.1",
    ];

    function calls(): string[] {
      const lines: string[] = [];
      for (const address of [...ADDRESSES, ...LIBCS_OWN]) {
        lines.push(
          `gethostbyaddr ${address}`,
          `gethostbyaddr_r ${address} 8192 0`,
          `gethostbyaddr_r ${address} 8192 3`,
        );
        if (address === "198.51.100.1") lines.push(`getnameinfo ${address} 80 256 64 0`);
        else for (const flags of [0, 1, 2, 4, 8, 16, 24, 26]) lines.push(`getnameinfo ${address} 53 256 64 ${flags}`);
      }
      for (const address of ["192.0.2.1", "192.0.2.7", "2001:db8::1", "2001:db8::7"]) {
        for (const size of ["-1", "0", "1", "9", "10", "11", "12", "13", "64"])
          for (const service of ["-1", "0", "1", "4", "5", "64"])
            for (const flags of [0, 2, 8]) lines.push(`getnameinfo ${address} 80 ${size} ${service} ${flags}`);
        for (const flags of [0x20, 0x40, 0x100, 0x1000, -1]) lines.push(`getnameinfo ${address} 80 64 64 ${flags}`);
        for (const port of [0, 1, 22, 514, 65535])
          for (const flags of [0, 16]) lines.push(`getnameinfo ${address} ${port} 64 64 ${flags}`);
        for (const length of [0, 2, 8, 15, 16, 17, 27, 28, 29, 128])
          lines.push(`getnameinfo ${address} 80 64 64 0 0 ${length}`);
        lines.push(`getnameinfo ${address} 80 64 64 0 1`, `getnameinfo ${address} 80 64 64 0 7`);
        for (const length of [0, 3, 4, 15, 16, 17])
          for (const family of [0, 1, 2, 10]) {
            lines.push(`gethostbyaddr ${address} ${length} ${family}`);
            lines.push(`gethostbyaddr_r ${address} 1024 0 ${length} ${family}`);
          }
      }
      return lines;
    }

    /** What we choose to do otherwise, each with its reason. */
    function agreed(result: string): string {
      const text = result.toLowerCase(); // the cache keeps names in lower case
      return glibc ? text : text.replaceAll(/ errno \S+$/gm, ""); // what musl's inner calls left
    }

    let box: Sandbox;
    let server: ScriptedServer;
    let header: ReturnType<typeof beatingHeader>;
    beforeAll(async () => {
      box = await sandbox({
        addresses: ["192.0.2.200/24", "2001:db8::200/64"],
        resolvConf: "nameserver 192.0.2.200\noptions timeout:1 attempts:1\n",
        hosts: "127.0.0.1 localhost\n::1 localhost\n192.0.2.99 hosted.example other\n",
      });
      const args = ["192.0.2.200", JSON.stringify(ZONE)];
      await box.startModule(`${root}/test/support/zoneUpstream.ts`, args, { ready: /ready/ });
      server = await scriptedServer(answersFrom(LEARNED));
      header = beatingHeader(server.directory);
    });
    afterAll(async () => {
      header?.close();
      await server?.close();
      await box?.close();
    });

    async function results(lines: string[], env: Record<string, string>): Promise<string[]> {
      const program = buildProgram("test/shim/reverse.c", libc);
      const result = await box.run([program], { input: `${lines.join("\n")}\n`, env });
      expect(result).toMatchObject({ code: 0, stderr: "" });
      return result.stdout.split(/^(?=get)/m);
    }
    const preloaded = () => ({ DNS_CACHE_DIR: server.directory, LD_PRELOAD: CLIENT });

    it("are the same in every field", { timeout: 120_000 }, async () => {
      const lines = calls();
      const alone = await results(lines, {});
      const before = server.questions.length;
      const ours = await results(lines, preloaded());
      expect(server.questions.length - before).toBeGreaterThan(500); // or else libc would be compared with itself
      expect(ours.length).toBe(lines.length);
      const differences = alone.flatMap((expected, i) =>
        agreed(expected) === agreed(ours[i] ?? "") ? [] : [`${expected}--- preloaded:\n${ours[i]}`],
      );
      expect(differences.join("\n")).toBe("");
      const kinds = server.questions.map(({ families, names }) => `${families} ${names.length}`);
      expect(new Set(kinds)).toEqual(new Set([`${layout.FAMILY_PTR} 1`]));
    });

    it("fit a buffer where libc's do, and are refused as libc refuses where they do not", async () => {
      const sizes = Array.from({ length: 160 }, (_, size) => size);
      const lines = ["192.0.2.1", "2001:db8::1", "192.0.2.7", "::ffff:192.0.2.1"].flatMap((address) =>
        sizes.flatMap((size) => [0, 1, 7].map((pad) => `gethostbyaddr_r ${address} ${size} ${pad}`)),
      );
      const alone = await results(lines, {});
      const ours = await results(lines, preloaded());
      const refused = (result = "") => / returns 34 /.test(result);
      const differences = alone.filter((expected, i) => {
        if (agreed(expected) === agreed(ours[i] ?? "")) return false;
        return !(glibc && refused(expected) && !refused(ours[i])); // there /etc/hosts is read first, and needs more room
      });
      expect(differences.join("\n")).toBe("");
      expect(ours.filter(refused).length).toBeGreaterThan(100);
    });

    it("never touch a byte outside of the buffer", async () => {
      if (!glibc) return; // the sanitizer is glibc's; the writing is the same
      const program = buildProgram("test/shim/reverse.c", libc, INSTRUMENTED_FLAGS);
      const sizes = Array.from({ length: 400 }, (_, size) => size);
      const lines = ["192.0.2.1", "192.0.2.10", "2001:db8::1", "2001:db8::2"].flatMap((address) => [
        ...sizes.map((size) => `gethostbyaddr_r ${address} ${size} ${size % 8}`),
        ...sizes.map((size) => `getnameinfo ${address} 80 ${size} ${size} 2`),
      ]);
      const before = server.questions.length;
      const result = await box.run([program], {
        input: `${lines.join("\n")}\n`,
        env: { DNS_CACHE_DIR: server.directory, ASAN_OPTIONS: "detect_leaks=0" },
      });
      expect(result).toMatchObject({ code: 0, stderr: "" });
      expect(server.questions.length - before).toBeGreaterThan(lines.length - 10);
    });

    it("are one static result, each over the last", async () => {
      const [first = "", second = ""] = await results(
        ["gethostbyaddr 192.0.2.10", "gethostbyaddr 192.0.2.1"],
        preloaded(),
      );
      expect(first).toContain(`name ${LONG} `);
      expect(second).toContain("name one.example ");
    });
  });

  describe.skipIf(without)(`who answers for an address, ${libc}${why}`, () => {
    const PUBLIC = ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"];
    const PRIVATE = [
      "10.1.2.3",
      "172.16.0.1",
      "172.31.9.9",
      "192.168.1.1",
      "100.64.0.1",
      "100.127.0.1",
      "fd00::1",
      "fc00::1",
    ];
    const BESIDE = ["11.1.2.3", "172.15.0.1", "172.32.0.1", "192.167.1.1", "100.63.0.1", "100.128.0.1", "fe00::1"];
    const NOBODYS = [
      "127.0.0.1",
      "::1",
      "0.1.2.3",
      "169.254.1.1",
      "fe80::1",
      "febf::1",
      "224.0.0.1",
      "ff02::1",
      "255.255.255.255",
    ];
    const ALL = [...PUBLIC, ...PRIVATE, ...BESIDE, ...NOBODYS];
    const PLAIN = "nameserver 192.0.2.200\n";

    let box: Sandbox;
    let server: ScriptedServer;
    let header: ReturnType<typeof beatingHeader>;
    beforeAll(async () => {
      box = await sandbox({ addresses: ["192.0.2.200/32", "127.0.0.11/8"] });
      const zone = (name: string) => Object.fromEntries(ALL.map((address) => [questionOf(address), { PTR: [name] }]));
      const more = { [questionOf("192.0.2.50")]: { PTR: ["libc.example"] } };
      for (const host of ["192.0.2.200", "127.0.0.11"]) {
        const args = [host, JSON.stringify({ ...zone("libc.example"), ...more })];
        await box.startModule(`${root}/test/support/zoneUpstream.ts`, args, { ready: /ready/ });
      }
      const known = ALL.map((address) => [questionOf(address), { ptr: ["cache.example"] }]);
      server = await scriptedServer(answersFrom(Object.fromEntries(known)));
      header = beatingHeader(server.directory);
    });
    afterAll(async () => {
      header?.close();
      await server?.close();
      await box?.close();
    });
    beforeEach(async () => {
      await box.write("/etc/resolv.conf", PLAIN);
      await box.write("/etc/hosts", "127.0.0.1 localhost\n");
      await box.write("/etc/nsswitch.conf", "hosts: files dns\n");
      await box.write("/etc/host.conf", "multi on\n");
    });

    /** "cache", "libc", or what else the name is; one for each address, in one process. */
    async function answerers(addresses: string[], env: Record<string, string> = {}, flags = 0): Promise<string[]> {
      const program = buildProgram("test/shim/reverse.c", libc);
      const input = addresses.map((address) =>
        address.includes(" ") ? address : `getnameinfo ${address} 80 256 -1 ${flags}`,
      );
      const result = await box.run([program], {
        input: `${input.join("\n")}\n`,
        env: { LD_PRELOAD: CLIENT, DNS_CACHE_DIR: server.directory, ...env },
      });
      const texts = result.stdout.split(/^(?=get)/m).filter((text) => text.startsWith("get"));
      return texts.map((text) => {
        const name = text.match(/^ {2}(?:host|name) (\S+)/m)?.[1] ?? text.match(/returns (-?\S+)/)?.[1] ?? text;
        return name.replace(/\.example$/, "");
      });
    }
    const all = (who: string, addresses: string[]) => Array(addresses.length).fill(who);

    it("the cache, for any address of the network", async () => {
      const addresses = [...PUBLIC, ...PRIVATE, ...BESIDE];
      expect(await answerers(addresses)).toEqual(all("cache", addresses));
      expect(await answerers(addresses.map((address) => `gethostbyaddr ${address}`))).toEqual(all("cache", addresses));
    });

    it("libc, for addresses of this machine or link, of groups, and of nobody", async () => {
      expect(await answerers(NOBODYS)).not.toContain("cache");
      expect(await answerers(["getnameinfo 2001:db8::1 80 256 -1 0 1"])).toEqual(["libc"]); // with a scope
    });

    it("libc, for flags that it alone understands", async () => {
      const flags = [0, 2, 8, 16, 4, 32];
      const lines = flags.map((flag) => `getnameinfo 192.0.2.1 80 256 -1 ${flag}`);
      const some = glibc ? ["libc", "libc"] : ["cache", "libc"];
      expect(await answerers(lines)).toEqual([...all("cache", ["", "", "", ""]), ...some]);
    });

    it("/etc/hosts, for its addresses in every form", async () => {
      await box.write(
        "/etc/hosts",
        "192.0.2.1 here.example # 2001:db8::2\n2001:DB8:0::1\there6.example\n0xc0.0.2.7 hex.example\n",
      );
      expect(await answerers(["192.0.2.1", "2001:db8::1", "10.1.2.3"])).toEqual(["here", "here6", "cache"]);
      expect(await answerers(["::ffff:192.0.2.1"])).toEqual([glibc ? "libc" : "here"]); // each as it reads the file
      await box.write("/etc/hosts", "::ffff:192.0.2.1 mapped.example\n");
      expect(await answerers(["192.0.2.1", "::ffff:192.0.2.1"])).toEqual(["mapped", "mapped"]);
      const many = Array.from({ length: 4100 }, (_, i) => `198.51.${i >> 8}.${i & 255} h\n`).join("");
      await box.write("/etc/hosts", many);
      expect(await answerers(["192.0.2.1", "198.51.16.1"])).toEqual(["libc", "h"]);
    });

    it("libc, where the nameserver is within the container: private addresses, and whatever the cache denies", async () => {
      await box.write("/etc/resolv.conf", "nameserver 127.0.0.11\n");
      expect(await answerers(PRIVATE)).toEqual(all("libc", PRIVATE));
      expect(await answerers(["::ffff:10.1.2.3", ...PUBLIC, ...BESIDE])).toEqual([
        "libc",
        ...all("cache", [...PUBLIC, ...BESIDE]),
      ]);
      expect(await answerers(["192.0.2.50"], {}, 8)).toEqual(["libc"]);
      await box.write("/etc/resolv.conf", PLAIN);
      expect(await answerers(["192.0.2.50"], {}, 8)).toEqual(["-2"]);
    });

    it("as nsswitch.conf has it, on glibc: a module may know addresses by itself", async () => {
      const plain = ["files dns", "dns files", "dns"];
      const other = [
        "files myhostname dns",
        "files mymachines dns",
        "files resolve dns",
        "files mdns4_minimal [NOTFOUND=return] dns",
      ];
      for (const modules of [...plain, ...other, "files [NOTFOUND=return] dns", "files ldap dns"]) {
        await box.write("/etc/nsswitch.conf", `hosts: ${modules}\n`);
        const [who] = await answerers(["192.0.2.1"]);
        if (plain.includes(modules) || !glibc) expect(who, modules).toBe("cache");
        else expect(who, modules).not.toBe("cache");
      }
    });

    it("libc, under whatever sends names to it too", async () => {
      await box.write("/etc/resolv.conf", `${PLAIN}sortlist 10.0.0.0\n`);
      expect(await answerers(["192.0.2.1"])).toEqual(["libc"]);
      await box.write("/etc/resolv.conf", PLAIN);
      expect(await answerers(["192.0.2.1"], { RESOLV_REORDER: "on" })).toEqual([glibc ? "libc" : "cache"]);
      expect(await answerers(["192.0.2.1"], { DNS_CACHE_OFF: "1" })).toEqual(["libc"]);
      if (glibc)
        expect(
          await answerers(["getnameinfo 192.0.2.1 80 256 -1 0", "resolver 127.0.0.11", "gethostbyaddr 192.0.2.1"]),
        ).toEqual(["cache", "libc"]);
    });

    it("libc, for what lies under a suffix of DNS_CACHE_BYPASS", async () => {
      const addresses = ["10.1.2.3", "11.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"];
      const bypass = (list: string) => answerers(addresses, { DNS_CACHE_BYPASS: list });
      expect(await bypass("10.in-addr.arpa")).toEqual(["libc", "cache", "libc", "cache"]);
      expect(await bypass("in-addr.arpa")).toEqual(["libc", "libc", "libc", "cache"]);
      expect(await bypass("example,8.B.D.0.1.0.0.2.ip6.arpa.")).toEqual(["cache", "cache", "cache", "libc"]);
    });

    it("libc, where the cache cannot give the names out", async () => {
      const unfit = {
        [questionOf("192.0.2.1")]: { ptr: layout.OUTCOME_UNFIT },
        [questionOf("11.1.2.3")]: { ptr: ["a b"] },
      };
      server.behave(answersFrom(unfit));
      expect(await answerers(["192.0.2.1", "11.1.2.3"])).toEqual(["libc", "libc"]);
      server.behave(answersFrom({ [questionOf("192.0.2.1")]: { ptr: ["-rf.example", "fine.example"] } }));
      expect(await answerers(["192.0.2.1"])).toEqual([glibc ? "libc" : "fine"]); // no option of some command
      const known = ALL.map((address) => [questionOf(address), { ptr: ["cache.example"] }]);
      server.behave(answersFrom(Object.fromEntries(known)));
    });
  });

  describe.skipIf(without)(`the names of addresses from the table, ${libc}${why}`, () => {
    const ADDRESSES = Array.from({ length: 40 }, (_, i) => (i % 2 ? `192.0.2.${i}` : `2001:db8::${i}`));
    let box: Sandbox;
    let server: ScriptedServer;
    let table: TableFile;
    beforeAll(async () => {
      box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
      server = await scriptedServer(answersFrom({}));
      const entries = ADDRESSES.map((address, i): TableEntry => {
        const entry: TableEntry = { name: questionOf(address), type: "PTR", refreshInMs: 0 };
        return i < 36 ? { ...entry, addresses: [`n${i}.example`] } : { ...entry, outcome: layout.OUTCOME_NO_NAME };
      });
      table = new TableFile(`${server.directory}/cache.table`, tableBytes(entries, { setCount: 64 }));
    });
    afterAll(async () => {
      table?.close();
      await server?.close();
      await box?.close();
    });
    const env = () => ({ DNS_CACHE_DIR: server.directory });
    const input = (rounds: number) =>
      Array.from({ length: rounds }, () =>
        ADDRESSES.flatMap((address) => [
          `gethostbyaddr ${address}`,
          `gethostbyaddr_r ${address} 1024 0`,
          `getnameinfo ${address} 80 256 16 ${8 | 2}`,
        ]),
      )
        .flat()
        .map((line) => `${line}\n`)
        .join("");

    it("are found there, and their lack as well, without a question; the server hears of their use", async () => {
      const program = buildProgram("test/shim/reverse.c", libc);
      const { stdout } = await box.run([program], { input: input(1), env: { LD_PRELOAD: CLIENT, ...env() } });
      const results = stdout.split(/^(?=get)/m);
      expect(results).toHaveLength(3 * ADDRESSES.length);
      results.forEach((result, i) => {
        const at = Math.floor(i / 3);
        if (at < 36) expect(result).toMatch(new RegExp(`(host|name) n${at}\\.example\\b`));
        else expect(result).toMatch(glibc || i % 3 === 2 ? /NULL|returns -2/ : new RegExp(`name ${ADDRESSES[at]} `));
      });
      expect(server.questions).toEqual([]);
      await vi.waitFor(() => expect(server.told.some(({ kind }) => kind === "touch")).toBe(true), 10_000);
    });

    it("make no system call", async ({ skip }) => {
      const reason = toolMissing("strace", "strace");
      if (reason) skip(reason);
      const program = buildProgram("test/shim/reverse.c", libc);
      const fresh = ADDRESSES.map(
        (address, i): TableEntry => ({ name: questionOf(address), type: "PTR", addresses: [`n${i}.example`] }),
      );
      table.close();
      table = new TableFile(`${server.directory}/cache.table`, tableBytes(fresh, { setCount: 64 }));
      const count = async (rounds: number) => {
        const command = ["strace", "-f", "-e", "trace=!read,write,writev", "-E", `LD_PRELOAD=${CLIENT}`, program];
        const { code, stderr } = await box.run(command, { env: env(), input: input(rounds) });
        expect(code).toBe(0);
        return stderr.split("\n").length;
      };
      const [few, many] = [await count(1), await count(20)];
      expect(many - few).toBeLessThan((20 - 1) * ADDRESSES.length); // of three lookups each; files are looked at once a second
    });
  });
}
