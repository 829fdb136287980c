import dgram from "node:dgram";
import { networkInterfaces } from "node:os";
import { DgramAsPromised } from "dgram-as-promised";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TYPE_A } from "../../../assembly/layout.ts";
import { type Counters, createCounters } from "../../../src/counters.ts";
import { buildQuery } from "../../../src/upstream/query.ts";
import { OwnLackError, type Transport } from "../../../src/upstream/transport.ts";
import { createUdpTransport } from "../../../src/upstream/udp.ts";
import { createWheel } from "../../../src/wheel.ts";
import { addressIn, replyTo, send } from "../../support/transports.ts";

const SOCKETS_MAX = 8;
const USES_MAX = 100;

let silent: ReturnType<typeof DgramAsPromised.createSocket>;
let transport: Transport;
let counters: Counters;
let port: number;
let ports: Set<number>;
let received: number;
let open: Set<dgram.Socket>;

beforeEach(async () => {
  open = new Set();
  const create = DgramAsPromised.createSocket.bind(DgramAsPromised);
  vi.spyOn(DgramAsPromised, "createSocket").mockImplementation((options) => {
    const made = create(options);
    open.add(made.socket);
    made.socket.on("close", () => open.delete(made.socket));
    return made;
  });
  silent = DgramAsPromised.createSocket("udp4");
  ports = new Set();
  received = 0;
  silent.socket.on("message", (_message, from) => {
    received++;
    ports.add(from.port);
  });
  port = (await silent.bind({ address: "127.0.0.1", port: 0 })).port;
  open.delete(silent.socket);
  make({ socketsMax: SOCKETS_MAX, usesMax: USES_MAX });
});
afterEach(async () => {
  vi.restoreAllMocks();
  transport.close();
  await silent.close();
});

function make(options: Parameters<typeof createUdpTransport>[3], address: { host?: string; port?: number } = {}): void {
  counters = createCounters();
  transport?.close();
  transport = createUdpTransport(
    { transport: "udp", host: "127.0.0.1", port, ...address },
    createWheel(),
    counters,
    options,
  );
}

/** From now on it replies, after what it was told to do. */
function reply(before: (query: Buffer, from: dgram.RemoteInfo) => void = () => {}): void {
  silent.socket.on("message", (query, from) => {
    before(query, from);
    silent.socket.send(replyTo(query), from.port, from.address);
  });
}

const failureOf = (sent: { reply: Promise<Buffer> }) =>
  sent.reply.then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );
const failing = (code: string) => Object.assign(new Error(code), { code });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const query = () =>
  buildQuery({ name: "a.example", type: TYPE_A }, { ednsBytes: undefined, mixedCase: false, padded: false });

/** One query; gives what takes it back. */
function put(errors: Error[] = []): () => void {
  return transport.send(query(), { receive: () => true, fail: (error) => void errors.push(error) });
}

