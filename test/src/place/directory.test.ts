import { execFile } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLog } from "../../../src/log.ts";
import { DirectoryError, openDirectory } from "../../../src/place/directory.ts";

const log = createLog("silent");
let directory: string;
const servers: net.Server[] = [];
const newServer = () => {
  const server = net.createServer();
  servers.push(server);
  return server;
};
const modeOf = (name: string) => fs.statSync(path.join(directory, name)).mode & 0o777;

/** A socket file that nobody listens on, as a killed server leaves it. */
async function leaveDeadSocket(): Promise<void> {
  const script = `require("net").createServer().listen(${JSON.stringify(path.join(directory, "dns.sock"))},()=>process.kill(process.pid,"SIGKILL"))`;
  await promisify(execFile)(process.execPath, ["-e", script]).catch(() => undefined);
  expect(fs.existsSync(path.join(directory, "dns.sock"))).toBe(true);
}

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const server of servers.splice(0)) server.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

describe("dns.sock", () => {
  it("is there with mode 0666, and nothing else is", async () => {
    await openDirectory(directory, log).listen(newServer());
    expect(fs.readdirSync(directory)).toEqual(["dns.sock"]);
    expect(modeOf("dns.sock")).toBe(0o666);
  });

  it("is refused to a second server, and the first goes on", async () => {
    await openDirectory(directory, log).listen(newServer());
    const second = openDirectory(directory, log);
    await expect(second.refuseSecondServer()).rejects.toThrow(DirectoryError);
    await expect(second.listen(newServer())).rejects.toThrow(/^Another server is listening on /);
    second.leave();
    expect(fs.readdirSync(directory)).toEqual(["dns.sock"]);
    await new Promise<void>((resolve, reject) => {
      const socket = net.connect(path.join(directory, "dns.sock"), () => resolve(socket.destroy() && undefined));
      socket.on("error", reject);
    });
  });

  it("of a dead server is replaced", async () => {
    await leaveDeadSocket();
    const next = openDirectory(directory, log);
    await next.refuseSecondServer();
    await next.listen(newServer());
    expect(fs.readdirSync(directory)).toEqual(["dns.sock"]);
    await expect(openDirectory(directory, log).refuseSecondServer()).rejects.toThrow(DirectoryError);
  });

  it("is left to whoever may be behind it where that cannot be told", async () => {
    const first = openDirectory(directory, log);
    await first.listen(newServer());
    const second = openDirectory(directory, log);
    vi.spyOn(net, "connect").mockImplementation((() => {
      const socket = new net.Socket();
      process.nextTick(() => socket.destroy(Object.assign(new Error("connect EMFILE"), { code: "EMFILE" })));
      return socket;
    }) as typeof net.connect);
    const refusal = `DNS_CACHE_DIR: '${directory}' cannot be used: connect EMFILE`;
    await expect(second.refuseSecondServer()).rejects.toThrow(new DirectoryError(refusal));
    await expect(second.listen(newServer())).rejects.toThrow(new DirectoryError(refusal));
    expect([first.isInPlace(), fs.readdirSync(directory)]).toEqual([true, ["dns.sock"]]);
  });

  it("goes to exactly one of several servers that start at once over a dead one", async () => {
    await leaveDeadSocket();
    const starts = Array.from({ length: 8 }, () => openDirectory(directory, log).listen(newServer()));
    const results = await Promise.allSettled(starts);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(fs.readdirSync(directory)).toEqual(["dns.sock"]);
  });

  it("is taken away by its server and by no other", async () => {
    const first = openDirectory(directory, log);
    await first.listen(newServer());
    fs.rmSync(path.join(directory, "dns.sock"));
    const second = openDirectory(directory, log);
    await second.listen(newServer());
    first.leave();
    expect(fs.readdirSync(directory)).toEqual(["dns.sock"]);
    second.leave();
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it("is known to be another server's, or gone", async () => {
    const first = openDirectory(directory, log);
    expect(first.isInPlace()).toBe(false);
    await first.listen(newServer());
    expect(first.isInPlace()).toBe(true);
    fs.rmSync(path.join(directory, "dns.sock"));
    expect(first.isInPlace()).toBe(false);
    const second = openDirectory(directory, log);
    await second.listen(newServer());
    expect([first.isInPlace(), second.isInPlace()]).toEqual([false, true]);
  });

  it("may have the longest path that a socket can have", async () => {
    const long = path.join(directory, "d".repeat(107 - "/dns.sock".length - directory.length - 1));
    await openDirectory(long, log).listen(newServer());
    expect(fs.readdirSync(long)).toEqual(["dns.sock"]);
  });
});

describe("what killed servers have left", () => {
  const age = (name: string, ageMs: number) => {
    const seconds = (Date.now() - ageMs) / 1000;
    fs.lutimesSync(path.join(directory, name), seconds, seconds);
  };

  it("is taken away by the server that listens: files, and sockets that are old", async () => {
    for (const name of [".nw-sock", ".nw-olds"]) {
      await leaveDeadSocket();
      fs.renameSync(path.join(directory, "dns.sock"), path.join(directory, name));
    }
    fs.writeFileSync(path.join(directory, ".nw-tabl"), "a whole table perhaps");
    fs.mkdirSync(path.join(directory, ".nw-dire"));
    for (const name of [".nw-dire", ".nw-olds"]) age(name, 11_000);
    const one = openDirectory(directory, log);
    await one.listen(newServer());
    one.removeLeftOver();
    expect(fs.readdirSync(directory).sort()).toEqual([".nw-dire", ".nw-sock", "dns.sock"]);
  });
});

describe("client.so", () => {
  it("is put in place with mode 0555, whatever the umask", () => {
    const before = process.umask(0o077);
    try {
      openDirectory(directory, log).installClient(Buffer.from("library"));
    } finally {
      process.umask(before);
    }
    expect(fs.readdirSync(directory)).toEqual(["client.so"]);
    expect(fs.readFileSync(path.join(directory, "client.so"), "utf8")).toBe("library");
    expect(modeOf("client.so")).toBe(0o555);
  });

  it("is replaced by another file, so that whoever has the old one mapped keeps it", () => {
    openDirectory(directory, log).installClient(Buffer.from("old"));
    const file = fs.openSync(path.join(directory, "client.so"), "r");
    openDirectory(directory, log).installClient(Buffer.from("new"));
    expect(fs.readFileSync(path.join(directory, "client.so"), "utf8")).toBe("new");
    expect(fs.readFileSync(file, "utf8")).toBe("old");
    fs.closeSync(file);
  });

  it("stays the same file when it is equal", () => {
    openDirectory(directory, log).installClient(Buffer.from("same"));
    const { ino } = fs.statSync(path.join(directory, "client.so"));
    openDirectory(directory, log).installClient(Buffer.from("same"));
    expect(fs.statSync(path.join(directory, "client.so")).ino).toBe(ino);
  });

  it("takes what a killed server left half written out of the way", () => {
    fs.writeFileSync(path.join(directory, ".nw-abcd"), "half");
    fs.writeFileSync(path.join(directory, ".nw-live"), "of a server that starts just now");
    fs.utimesSync(path.join(directory, ".nw-abcd"), 0, 0);
    openDirectory(directory, log).installClient(Buffer.from("library"));
    expect(fs.readdirSync(directory).sort()).toEqual([".nw-live", "client.so"]);
  });
});

describe("doctor", () => {
  it("is put in place for all to run, and replaced by another file", () => {
    openDirectory(directory, log).installDoctor(Buffer.from("old"));
    const { ino } = fs.statSync(path.join(directory, "doctor"));
    openDirectory(directory, log).installDoctor(Buffer.from("new"));
    expect(fs.readdirSync(directory)).toEqual(["doctor"]);
    expect(fs.readFileSync(path.join(directory, "doctor"), "utf8")).toBe("new");
    expect(fs.statSync(path.join(directory, "doctor")).ino).not.toBe(ino);
    expect(modeOf("doctor")).toBe(0o555);
  });

  it("is done without where it cannot be put in place", () => {
    fs.mkdirSync(path.join(directory, "doctor"));
    expect(() => openDirectory(directory, log).installDoctor(Buffer.from("program"))).not.toThrow();
  });
});

it("a directory that the server makes can be entered by all, and so can those that lead to it, whatever the umask", () => {
  fs.chmodSync(directory, 0o711);
  const before = process.umask(0o077);
  try {
    openDirectory(path.join(directory, "first", "..", "second//third", "made"), log);
  } finally {
    process.umask(before);
  }
  expect(["second", "second/third", "second/third/made"].map(modeOf)).toEqual([0o755, 0o755, 0o755]);
  expect(modeOf("")).toBe(0o711);
});

it("a directory that cannot be made is an error of one line that names the variable", () => {
  fs.writeFileSync(path.join(directory, "file"), "");
  const inFile = path.join(directory, "file", "below");
  expect(() => openDirectory(inFile, log)).toThrow(`DNS_CACHE_DIR: '${inFile}' cannot be used: ENOTDIR`);
});
