// client.so in a process that does what processes do to themselves, whichever way a lookup goes: a hit in the table, a
// question over the socket, or libc's own.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildClient, buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { otherUsersMissing, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";
import { TableFile, tableBytes } from "../support/tableFile.ts";
import { ANY_CLOCK, WHOLE } from "./flags.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const NAME = "www.example";
const TABLE = "192.0.2.1";
const SERVER = "203.0.113.7";
const LIBC = "198.51.100.9";
const FEW = 8;
const MANY = 60;
const CANCELLED = 500;
const KIB = 1024;
const BEAT_MS = 500;

const WAYS = { "a hit": TABLE, "a question": SERVER, "libc's way": LIBC } as const;
type Way = keyof typeof WAYS;
const EVERY = Object.keys(WAYS) as Way[];
const OWN: Way[] = ["a hit", "a question"];

const missing = sandboxMissing();
let root: string; // to change to: a nameserver of its own, and nothing of ours
let box: Sandbox;
let server: ScriptedServer;
let table: TableFile;
let tableless: ScriptedServer;
let beating: NodeJS.Timeout | undefined;

beforeAll(async () => {
  if (missing) return;
  root = mkdtempSync(join(tmpdir(), "namewell-root-"));
  chmodSync(root, 0o755);
  mkdirSync(join(root, "etc"));
  writeFileSync(join(root, "etc/resolv.conf"), "nameserver 192.0.2.200\n");
  // Without a search list glibc asks for the machine's name, and so do we.
  box = await sandbox({ resolvConf: "nameserver 192.0.2.200\nsearch example\n" });
  const zone = JSON.stringify({ [NAME]: { A: [LIBC] } });
  await box.startModule(`${repository}/test/support/zoneUpstream.ts`, ["192.0.2.200", zone], { ready: /ready/ });
  server = await scriptedServer(answersFrom({ [NAME]: { a: [SERVER] } }));
  tableless = await scriptedServer(answersFrom({ [NAME]: { a: [SERVER] } }));
  for (const { directory } of [server, tableless]) chmodSync(directory, 0o755);
  const entry = { name: NAME, addresses: [TABLE], expiresInMs: 3_600_000, refreshInMs: 3_000_000 };
  table = new TableFile(join(server.directory, "cache.table"), tableBytes([entry]));
  beating = setInterval(() => table.beat(), BEAT_MS);
});
afterAll(async () => {
  clearInterval(beating);
  table?.close();
  if (server) rmSync(table.path, { force: true });
  await server?.close();
  await tableless?.close();
  await box?.close();
  if (root) rmSync(root, { recursive: true });
});

const directoryOf = (way: Way) =>
  ({ "a hit": server.directory, "a question": tableless.directory, "libc's way": "/nowhere" })[way];

/** The calls that a filter has to allow besides, as the docs have them. */
function callsOfDocs(libc: "glibc" | "musl"): string[] {
  const limits = readFileSync(join(repository, "docs/limits.md"), "utf8").replaceAll("\n  ", " ");
  const [, common = "", onMusl = ""] =
    /^- A seccomp filter that kills.*beside what libc's (.*?); on musl also (.*?)\./m.exec(limits) ?? [];
  const calls = (text: string) => [...text.matchAll(/`(\w+)`/g)].map(([, call = ""]) => call);
  expect(calls(common)).toContain("getpid");
  return calls(libc === "glibc" ? common : `${common} ${onMusl}`);
}

