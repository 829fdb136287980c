import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { followResolvConf, nameserversOf } from "../../src/resolvconf.ts";
import { sandboxMissing } from "../support/sandbox.ts";

describe("nameserversOf", () => {
  const cases: ReadonlyArray<[title: string, text: string, nameservers: string[]]> = [
    [
      "both families, in their order",
      "nameserver 192.0.2.2\nnameserver\t2001:db8::53\n",
      ["192.0.2.2", "2001:db8::53"],
    ],
    ["a last line without its end", "search lan\nnameserver 192.0.2.2", ["192.0.2.2"]],
    [
      "lines with a comment or a carriage return",
      "nameserver 192.0.2.2 # x\nnameserver 192.0.2.3#x\nnameserver 192.0.2.4;x\nnameserver 192.0.2.5\r\n",
      ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"],
    ],
    [
      "no comments, no other words",
      "#nameserver 192.0.2.2\n; nameserver 192.0.2.3\n nameserver 192.0.2.4\nnameservers 192.0.2.5\nsearch 192.0.2.6\n",
      [],
    ],
    [
      "nothing that is no address",
      "nameserver\nnameserver nonsense\nnameserver 192.0.2\nnameserver 192.0.2.2:53\nnameserver 192.0.2.3%eth0\nnameserver fe80::1%\n",
      [],
    ],
    [
      "an address of a link with its interface",
      "nameserver fe80::1%eth0\nnameserver FE80::2%eth0.1\nnameserver febf::1%v\n",
      ["fe80::1%eth0", "FE80::2%eth0.1", "febf::1%v"],
    ],
    ["no address of a link that Node cannot connect to", "nameserver fe80::1\nnameserver fe80::1%2\n", []],
    [
      "no more than 16",
      Array.from({ length: 17 }, (_, i) => `nameserver 192.0.2.${i}\n`).join(""),
      Array.from({ length: 16 }, (_, i) => `192.0.2.${i}`),
    ],
  ];
  it.each(cases)("takes %s", (_title, text, nameservers) => {
    expect(nameserversOf(text)).toEqual(nameservers);
  });
});

describe("followResolvConf", () => {
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

  function follow(place = file, known?: readonly string[]) {
    stop = followResolvConf(place, (nameservers) => calls.push(nameservers.join()), undefined, known);
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
    follow(file, ["192.0.2.7"]);
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
