import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os, { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { followNameservers, type Nameservers, nameserversAt, nameserversOf } from "../../../src/settings/resolvconf.ts";
import type { Listing } from "../../../src/upstream/group.ts";
import { buildProgram } from "../../support/programs.ts";
import { sandbox, sandboxMissing } from "../../support/sandbox.ts";

const PLAIN = { rotate: false, timeoutMs: 5000, attempts: 2 };
const hostsOf = ({ addresses }: Nameservers) => addresses.map(({ host }) => host);

/** The first interface's number is 1 in every network namespace. */
const LOOPBACK = { address: "fe80::1", family: "IPv6", scopeid: 1 } as os.NetworkInterfaceInfo;

describe("nameserversOf", () => {
  beforeEach(() => {
    vi.spyOn(os, "networkInterfaces").mockReturnValue({ lo: [LOOPBACK] });
  });
  afterEach(() => void vi.restoreAllMocks());

  const cases: ReadonlyArray<[title: string, text: string, nameservers: string[]]> = [
    [
      "both families, in their order",
      "nameserver 192.0.2.2\nnameserver\t2001:db8::53\n",
      ["192.0.2.2", "2001:db8::53"],
    ],
    ["a last line without its end", "search lan\nnameserver 192.0.2.2", ["192.0.2.2"]],
    [
      "lines with another word behind, or a carriage return",
      "nameserver 192.0.2.2 # x\nnameserver 192.0.2.3 192.0.2.4\nnameserver 192.0.2.5\r\n",
      ["192.0.2.2", "192.0.2.3", "192.0.2.5"],
    ],
    [
      "no comments, no other words",
      "#nameserver 192.0.2.2\n; nameserver 192.0.2.3\n nameserver 192.0.2.4\nnameservers 192.0.2.5\nsearch 192.0.2.6\n",
      [],
    ],
    [
      "nothing that is no address",
      "nameserver\nnameserver nonsense\nnameserver 192.0.2.2:53\nnameserver 192.0.2.3%lo\nnameserver 192.0.2.3#x\nnameserver 1.2.3.4.5\nnameserver 256.0.0.1\nnameserver 08.0.0.1\nnameserver 1.2.\n",
      [],
    ],
    [
      "IPv4 addresses as inet_aton(3) does",
      "nameserver 192.0.2\nnameserver 0x7f.1\nnameserver 010.010.0.1\n",
      ["192.0.0.2", "127.0.0.1", "8.8.0.1"],
    ],
    [
      "an address of a link with its interface",
      "nameserver fe80::1%eth0\nnameserver FE80::2%eth0.1\nnameserver febf::1%v\n",
      ["fe80::1%eth0", "FE80::2%eth0.1", "febf::1%v"],
    ],
    [
      "an address of a link with its interface's number, by its name",
      "nameserver fe80::1%1\nnameserver fe80::2%001\n",
      ["fe80::1%lo", "fe80::2%lo"],
    ],
    [
      "any other without its scope",
      "nameserver 2001:db8::1%eth0\nnameserver 2001:db8::2%7\nnameserver ::1%\n",
      ["2001:db8::1", "2001:db8::2", "::1"],
    ],
    [
      "no address of a link that nobody can connect to, but its place",
      "nameserver fe80::1\nnameserver fe80::1%99\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n",
      ["192.0.2.2"],
    ],
    [
      "the first three, as libc",
      "nameserver 192.0.2.4\nnameserver nonsense\nnameserver 192.0.2.3\nnameserver 192.0.2.2\nnameserver 192.0.2.1\n",
      ["192.0.2.4", "192.0.2.3", "192.0.2.2"],
    ],
    [
      "one that stands there twice once",
      "nameserver 192.0.2.2\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n",
      ["192.0.2.2", "192.0.2.3"],
    ],
  ];
  it.each(cases)("takes %s", (_title, text, nameservers) => {
    expect(hostsOf(nameserversOf(text))).toEqual(nameservers);
  });

  const options: ReadonlyArray<[text: string, listing: Partial<Listing>, resOptions?: string]> = [
    ["", {}],
    ["options rotate timeout:3 attempts:4\n", { rotate: true, timeoutMs: 3000, attempts: 4 }],
    [
      "options timeout:3\nnameserver 192.0.2.1\noptions\tattempts:1\t rotate\n",
      { rotate: true, timeoutMs: 3000, attempts: 1 },
    ],
    ["options timeout:30 attempts:5", { timeoutMs: 30_000, attempts: 5 }],
    ["options timeout:31 attempts:6", { timeoutMs: 30_000, attempts: 5 }],
    ["options timeout:0 attempts:0", { timeoutMs: 1000, attempts: 1 }],
    ["options timeout:-3 attempts:x", { timeoutMs: 1000, attempts: 1 }],
    ["options timeout:1 timeout:7,rotate\n", { timeoutMs: 7000 }],
    ["options timeout:  7 attempts:+3;y\r\n", { timeoutMs: 7000, attempts: 3 }],
    ["options rotate\r\n", { rotate: true }],
    ["options rotates xuse-vc Rotate ntimeout:9\n", { rotate: true }],
    ["#options rotate\n; options rotate\n options rotate\noption rotate\noptionsrotate\n", {}],
    ["options timeout:3 attempts:4\n", { timeoutMs: 9000, attempts: 4, rotate: true }, "timeout:9 rotate"],
    ["", { rotate: true }, "options rotate"],
  ];
  it.each(options)("reads how the list is gone through from %j", (text, listing, resOptions) => {
    expect(nameserversOf(text, resOptions).listing).toEqual({ ...PLAIN, ...listing });
  });

  it.each([
    ["nameserver 192.0.2.2\noptions use-vc\n", undefined, "tcp"],
    ["options use-vc:1 edns0\nnameserver 192.0.2.2\n", undefined, "tcp"],
    ["nameserver 192.0.2.2\n", "use-vc", "tcp"],
    ["nameserver 192.0.2.2\noptions no-vc,use-vc\n", undefined, "udp"],
  ])("asks over TCP where an option says so: %j, and %s in the environment", (text, resOptions, transport) => {
    expect(nameserversOf(text, resOptions).addresses).toEqual([{ transport, host: "192.0.2.2", port: 53 }]);
  });

  const missing = sandboxMissing();
  it.skipIf(missing)(`says what glibc says${missing ? ` (skipped: ${missing})` : ""}`, async () => {
    const program = buildProgram("test/src/settings/libcNameservers.c", "glibc", ["-lresolv"]);
    const box = await sandbox({ addresses: ["fe80::1/64"] });
    try {
      const texts = [
        ...cases.map(([, text]) => ({ text, environment: "" })),
        ...options.map(([text, , environment = ""]) => ({ text, environment })),
      ];
      for (const { text, environment } of texts) {
        // Where we are kinder (a carriage return, no attempt, less than a second), and interfaces that are not there.
        if (/\r|(timeout|attempts):[-0x]|%(eth0|v)/.test(text)) continue;
        await box.write("/etc/resolv.conf", text);
        const { stdout } = await box.run([program], { env: { RES_OPTIONS: environment } });
        const { addresses, listing } = nameserversOf(text, environment);
        const words = stdout.trimEnd().split(" ");
        const hosts = words.filter((word) => /[.:]/.test(word)).map((host) => host.replace("%1", "%lo"));
        const asked = new Set(hosts.filter((host) => !/%(0|99)$/.test(host)));
        const ours = addresses.length === 0 && hosts.length === 1 ? ["127.0.0.1"] : addresses.map(({ host }) => host);
        expect([text, ...ours]).toEqual([text, ...asked]);
        const [seconds, attempts, ...others] = words.slice(hosts.length);
        expect([text, listing]).toEqual([
          text,
          { timeoutMs: Number(seconds) * 1000, attempts: Number(attempts), rotate: others.includes("rotate") },
        ]);
      }
    } finally {
      await box.close();
    }
  });
});

describe("followNameservers", () => {
  const OLD = "nameserver 192.0.2.1\n";
  const NEW = "nameserver 192.0.2.2\nnameserver 192.0.2.3\n";
  let directory: string;
  let file: string;
  let stop: (() => void) | undefined;
  let calls: string[];

  beforeEach(() => {
    vi.useFakeTimers();
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-resolvconf-"));
    file = path.join(directory, "resolv.conf");
    fs.writeFileSync(file, OLD);
    calls = [];
  });
  afterEach(() => {
    stop?.();
    stop = undefined;
    vi.useRealTimers();
    fs.rmSync(directory, { recursive: true });
  });

  function follow(place = file, known?: Nameservers) {
    stop = followNameservers(
      () => nameserversAt(place),
      (nameservers) => calls.push(hostsOf(nameservers).join()),
      known,
    );
  }
  /** What has been called since the last time, over so many looks. */
  function looks(count: number): string[] {
    calls = [];
    vi.advanceTimersByTime(count * 2000);
    return calls;
  }
  function replace(text: string, place = file) {
    fs.writeFileSync(`${place}.new`, text);
    fs.renameSync(`${place}.new`, place);
  }

  it("says nothing while the nameservers stay as they are", () => {
    follow();
    expect(looks(3)).toEqual([]);
    replace(`# again\nsearch lan\n${OLD}options ndots:2\n`);
    expect(looks(3)).toEqual([]);
  });

  it("sees a file put in its place by rename, once, and the next one too", () => {
    follow();
    replace(NEW);
    expect(looks(5)).toEqual(["192.0.2.2,192.0.2.3"]);
    replace(OLD);
    expect(looks(5)).toEqual(["192.0.2.1"]);
  });

  it("sees a file written anew in its place, of the same length and with the same times", () => {
    follow();
    const { atime, mtime } = fs.statSync(file);
    fs.writeFileSync(file, OLD.replace("2.1", "2.9"));
    fs.utimesSync(file, atime, mtime);
    expect(looks(5)).toEqual(["192.0.2.9"]);
  });

  it("sees another order", () => {
    fs.writeFileSync(file, NEW);
    follow();
    replace("nameserver 192.0.2.3\nnameserver 192.0.2.2\n");
    expect(looks(5)).toEqual(["192.0.2.3,192.0.2.2"]);
  });

  it.each(["rotate", "use-vc", "timeout:3", "attempts:3"])("sees another option: %s", (option) => {
    follow();
    replace(`${OLD}options edns0 ${option}\n`);
    expect(looks(5)).toEqual(["192.0.2.1"]);
  });

  it("sees a symlink's target change, and the symlink itself", () => {
    const link = path.join(directory, "link");
    fs.symlinkSync("resolv.conf", link);
    follow(link);
    replace(NEW);
    expect(looks(5)).toEqual(["192.0.2.2,192.0.2.3"]);
    fs.writeFileSync(path.join(directory, "other"), OLD);
    fs.symlinkSync("other", `${link}.new`);
    fs.renameSync(`${link}.new`, link);
    expect(looks(5)).toEqual(["192.0.2.1"]);
  });

  it("keeps the old ones while the file is missing, empty, unreadable or names none", () => {
    follow();
    fs.rmSync(file);
    expect(looks(5)).toEqual([]);
    fs.mkdirSync(file);
    expect(looks(5)).toEqual([]);
    fs.rmdirSync(file);
    for (const text of ["", "nameserv", "search lan\n", OLD]) {
      fs.writeFileSync(file, text);
      expect(looks(5), text).toEqual([]);
    }
    fs.rmSync(file);
    expect(looks(5)).toEqual([]);
    fs.writeFileSync(file, NEW);
    expect(looks(5)).toEqual(["192.0.2.2,192.0.2.3"]);
  });

  it("takes no half of a file that is being written", () => {
    follow();
    fs.writeFileSync(file, NEW.slice(0, NEW.indexOf("\n") + 5));
    expect(looks(1)).toEqual([]);
    fs.writeFileSync(file, NEW);
    expect(looks(5)).toEqual(["192.0.2.2,192.0.2.3"]);
  });

  it("says nothing of a change that is taken back at once", () => {
    follow();
    replace(NEW);
    expect(looks(1)).toEqual([]);
    replace(OLD);
    expect(looks(5)).toEqual([]);
  });

  it("sees a change since the nameservers that are known were read", () => {
    follow(file, nameserversOf("nameserver 192.0.2.7\n"));
    expect(looks(5)).toEqual(["192.0.2.1"]);
  });

  it("follows a file that is not there yet", () => {
    fs.rmSync(file);
    follow();
    expect(looks(2)).toEqual([]);
    fs.writeFileSync(file, OLD);
    expect(looks(5)).toEqual(["192.0.2.1"]);
  });

  it("looks no more once it is stopped", () => {
    follow();
    stop?.();
    replace(NEW);
    expect(looks(5)).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  const missing = sandboxMissing();
  it.skipIf(missing)(
    `sees what is mounted over it and written through the mount${missing ? ` (skipped: ${missing})` : ""}`,
    async () => {
      const source = path.join(directory, "source");
      fs.writeFileSync(source, NEW);
      const mounter = startMounter();
      try {
        await told(mounter, "ready");
        follow(`/proc/${mounter.pid}/root${file}`);
        expect(looks(5)).toEqual([]);
        await told(mounter, `mount --bind ${source} ${file}`);
        expect(looks(5)).toEqual(["192.0.2.2,192.0.2.3"]);
        fs.writeFileSync(source, "nameserver 192.0.2.4\n");
        expect(looks(5)).toEqual(["192.0.2.4"]);
        await told(mounter, `umount ${file}`);
        expect(looks(5)).toEqual(["192.0.2.1"]);
      } finally {
        mounter.stdin?.end();
        await once(mounter, "close");
      }
    },
  );

  /** A shell in a mount namespace of its own, whose files /proc/PID/root shows. */
  function startMounter(): ChildProcess {
    const user = process.getuid?.() === 0 ? [] : ["-r"];
    return spawn("unshare", ["--mount", "--propagation", "private", ...user, "sh"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
  }
  async function told(shell: ChildProcess, command: string) {
    shell.stdin?.write(`${command === "ready" ? ":" : command} && echo done || echo failed\n`);
    const [output] = await once(shell.stdout as NodeJS.ReadableStream, "data");
    expect(String(output)).toBe("done\n");
  }
});