/** On this machine; undefined for a call that it has not. */
function numberOf(call: string): string | undefined {
  numbers ??= spawnSync("cc", ["-dM", "-E", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], {
    encoding: "utf8",
  }).stdout;
  return new RegExp(`^#define __NR_${call} (\\d+)$`, "m").exec(numbers)?.[1];
}
let numbers: string | undefined;

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`client.so in a foreign process, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    let program: string;
    let namesakes: string;
    beforeAll(() => {
      program = buildProgram("test/shim/foreign.c", libc, ["-rdynamic"]);
      namesakes = buildProgram("test/shim/namesakes.c", libc, ["-rdynamic"]);
    });

    /** What a task prints, with the preload. A shell's words may stand before it. */
    async function task(way: Way, words: (string | number)[], shell = 'exec "$@"', uid?: number, client = CLIENT) {
      const env = { DNS_CACHE_DIR: directoryOf(way), PRELOAD: client, ROOT: root };
      const loaded = shell.replace('exec "$@"', 'exec env LD_PRELOAD="$PRELOAD" "$@"');
      const command = ["sh", "-c", loaded, "sh", program, String(words[0]), NAME, ...words.slice(1).map(String)];
      const { code, stdout, stderr } = await box.run(command, { env, ...(uid !== undefined && { uid }) });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return stdout.trimEnd().split("\n");
    }
    /** What libc's own lookups call, with all that the process does from its start to its end. */
    async function callsOfLibc(): Promise<string[]> {
      const { stderr } = await box.run(["strace", program, "look", NAME]);
      return [...new Set([...stderr.matchAll(/^(\w+)\(/gm)].map(([, call = ""]) => call))];
    }
    const all = (address: string, ...what: string[]) => what.map((each) => `${each} ${address}`);
    const needsOtherUsers = (skip: (reason: string) => void) => {
      const reason = otherUsersMissing();
      if (reason) skip(reason);
    };

    it.for(OWN)(
      "leaves nothing behind in a thread that is cancelled, at once or at a point of cancellation: %s",
      async (way) => {
        const expected = all(WAYS[way], "first", "getaddrinfo", "gethostbyname_r", "asynchronous");
        expect(await task(way, ["cancellation", CANCELLED])).toEqual(expected);
      },
    );

    it.for(EVERY)(
      "serves children that are forked, vforked to execute, and spawned, while threads look up: %s",
      { retry: 2 }, // a libc whose own locks were held at the fork hangs in the child, with us or without
      async (way) => {
        const expected = Array(FEW)
          .fill(all(WAYS[way], "fork", "look", "look"))
          .flat();
        expect(await task(way, ["children", FEW])).toEqual(expected);
      },
    );

    it.for(EVERY)("keeps its map across a chroot, and asks libc for the rest: %s", async (way, { skip }) => {
      needsOtherUsers(skip);
      const after = way === "a hit" ? TABLE : LIBC;
      expect(await task(way, ["chroot-after"])).toEqual([`before ${WAYS[way]}`, `after ${after}`]);
      expect(await task(way, ["chroot-before"])).toEqual([`after ${LIBC}`]);
    });

    it.for(EVERY)("goes on as another user: %s", async (way, { skip }) => {
      needsOtherUsers(skip);
      expect(await task(way, ["become-other"])).toEqual(all(WAYS[way], "before", "after"));
    });

    it.for(EVERY)("touches no file that has taken a number of its own before: %s", async (way) => {
      expect(await task(way, ["descriptors-reused", FEW])).toEqual(all(WAYS[way], "before", "after"));
    });

    it.for(EVERY)("fits a stack of 64 KiB: %s", async (way) => {
      expect(await task(way, ["small-stack", 64 * KIB])).toEqual([`fine ${WAYS[way]}`]);
    });

    it.for(OWN)("fits the smallest stack that there is: %s", async (way) => {
      expect(await task(way, ["small-stack", 16 * KIB])).toEqual([`fine ${WAYS[way]}`]);
    });

    it.for(EVERY)("goes on in a storm of signals, with SA_RESTART and without: %s", async (way) => {
      expect(await task(way, ["signals", MANY])).toEqual(all(WAYS[way], "before", "after"));
    });

    it.for(OWN)("serves a signal handler that looks up within a lookup: %s", async (way) => {
      expect(await task(way, ["signals-that-look-up", MANY])).toEqual(all(WAYS[way], "before", "after"));
    });

    it.for(["EPERM", "EACCES", "EAFNOSUPPORT"] as const)(
      "asks libc where no Unix socket is allowed: %s",
      async (error) => {
        for (const way of EVERY)
          expect(await task(way, ["unix-sockets-forbidden", constants.errno[error]])).toEqual(
            all(way === "a hit" ? TABLE : LIBC, "first", "second"),
          );
      },
    );

    it("makes no system call for a hit, and so none that a filter would kill it for", async () => {
      const client = buildClient("any-clock", ANY_CLOCK); // the program stops the clock
      expect(await task("a hit", ["sockets-are-death", FEW], undefined, undefined, client)).toEqual([
        `before ${TABLE}`,
        ...Array<string>(FEW).fill(`after ${TABLE}`),
      ]);
    });

    it.for(EVERY)("waits by the system call that libc waits by: %s", async (way) => {
      expect(await task(way, ["only-poll-waits"])).toEqual(all(WAYS[way], "before", "after"));
    });

    it.for(EVERY)("makes no call that the docs do not list, and libc does not make: %s", async (way) => {
      const libcs = await callsOfLibc();
      const own = libcs.concat(callsOfDocs(libc), ["clock_nanosleep", "nanosleep", "clock_gettime"]);
      expect(libcs).toContain("sendto"); // or else it has looked nothing up
      const lines = await task(way, ["listed-calls-only", 0, ...own.flatMap((call) => numberOf(call) ?? [])]);
      expect(lines).toEqual(all(WAYS[way], "first", "second"));
    });

    it.for(EVERY)("leaves nothing of its own locked in a process that locks its memory to come: %s", async (way) => {
      const look = `look ${WAYS[way]}`;
      expect(await task(way, ["locked"])).toEqual(way === "a hit" ? [look, "not locked"] : [look]);
    });

    it.for(EVERY)("knows its settings after the process has emptied its environment: %s", async (way) => {
      const set = (variable: string) => `export ${variable}; exec "$@"`;
      expect(await task(way, ["cleared"])).toEqual([`cleared ${WAYS[way]}`]);
      expect(await task(way, ["cleared"], set("DNS_CACHE_OFF=1"))).toEqual([`cleared ${LIBC}`]);
      expect(await task(way, ["cleared"], set(`DNS_CACHE_BYPASS=other,${NAME}`))).toEqual([`cleared ${LIBC}`]);
    });

    it.runIf(libc === "glibc").for(EVERY)("heeds HOSTALIASES as soon as it is set: %s", async (way) => {
      const file = join(root, "aliases");
      writeFileSync(file, `short ${NAME}\n`);
      expect(await task(way, ["aliased", file])).toEqual([`before ${WAYS[way]}`, `after ${LIBC}`]);
    });

    it.for(OWN)("does without a descriptor, or asks libc, until there are some again: %s", async (way) => {
      const [before, without, after] = await task(way, ["no-descriptor-left"]);
      expect([before, after]).toEqual(all(WAYS[way], "before", "after"));
      if (way === "a hit") expect(without).toBe(`without ${TABLE}`);
      else expect(without).not.toContain(SERVER);
    });

    it.for(EVERY)("does not crash for lack of address space: %s", async (way) => {
      expect(await task(way, ["address-space"])).toEqual([`at last ${WAYS[way]}`]);
    });

    it.for(EVERY)("serves a child that shares its parent's memory: %s", async (way) => {
      expect(await task(way, ["shared-memory", 3])).toEqual(
        all(WAYS[way], "before", "within", "within", "within", "after"),
      );
    });

    const hidden = (path: string) => `unshare --mount sh -c 'mount -t tmpfs none ${path} && exec "$@"' sh "$@"`;
    const nested = (text: string) => text.replace('exec "$@"\' sh', 'exec env LD_PRELOAD="$PRELOAD" "$@"\' sh');
    const PLACES: [string, string, Partial<Record<Way, string>>][] = [
      ["no /proc", hidden("/proc"), { "a hit": SERVER, "a question": SERVER, "libc's way": LIBC }],
      [
        "no /etc/resolv.conf",
        hidden("/etc").replace("exec", 'echo "hosts: files dns" > /etc/nsswitch.conf && exec'),
        { "a hit": TABLE, "a question": SERVER },
      ],
      ["nothing in /etc", hidden("/etc"), { "a hit": TABLE, "a question": SERVER }],
      [
        "nothing that can be written to",
        // /tmp may be a mount of its own
        `unshare --mount sh -c 'for place in / $(findmnt -no TARGET -T /tmp); do mount -o remount,bind,ro $place; done; ! touch /tmp/namewell-foreign 2>/dev/null && exec "$@"' sh "$@"`,
        { "a hit": TABLE, "a question": SERVER, "libc's way": LIBC },
      ],
    ];
    for (const [what, shell, expected] of PLACES)
      it.for(Object.keys(expected) as Way[])(`answers where there is ${what}: %s`, async (way) => {
        expect(await task(way, ["look"], nested(shell))).toEqual([`look ${expected[way]}`]);
      });

    it.for(EVERY)("calls no function of the program's own that is named like a system call: %s", async (way) => {
      const input = `getaddrinfo ${NAME} 80 0 1 0 0\ngetaddrinfo ${NAME} 80 2 1 0 32\ngethostbyname_r ${NAME} 1024 0\n`;
      const env = { DNS_CACHE_DIR: directoryOf(way), LD_PRELOAD: CLIENT };
      const { code, stdout, stderr } = await box.run([namesakes], { env, input });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect([...stdout.matchAll(/(?:entry|address) (\S+)/g)].map(([, address]) => address)).toContain(WAYS[way]);
    });
  });
}

describe.skipIf(missing)("a look into /etc that is held up", () => {
  it.for(["thread", "child"])("does not spoil what another has found meanwhile: a %s", async (which) => {
    const program = buildProgram("test/shim/stalled.c", "glibc", WHOLE);
    const { code, stdout } = await box.run([program, which]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "meanwhile 1\nafterwards 1\n" });
  });
});