describe("the sockets to a server", () => {
  it("are no more than they may be, however many queries wait for it", async () => {
    for (let i = 0; i < 300; i++) put();
    await vi.waitFor(() => expect(received).toBeGreaterThan(100));
    expect(ports.size).toBeLessThanOrEqual(SOCKETS_MAX);
  });

  it("end, and refuse, where each has had all the queries that it may, and serve again when these are over", async () => {
    const errors: Error[] = [];
    const held = Array.from({ length: SOCKETS_MAX * USES_MAX + 1 }, () => put(errors));
    await vi.waitFor(() => expect(errors).toHaveLength(1));
    expect(errors[0]).toBeInstanceOf(OwnLackError);
    for (const takeBack of held) takeBack();
    await new Promise((resolve) => setImmediate(resolve));
    put(errors);
    await new Promise((resolve) => setImmediate(resolve));
    expect(errors).toHaveLength(1);
  });

  it("are none after it was closed", async () => {
    const errors: Error[] = [];
    put(errors);
    transport.close();
    expect(errors).toHaveLength(1);
    put(errors);
    await vi.waitFor(() => expect(errors).toHaveLength(2));
    expect(errors.every((error) => error instanceof OwnLackError)).toBe(true);
  });

  it("get no queries when they are old, however many of them wait", async () => {
    make({ socketsMax: SOCKETS_MAX, socketMsMax: 30, listenMsMax: 60_000 });
    for (let i = 0; i < 50; i++) put();
    await vi.waitFor(() => expect(received).toBe(50));
    const old = new Set(ports);
    await sleep(40);
    ports.clear();
    const errors: Error[] = [];
    for (let i = 0; i < 50; i++) put(errors);
    await vi.waitFor(() => expect(received).toBe(100));
    expect([...ports].filter((each) => old.has(each))).toEqual([]);
    await vi.waitFor(() => expect(open.size).toBeLessThanOrEqual(SOCKETS_MAX));
  });

  it("are closed when what they serve has been waited for long enough", async () => {
    make({ socketMsMax: 10, listenMsMax: 60, sweepMs: 10 });
    const sent = Array.from({ length: 20 }, () => send(transport, "a.example"));
    await vi.waitFor(() => expect(received).toBe(20));
    await vi.waitFor(() => expect(open.size).toBe(0));
    expect(sent.some((each) => each.isSettled())).toBe(false);
  });

  it("listen to what is old as long as there is room", async () => {
    make({ socketMsMax: 10, listenMsMax: 60_000, sweepMs: 10 });
    const first = send(transport, "a.example");
    await vi.waitFor(() => expect(received).toBe(1));
    await sleep(100);
    const [from] = [...ports] as [number];
    silent.socket.send(replyTo(first.query.datagram), from, "127.0.0.1");
    expect(addressIn(await first.reply)).toBe("192.0.2.1");
    await vi.waitFor(() => expect(open.size).toBe(0));
  });
});

describe("a reply", () => {
  it.each<[string, number]>([
    ["read before it is connected", 30],
    ["waiting in the socket as it is connected", 0],
  ])("is nobody's that somebody else has sent, %s", async (_title, pauseMs) => {
    const attacker = DgramAsPromised.createSocket("udp4");
    await attacker.bind({ address: "127.0.0.1", port: 0 });
    const connect = dgram.Socket.prototype.connect;
    vi.spyOn(dgram.Socket.prototype, "connect").mockImplementation(function (this: dgram.Socket, ...rest: unknown[]) {
      const forged = replyTo(first.query.datagram, "203.0.113.66");
      attacker.socket.send(forged, this.address().port, "127.0.0.1", () =>
        setTimeout(() => Reflect.apply(connect, this, rest), pauseMs),
      );
    });
    reply();
    const first = send(transport, "a.example");
    expect(addressIn(await first.reply)).toBe("192.0.2.1");
    expect(counters.repliesForeign).toBe(1);
    await attacker.close();
  });

  const loopback = Object.entries(networkInterfaces()).find(([, each]) =>
    each?.some(({ address }) => address === "::1"),
  );
  it
    .skipIf(loopback === undefined)
    .each(["::1", "0:0:0:0:0:0:0:1", `::1%${loopback?.[0]}`, "::ffff:127.0.0.1", "::FFFF:7f00:1"])(
    "is known as the server's where its address is written %s",
    async (host) => {
      const isMapped = host.startsWith("::f") || host.startsWith("::F");
      const server = dgram.createSocket(isMapped ? "udp4" : "udp6");
      server.on("message", (query, from) => server.send(replyTo(query), from.port, from.address));
      await new Promise<void>((resolve) => server.bind(0, isMapped ? "127.0.0.1" : "::1", resolve));
      make({}, { host, port: server.address().port });
      expect(addressIn(await send(transport, "a.example").reply)).toBe("192.0.2.1");
      server.close();
    },
  );

  it("makes no flood where it is late and its query was taken back", async () => {
    make({ socketsMax: 1 });
    const queries: Array<() => void> = [];
    silent.socket.on("message", (query, from) => {
      queries.push(() => silent.socket.send(replyTo(query), from.port, from.address));
    });
    const taken = Array.from({ length: 40 }, () => send(transport, "a.example"));
    const kept = send(transport, "b.example");
    await vi.waitFor(() => expect(queries).toHaveLength(41));
    for (const each of taken) each.cancel();
    for (const answer of queries) answer();
    expect(addressIn(await kept.reply)).toBe("192.0.2.1");
  });
});

