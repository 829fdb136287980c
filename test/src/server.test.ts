// The built server as a process, asked over its socket.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type Zone } from "../../demo/upstream.ts";
import { addressesOf, namesOf, outcomeOf } from "../../src/table/record.ts";
import {
  askOnce,
  connectTo,
  frame,
  kindOf,
  questionFrame,
  type RawClient,
  recordsOf,
  useFrame,
} from "../support/frames.ts";

const BOTH = layout.FAMILY_A | layout.FAMILY_AAAA;
const ZONE: Zone = {
  ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`n${i}.example`, { A: ["192.0.2.13"] }])),
  "google.com": { A: ["192.0.2.10"], AAAA: ["2001:db8::10"] },
  "alias.example": { CNAME: "google.com" },
  "v6.example": { AAAA: ["2001:db8::6"] },
  "_sip._udp.example": { A: ["192.0.2.11"] },
  "brief.example": { ttl: 0, A: ["192.0.2.12"] },
  "many.example": { A: Array.from({ length: 60 }, (_, i) => `192.0.2.${i}`) },
  "many6.example": { AAAA: Array.from({ length: 60 }, (_, i) => `2001:db8::${i + 1}`) },
};
let directory: string;
let socketPath: string;
let tablePath: string;
let upstream: Upstream;
let server: ServerProcess;