describe("what is refused", () => {
  it("on the way out fails one query, and its socket takes no others", async () => {
    make({ socketsMax: 1 });
    reply();
    const transmit = dgram.Socket.prototype.send;
    let count = 0;
    vi.spyOn(dgram.Socket.prototype, "send").mockImplementation(function (this: dgram.Socket, ...rest: unknown[]) {
      const isReply = rest.length > 2;
      const isRefused = !isReply && ++count === 2;
      if (isRefused) process.nextTick(rest.at(-1) as () => void, failing("EPERM"));
      else Reflect.apply(transmit, this, rest);
    });
    const sent = Array.from({ length: 3 }, () => send(transport, "a.example"));
    expect(await Promise.all(sent.map(failureOf))).toEqual([undefined, "EPERM", undefined]);
    const [first] = [...ports];
    expect(await failureOf(send(transport, "a.example"))).toBe(undefined);
    expect([...ports]).toEqual([first, expect.any(Number)]);
  });

  it.each<["bind" | "connect", string]>([
    ["bind", "EADDRINUSE"],
    ["connect", "EADDRNOTAVAIL"],
    ["connect", "EHOSTUNREACH"],
  ])("by %s (%s) fails one query, and the others go out elsewhere", async (method, code) => {
    make({ socketsMax: 1 });
    reply();
    vi.spyOn(dgram.Socket.prototype, method).mockImplementationOnce(function (this: dgram.Socket, ...rest: unknown[]) {
      if (method === "bind") process.nextTick(() => this.emit("error", failing(code)));
      else process.nextTick(rest.at(-1) as () => void, failing(code));
      return this;
    });
    const sent = Array.from({ length: 3 }, () => send(transport, "a.example"));
    expect(await Promise.all(sent.map(failureOf))).toEqual([code, undefined, undefined]);
  });

  it.each(["EMFILE", "ENFILE"])("for want of descriptors (%s) fails at once", async (code) => {
    make({ socketsMax: 1 });
    const bind = vi.spyOn(dgram.Socket.prototype, "bind").mockImplementation(function (this: dgram.Socket) {
      process.nextTick(() => this.emit("error", failing(code)));
      return this;
    });
    const sent = Array.from({ length: 3 }, () => send(transport, "a.example"));
    expect(await Promise.all(sent.map(failureOf))).toEqual([code, code, code]);
    expect(bind).toHaveBeenCalledTimes(1);
  });

  it("by an ICMP message fails the query that waits longest, and the others of its socket are answered", async () => {
    make({ socketsMax: 1 });
    const queries: Array<() => void> = [];
    silent.socket.on("message", (query, from) => {
      queries.push(() => silent.socket.send(replyTo(query), from.port, from.address));
    });
    const sent = Array.from({ length: 3 }, () => send(transport, "a.example"));
    await vi.waitFor(() => expect(queries).toHaveLength(3));
    const [socket] = [...open] as [dgram.Socket];
    socket.emit("error", failing("ECONNREFUSED"));
    for (const answer of queries) answer();
    expect(await Promise.all(sent.map(failureOf))).toEqual(["ECONNREFUSED", undefined, undefined]);
    await vi.waitFor(() => expect(open.has(socket)).toBe(false));
  });

  it("by an ICMP message comes with its code", async () => {
    const { port } = silent.socket.address();
    await silent.close();
    expect(await failureOf(send(transport, "a.example"))).toBe("ECONNREFUSED");
    silent = DgramAsPromised.createSocket("udp4");
    await silent.bind({ address: "127.0.0.1", port });
  });
});