async function serve(settings: Record<string, string> = {}, tamper?: Parameters<typeof startUpstream>[0]["tamper"]) {
  upstream = await startUpstream({ zone: ZONE, ...(tamper && { tamper }) });
  server = startServer({
    DNS_CACHE_DIR: directory,
    DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`,
    DNS_CACHE_LOG_LEVEL: "debug",
    ...settings,
  });
  await server.seen("Listening");
}
const messages = () => server.log.map(({ msg }) => msg);
const only = (answer: Buffer) => recordsOf(answer)[0] as Buffer;
/** But for control.sock, which comes a moment later. */
const files = () =>
  fs
    .readdirSync(directory)
    .filter((name) => name !== "control.sock")
    .sort();
const openFiles = () => fs.readdirSync(`/proc/${server.pid}/fd`).length;

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10));
}

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  socketPath = path.join(directory, "dns.sock");
  tablePath = path.join(directory, "cache.table");
});
afterEach(async () => {
  await server.stopped("SIGTERM");
  await upstream.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

describe("a question", () => {
  it("is put to the upstream once, then answered from the table, and the log says so", async () => {
    await serve();
    for (let round = 0; round < 3; round++) {
      const answer = await askOnce(socketPath, ["google.com"]);
      expect(addressesOf(only(answer))).toEqual(["192.0.2.10"]);
    }
    expect(upstream.asked).toHaveLength(1);
    const aboutIt = () => messages().filter((msg) => msg.includes("google.com"));
    await until(() => aboutIt().length >= 6); // the log comes through a pipe of its own
    expect(aboutIt()).toEqual([
      "Got message: 'google.com'",
      "Cache warmup google.com",
      "Got message: 'google.com'",
      "Cache hit google.com",
      "Got message: 'google.com'",
      "Cache hit google.com",
    ]);
  });

  it("for both families gets a record for each, A first", async () => {
    await serve();
    const answer = await askOnce(socketPath, ["alias.example"], BOTH);
    expect(answer[layout.ANSWER_FAMILIES]).toBe(BOTH);
    expect(recordsOf(answer).map(addressesOf)).toEqual([["192.0.2.10"], ["2001:db8::10"]]);
    expect(recordsOf(answer).map(namesOf)).toEqual(Array(2).fill(["alias.example", "google.com"]));
  });

  it("that has no answer is remembered too, apart for no data and no such name", async () => {
    await serve();
    for (let round = 0; round < 2; round++) {
      expect(outcomeOf(only(await askOnce(socketPath, ["v6.example"])))).toBe(layout.OUTCOME_NO_DATA);
      expect(outcomeOf(only(await askOnce(socketPath, ["none.example"])))).toBe(layout.OUTCOME_NO_NAME);
    }
    expect(upstream.asked).toHaveLength(4); // each in small letters too: the server has not answered mixed ones yet
  });

  it("with candidates is answered for the first that has data", async () => {
    await serve();
    const answer = await askOnce(socketPath, ["google.com.none.example", "google.com.example", "google.com"], BOTH);
    expect(answer[layout.ANSWER_CANDIDATE]).toBe(2);
    expect(namesOf(only(answer))).toEqual(["google.com"]);
  });

  it.each([
    ["many.example", layout.FAMILY_A, 60],
    ["many6.example", layout.FAMILY_AAAA, 60],
  ])("for %s, with more than a slot holds, is answered whole and kept", async (name, families, count) => {
    await serve();
    for (let round = 0; round < 2; round++) {
      expect(addressesOf(only(await askOnce(socketPath, [name], families)))).toHaveLength(count);
    }
    expect(upstream.count(name, families === layout.FAMILY_A ? "A" : "AAAA")).toBeLessThanOrEqual(2); // UDP, then TCP
  });

  it("with ttl 0 is answered and not kept", async () => {
    await serve();
    for (let round = 0; round < 2; round++) {
      expect(addressesOf(only(await askOnce(socketPath, ["brief.example"])))).toEqual(["192.0.2.12"]);
    }
    expect(upstream.asked).toHaveLength(2);
  });

  it("asked 40 times at once is put to the upstream once", async () => {
    await serve();
    const answers = await Promise.all(Array.from({ length: 40 }, () => askOnce(socketPath, ["google.com"])));
    for (const answer of answers) expect(addressesOf(only(answer))).toEqual(["192.0.2.10"]);
    expect(upstream.asked).toHaveLength(1);
  });

  it("may have an underscore", async () => {
    await serve();
    expect(addressesOf(only(await askOnce(socketPath, ["_sip._udp.example"])))).toEqual(["192.0.2.11"]);
  });

  it("that no upstream answers is a temporary failure, announced by a pending frame, and remembered", async () => {
    await serve({}, (reply, _query, { name }) => (name === "v4.example" ? reply : undefined));
    await askOnce(socketPath, ["v4.example"]); // an upstream that nobody has heard of yet may only be slow
    const client = await connectTo(socketPath);
    client.socket.write(questionFrame(["google.com"]));
    const [pending, answer] = (await client.frames(2)) as [Buffer, Buffer];
    client.socket.destroy();
    expect(kindOf(pending)).toBe(layout.KIND_PENDING);
    const waitMs = pending.readUInt32BE(layout.PENDING_WAIT_MS); // what is left by then
    expect(waitMs > 0 && waitMs <= 2500 - layout.PENDING_AFTER_MS).toBe(true);
    expect(outcomeOf(only(answer))).toBe(layout.OUTCOME_TEMPORARY);
    const asked = upstream.asked.length;
    const again = await askOnce(socketPath, ["google.com"]);
    expect(outcomeOf(only(again))).toBe(layout.OUTCOME_TEMPORARY);
    expect(upstream.asked).toHaveLength(asked);
  });
});

describe("frames", () => {
  it("may come split at every byte", async () => {
    await serve();
    const question = questionFrame(["google.com"]);
    await askOnce(socketPath, ["google.com"]);
    for (let cut = 1; cut < question.length; cut++) {
      const client = await connectTo(socketPath);
      client.socket.write(question.subarray(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 2));
      client.socket.write(question.subarray(cut));
      expect(addressesOf(only((await client.frames(1))[0] as Buffer))).toEqual(["192.0.2.10"]);
      client.socket.destroy();
    }
    expect(upstream.asked).toHaveLength(1);
  });

  it("on one connection are answered in order, misses and hits alike", async () => {
    await serve();
    const names = ["google.com", "none.example", "google.com", "alias.example", "v6.example", "google.com"];
    const client = await connectTo(socketPath);
    client.socket.write(Buffer.concat(names.map((name) => questionFrame([name]))));
    const answers = await client.frames(names.length);
    expect(answers.map((answer) => namesOf(only(answer))[0])).toEqual(names);
    client.socket.destroy();
  });

  it("are answered no further while nobody fetches the answers, and all of them when somebody does", async () => {
    await serve();
    await askOnce(socketPath, ["many6.example"], layout.FAMILY_AAAA);
    const burst = Buffer.concat(Array(400).fill(questionFrame(["many6.example"], layout.FAMILY_AAAA)));
    const greedy = await Promise.all(Array.from({ length: 50 }, () => connectTo(socketPath)));
    for (const { socket } of greedy) {
      socket.pause();
      socket.write(burst);
    }
    expect(addressesOf(only(await askOnce(socketPath, ["google.com"])))).toEqual(["192.0.2.10"]);
    const served = server.log.filter(({ msg }) => msg === "Got message: 'many6.example'").length;
    expect(served).toBeLessThan((50 * 400) / 2);
    const [first] = greedy as [RawClient, ...RawClient[]];
    first.socket.resume();
    for (const answer of await first.frames(400)) expect(addressesOf(only(answer))).toHaveLength(60);
    for (const { socket } of greedy) socket.destroy();
  });

  it("hello is answered by hello", async () => {
    await serve();
    const client = await connectTo(socketPath);
    client.socket.write(frame(layout.KIND_HELLO));
    expect(kindOf((await client.frames(1))[0] as Buffer)).toBe(layout.KIND_HELLO);
    client.socket.destroy();
  });

  it("of unknown kinds and versions are refused, and the connection goes on", async () => {
    await serve();
    const ofVersion = (version: number, sent: Buffer) => {
      sent.writeUInt8(version, layout.FRAME_VERSION_AT);
      return sent;
    };
    const earlier = ofVersion(layout.FRAME_VERSION - 1, questionFrame(["google.com"]));
    const later = ofVersion(9, frame(layout.KIND_HELLO));
    const client = await connectTo(socketPath);
    client.socket.write(Buffer.concat([frame(77), earlier, later, questionFrame(["google.com"])]));
    const [answer, ...others] = (await client.frames(4)).reverse() as [Buffer, Buffer, Buffer, Buffer];
    for (const refused of others) {
      expect(kindOf(refused)).toBe(layout.KIND_REFUSED);
      expect(refused[layout.REFUSED_REASON]).toBe(layout.REFUSED_UNKNOWN);
      expect(refused[layout.REFUSED_VERSION]).toBe(layout.FRAME_VERSION);
    }
    expect(kindOf(answer)).toBe(layout.KIND_ANSWER);
    client.socket.destroy();
  });

  const tooLong = questionFrame(["google.com"]);
  tooLong.writeUInt32BE(layout.QUESTION_FRAME_BYTES_MAX + 1, 0);
  it.each([
    ["a length that no frame has", tooLong],
    ["a name of 254 bytes", questionFrame([`${"a.".repeat(126)}aa`])],
    ["a name with an empty label", questionFrame(["a..b"])],
    ["noise behind a zero", Buffer.from([0, 255, 255, 255, 255, 255])],
    ["a line without an end", Buffer.alloc(10_000, "a")],
  ])("with %s are refused, and the connection ends", async (_what, bytes) => {
    await serve();
    const client = await connectTo(socketPath);
    client.socket.write(bytes);
    const refused = await client.ended();
    expect(kindOf(refused)).toBe(layout.KIND_REFUSED);
    expect(refused[layout.REFUSED_REASON]).toBe(layout.REFUSED_MALFORMED);
    expect(refused).toHaveLength(layout.REFUSED_FRAME_BYTES);
    expect(upstream.asked).toHaveLength(0);
  });
});

describe("what clients tell of the published table", () => {
  /** Where a reader finds the only entry of the table. */
  function published() {
    const table = fs.readFileSync(tablePath);
    for (let set = layout.HEADER_BYTES; set < table.length; set += layout.SET_BYTES) {
      for (let way = 0; way < layout.WAYS; way++) {
        if (table.readBigUInt64LE(set + way * layout.TAG_BYTES) === 0n) continue;
        const record = table.subarray(set + layout.TAG_LINE_BYTES + way * layout.SLOT_BYTES);
        const slot = ((set - layout.HEADER_BYTES) / layout.SET_BYTES) * layout.WAYS + way;
        const epoch = table.subarray(layout.HEADER_EPOCH, layout.HEADER_EPOCH + 8);
        return { slot, nonce: record.readUInt16LE(layout.RECORD_NONCE), epoch };
      }
    }
    throw new Error("the table is empty");
  }

  it("has no answer, split as it may be, and the connection goes on", async () => {
    await serve({ DNS_CACHE_ENTRIES: "64" });
    await askOnce(socketPath, ["google.com"]);
    const { epoch, ...entry } = published();
    const told = useFrame(layout.KIND_HITS, epoch, [{ ...entry, hits: 7 }]);
    for (let cut = 1; cut < told.length; cut++) {
      const client = await connectTo(socketPath);
      client.socket.write(told.subarray(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 2));
      client.socket.write(Buffer.concat([told.subarray(cut), frame(layout.KIND_HELLO)]));
      expect(kindOf((await client.frames(1))[0] as Buffer)).toBe(layout.KIND_HELLO);
      client.socket.end();
      expect(await client.ended()).toHaveLength(layout.FRAME_HEADER_BYTES);
    }
    const lines = () => server.log.filter(({ msg, hits }) => msg === "Cache hit google.com" && hits === 7);
    await until(() => lines().length === told.length - 1);
  });

  it("is taken from a client that has left already", async () => {
    await serve({ DNS_CACHE_ENTRIES: "64" });
    await askOnce(socketPath, ["google.com"]);
    const { epoch, ...entry } = published();
    const client = await connectTo(socketPath);
    client.socket.end(useFrame(layout.KIND_HITS, epoch, [{ ...entry, hits: 3 }]));
    client.socket.destroySoon();
    await until(() => server.log.some(({ msg, hits }) => msg === "Cache hit google.com" && hits === 3));
  });

  it("ends the connection where it is malformed", async () => {
    await serve();
    const client = await connectTo(socketPath);
    client.socket.write(frame(layout.KIND_TOUCH, Buffer.alloc(15)));
    expect((await client.ended())[layout.REFUSED_REASON]).toBe(layout.REFUSED_MALFORMED);
  });

  it("has a name in use refreshed before it ends", async () => {
    await serve({ DNS_CACHE_ENTRIES: "64", DNS_CACHE_MAX_TTL: "2" });
    await askOnce(socketPath, ["google.com"]);
    const { epoch, ...entry } = published();
    const touch = useFrame(layout.KIND_TOUCH, epoch, [{ ...entry, hits: 2 }]);
    const client = await connectTo(socketPath);
    while (upstream.asked.length === 1) {
      client.socket.write(touch);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await until(() => published().nonce !== entry.nonce);
    expect(messages()).toContain("Cache refresh google.com");
    expect(messages().filter((msg) => msg === "Cache warmup google.com")).toHaveLength(1);
    client.socket.destroy();
  });
});

describe("lines of text", () => {
  const ask = async (line: string) => {
    const client = await connectTo(socketPath);
    client.socket.end(line);
    return (await client.ended()).toString();
  };
  it("get addresses one a line, or a line that says why not", async () => {
    await serve();
    expect(await ask("google.com\n")).toBe("192.0.2.10\n2001:db8::10\n");
    expect(await ask("google.com")).toBe("192.0.2.10\n2001:db8::10\n");
    expect(await ask("Google.COM.\r\n")).toBe("192.0.2.10\n2001:db8::10\n");
    expect(await ask("none.example\n")).toBe("none.example: no such name\n");
    expect(await ask("a b\n")).toBe('"a b": not a name\n');
    expect(await ask("google.com\nv6.example\n")).toBe("192.0.2.10\n2001:db8::10\n2001:db8::6\n");
  });
  it("get a temporary failure where no upstream answers", async () => {
    await serve({}, (reply) => ({ ...reply, flags: 2 }));
    expect(await ask("google.com\n")).toBe("google.com: temporary failure\n");
  });
});

describe("clients that do nothing", () => {
  it("do not keep others out: 5,000 idle connections, some with half a frame", { timeout: 120_000 }, async () => {
    await serve();
    const half = questionFrame(["google.com"]).subarray(0, 15);
    const idle = [];
    for (let i = 0; i < 5000; i++) {
      const client = await connectTo(socketPath);
      if (i % 3 === 0) client.socket.write(half);
      client.socket.on("error", () => undefined);
      idle.push(client);
      if (i % 500 === 0) expect(addressesOf(only(await askOnce(socketPath, ["google.com"])))).toEqual(["192.0.2.10"]);
    }
    expect(addressesOf(only(await askOnce(socketPath, ["google.com"])))).toEqual(["192.0.2.10"]);
    expect(openFiles()).toBeLessThan(4096 + 64);
    for (const { socket } of idle) socket.destroy();
    await until(() => openFiles() < 64);
  });
});

describe("clients that ask for names that nobody answers", () => {
  it("keep no others from new names, over however many connections they ask", { timeout: 120_000 }, async () => {
    await serve({ DNS_CACHE_TIMEOUT_MS: "8000", DNS_CACHE_LOG_LEVEL: "info" }, (reply, _query, { name }) =>
      name.endsWith(".flood.example") ? undefined : reply,
    );
    const flood: RawClient[] = [];
    for (let i = 0; i < 4200; i++) {
      const client = await connectTo(socketPath);
      client.socket.on("error", () => undefined);
      client.socket.write(questionFrame([`n${i}.flood.example`]));
      flood.push(client);
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    const honest = await Promise.all(Array.from({ length: 50 }, (_, i) => askOnce(socketPath, [`n${i}.example`])));
    for (const answer of honest) expect(addressesOf(only(answer))).toEqual(["192.0.2.13"]);
    for (const { socket } of flood) socket.destroy();
  });
});

describe("start and stop", () => {
  const startAgain = () => startServer({ DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}` });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "leaves client.so and cache.table behind and takes dns.sock away, on %s",
    async (signal) => {
      await serve();
      expect(files()).toEqual(["cache.table", "client.so", "dns.sock", "doctor"]);
      expect(fs.statSync(path.join(directory, "client.so")).mode & 0o777).toBe(0o555);
      expect(await server.stopped(signal)).toBe(0);
      expect(fs.readdirSync(directory).sort()).toEqual(["cache.table", "client.so", "doctor"]);
    },
  );

  it("answers what is under way before it stops", async () => {
    await serve({}, () => undefined);
    const answer = askOnce(socketPath, ["google.com"]);
    await until(() => upstream.asked.length > 0);
    const stopped = server.stopped("SIGTERM");
    expect(outcomeOf(only(await answer))).toBe(layout.OUTCOME_UNFIT); // libc may wait longer for it
    expect(await stopped).toBe(0);
  });

  it("does not wait for clients that go on asking or do not read", async () => {
    await serve({ DNS_CACHE_TIMEOUT_MS: "500" }, (reply, _query, { name }) =>
      name === "google.com" ? reply : undefined,
    );
    const [asking, deaf] = [await connectTo(socketPath), await connectTo(socketPath)];
    for (const { socket } of [asking, deaf]) socket.on("error", () => undefined);
    deaf.socket.pause();
    deaf.socket.write(Buffer.concat(Array(20_000).fill(questionFrame(["google.com"]))));
    let count = 0;
    const again = setInterval(() => asking.socket.write(questionFrame([`n${count++}.example`])), 20);
    await until(() => upstream.asked.length > 2);
    expect(await server.stopped("SIGTERM")).toBe(0);
    clearInterval(again);
    deaf.socket.destroy();
  });

  it("goes on when nobody reads its log any more", async () => {
    await serve();
    server.closeLog();
    for (let i = 0; i < 50; i++) await askOnce(socketPath, ["google.com"]);
    expect(upstream.asked).toHaveLength(1);
    expect(await server.stopped("SIGTERM")).toBe(0);
  });

  it("is refused to a second server on the same directory", async () => {
    await serve();
    const second = startAgain();
    expect(await second.stopped()).toBe(1);
    expect(second.stderr()).toBe(`Another server is listening on ${socketPath}\n`);
    expect(addressesOf(only(await askOnce(socketPath, ["google.com"])))).toEqual(["192.0.2.10"]);
  });

  it.each([
    ["dns.sock is taken away", () => fs.rmSync(socketPath)],
    ["its directory is", () => fs.rmSync(directory, { recursive: true })],
    [
      "dns.sock is another's",
      () => {
        fs.rmSync(socketPath);
        fs.writeFileSync(socketPath, "another");
      },
    ],
  ])("ends with 1 where %s, and the next start serves again", async (_what, take) => {
    await serve();
    await askOnce(socketPath, ["google.com"]);
    take();
    expect(await server.stopped()).toBe(1);
    expect(messages()).toContain(
      `Stopping, to be started anew: ${socketPath} is not this server's any more, so nobody reaches it`,
    );
    server = startAgain();
    await server.seen("Listening");
    expect(addressesOf(only(await askOnce(socketPath, ["google.com"])))).toEqual(["192.0.2.10"]);
    expect(files()).toEqual(["cache.table", "client.so", "dns.sock", "doctor"]);
  });

  it("answers what is under way before it ends where dns.sock is taken away", async () => {
    await serve({ DNS_CACHE_TIMEOUT_MS: "1000" }, () => undefined);
    const answer = askOnce(socketPath, ["google.com"]);
    await until(() => upstream.asked.length > 0);
    fs.rmSync(socketPath);
    expect(recordsOf(await answer)).toHaveLength(1);
    expect(await server.stopped()).toBe(1);
  });

  it("replaces the socket of a server that was killed", async () => {
    await serve();
    await server.stopped("SIGKILL");
    expect(fs.existsSync(socketPath)).toBe(true);
    server = startAgain();
    await server.seen("Listening");
    expect(messages()).toContain("Replaced the socket of a server that is gone");
    expect(addressesOf(only(await askOnce(socketPath, ["google.com"])))).toEqual(["192.0.2.10"]);
  });

  it("goes on with the table of a server that was killed: nothing known is asked again", async () => {
    await serve();
    for (const name of ["google.com", "alias.example", "none.example"]) await askOnce(socketPath, [name], BOTH);
    const asked = upstream.asked.length;
    const inode = fs.statSync(tablePath).ino;
    await server.stopped("SIGKILL");
    server = startAgain();
    await server.seen("Listening");
    expect(messages()).toContain("Went on with 6 entries of the last table");
    const answer = await askOnce(socketPath, ["alias.example"], BOTH);
    expect(recordsOf(answer).map(addressesOf)).toEqual([["192.0.2.10"], ["2001:db8::10"]]);
    expect(outcomeOf(only(await askOnce(socketPath, ["none.example"])))).toBe(layout.OUTCOME_NO_NAME);
    expect(addressesOf(only(await askOnce(socketPath, ["google.com"])))).toEqual(["192.0.2.10"]);
    expect(upstream.asked).toHaveLength(asked);
    expect(fs.statSync(tablePath).ino).toBe(inode);
  });

  it("knows all that it has answered after each of several kills in the middle of its work", async () => {
    await serve();
    const answered: string[] = [];
    for (let round = 0; round < 4; round++) {
      const askers = Array.from({ length: 8 }, async (_, asker) => {
        for (let i = 0; ; i++) {
          const name = `n${round}-${asker}-${i}.example`;
          await askOnce(socketPath, [name]);
          answered.push(name);
        }
      });
      const ended = Promise.allSettled(askers); // each by the kill
      const enough = answered.length + 150;
      await until(() => answered.length > enough);
      await server.stopped("SIGKILL");
      await ended;
      server = startAgain();
      expect(await server.seen("Went on with")).toMatchObject({ dropped: 0 });
      await server.seen("Listening");
      const asked = upstream.asked.length;
      const own = answered.filter((name) => name.startsWith(`n${round}-`)); // a denial lasts ten seconds here
      const sample = own.filter((_, i) => i % 3 === 0 || i > own.length - 50);
      for (const name of sample) {
        expect(outcomeOf(only(await askOnce(socketPath, [name])))).toBe(layout.OUTCOME_NO_NAME);
      }
      expect(upstream.asked).toHaveLength(asked);
    }
  });

  it("writes nothing into the table from the moment on that dns.sock is gone", async () => {
    await serve({ DNS_CACHE_TIMEOUT_MS: "1500" }, () => undefined);
    const answer = askOnce(socketPath, ["google.com"]);
    await until(() => upstream.asked.length > 0);
    const stopped = server.stopped("SIGTERM");
    await until(() => !fs.existsSync(socketPath));
    const left = fs.readFileSync(tablePath);
    await answer;
    await stopped;
    expect(fs.readFileSync(tablePath).equals(left)).toBe(true);
    expect(left.readUInt32LE(layout.HEADER_STATE)).toBe(layout.STATE_LIVE);
  });

  it("gives the directory to one of several servers that start at once, and the others leave nothing", async () => {
    await serve();
    await askOnce(socketPath, ["google.com"]);
    await server.stopped("SIGKILL");
    const inode = fs.statSync(tablePath).ino;
    const all = Array.from({ length: 4 }, startAgain);
    const lost: ServerProcess[] = [];
    await new Promise<void>((resolve) => {
      for (const each of all) void each.stopped().then(() => lost.push(each) === all.length - 1 && resolve());
    });
    server = all.find((each) => !lost.includes(each)) as ServerProcess;
    await server.seen("Listening");
    for (const each of lost) expect(each.stderr()).toBe(`Another server is listening on ${socketPath}\n`);
    expect(files()).toEqual(["cache.table", "client.so", "dns.sock", "doctor"]);
    expect(fs.statSync(tablePath).ino).toBe(inode);
    await askOnce(socketPath, ["google.com"]);
    expect(upstream.asked).toHaveLength(1);
  });

  it("leaves no name in its directory where the table is switched off", async () => {
    await serve();
    await server.stopped("SIGTERM");
    server = startServer({
      DNS_CACHE_DIR: directory,
      DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`,
      DNS_CACHE_SHARED_TABLE: "off",
    });
    await server.seen("Listening");
    expect(files()).toEqual(["cache.table", "client.so", "dns.sock", "doctor"]);
    expect(addressesOf(only(await askOnce(socketPath, ["google.com"])))).toEqual(["192.0.2.10"]);
    expect(fs.readFileSync(tablePath)).toHaveLength(layout.HEADER_BYTES);
  });

  it("ends with 1 and one line on a bad setting", async () => {
    await serve();
    const started = spawnSync(process.execPath, ["dist/server.js"], {
      env: { PATH: process.env.PATH, DNS_CACHE_ENTRIES: "lots" },
      encoding: "utf8",
    });
    expect(started).toMatchObject({
      status: 1,
      stdout: "",
      stderr: "DNS_CACHE_ENTRIES: 'lots' is not accepted; accepted: a whole number from 8 to 4194304 (entries)\n",
    });
  });
});
