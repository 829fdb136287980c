import { once } from "node:events";
import http2, { constants } from "node:http2";
import net from "node:net";
import dnsPacket from "dns-packet";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createHttpsTransport, type HttpsOptions } from "../../../src/upstream/https.ts";
import type { Transport } from "../../../src/upstream/transport.ts";
import {
  type Authority,
  type Certificate,
  createAuthority,
  opensslMissing,
  trust,
} from "../../support/certificates.ts";
import { addressIn, replyTo, type Sent, send, sendAgain } from "../../support/transports.ts";

type Behaviour = (
  stream: http2.ServerHttp2Stream,
  query: Buffer,
  headers: http2.IncomingHttpHeaders,
) => void | Promise<void>;

const MEDIA_TYPE = "application/dns-message";
const missing = opensslMissing();
const endings: Array<() => void> = [];
let authority: Authority;
let certificate: Certificate;

beforeAll(() => {
  if (missing !== undefined) return;
  authority = createAuthority();
  certificate = authority.issue(["IP:127.0.0.1", "DNS:dns.example"]);
  trust(authority);
});
afterEach(() => {
  for (const end of endings.splice(0)) end();
});
afterAll(() => {
  vi.restoreAllMocks();
  authority?.close();
});

const respond = (stream: http2.ServerHttp2Stream, body: Buffer, headers: http2.OutgoingHttpHeaders = {}) => {
  stream.respond({ ":status": 200, "content-type": MEDIA_TYPE, ...headers });
  stream.end(body);
};
const answers: Behaviour = (stream, query) => respond(stream, replyTo(query));
const staysSilent: Behaviour = () => {};

/** A server that does to the first query, the second and so on what it is told, the last for all that follow. */
async function server(behaviours: readonly Behaviour[], settings: http2.Settings = {}) {
  const sessions = new Set<http2.ServerHttp2Session>();
  let connections = 0;
  let queries = 0;
  let most = 0;
  const names = new Map<unknown, string[]>();
  const seen: http2.IncomingHttpHeaders[] = [];
  const listener = http2.createSecureServer({ cert: certificate.cert, key: certificate.key, settings });
  listener.on("session", (session) => {
    connections++;
    sessions.add(session);
    most = Math.max(most, sessions.size);
    session.on("error", () => {});
    session.on("close", () => sessions.delete(session));
  });
  listener.on("stream", (stream, headers) => {
    const behaviour = behaviours[Math.min(queries++, behaviours.length - 1)] as Behaviour;
    seen.push(headers);
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      if (stream.destroyed) return;
      const query = Buffer.concat(chunks);
      const inSession = names.get(stream.session) ?? [];
      names.set(stream.session, inSession);
      inSession.push(dnsPacket.decode(query).questions?.[0]?.name ?? "");
      void behaviour(stream, query, headers);
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  endings.push(() => {
    listener.close();
    for (const session of sessions) session.destroy();
  });
  const { port } = listener.address() as net.AddressInfo;
  /** The names asked for, by session. */
  const asked = () => [...names.values()];
  return {
    port,
    sessions,
    seen,
    asked,
    connections: () => connections,
    most: () => most,
    stopListening: () => listener.close(),
  };
}

/** A way to the server on which nothing passes any more, though nothing is closed, once it has broken down. */
async function wayTo(port: number) {
  const sockets: net.Socket[] = [];
  let connections = 0;
  const listener = net.createServer((client) => {
    connections++;
    const server = net.connect(port, "127.0.0.1");
    sockets.push(client, server);
    for (const socket of [client, server]) socket.on("error", () => {});
    client.pipe(server).pipe(client);
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  endings.push(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  function breakDown(): void {
    for (const socket of sockets) socket.unpipe();
  }
  function hangUp(): void {
    for (const socket of sockets) socket.destroy();
  }
  return { port: (listener.address() as net.AddressInfo).port, connections: () => connections, breakDown, hangUp };
}

function transportTo(port: number, options: HttpsOptions = {}, name?: string): Transport {
  const address = { transport: "https", host: "127.0.0.1", port, path: "/dns-query" } as const;
  const transport = createHttpsTransport(name === undefined ? address : { ...address, name }, options);
  endings.push(() => transport.close());
  return transport;
}

const failureOf = ({ reply }: Sent) =>
  reply.then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );

describe.skipIf(missing)(`an https transport${missing === undefined ? "" : ` (${missing})`}`, () => {
  it("posts each query with the id 0 to the one path, on one session opened by the first", async () => {
    const ids: unknown[] = [];
    const { port, seen, connections } = await server([
      (stream, query) => {
        ids.push(dnsPacket.decode(query).id);
        respond(stream, replyTo(query));
      },
    ]);
    const transport = transportTo(port);
    await new Promise(setImmediate);
    expect(connections()).toBe(0);
    for (let i = 0; i < 3; i++) expect(addressIn(await send(transport, "a.example").reply)).toBe("192.0.2.1");
    const last = send(transport, "a.example");
    await last.reply;
    expect(connections()).toBe(1);
    expect(ids).toEqual([0, 0, 0, 0]);
    expect(seen[3]).toMatchObject({
      ":method": "POST",
      ":scheme": "https",
      ":authority": `127.0.0.1:${port}`,
      ":path": "/dns-query",
      accept: MEDIA_TYPE,
      "content-type": MEDIA_TYPE,
      "content-length": `${last.query.datagram.length}`,
    });
  });

  it("names the server by the certificate's name where one is given", async () => {
    const { port, seen } = await server([answers]);
    await send(transportTo(port, {}, "dns.example"), "a.example").reply;
    expect(seen[0]?.[":authority"]).toBe(`dns.example:${port}`);
  });

  it("has many queries under way at once, and takes replies in any order", async () => {
    const waiting: Array<() => void> = [];
    const { port, connections } = await server([
      (stream, query) => {
        waiting.push(() => respond(stream, replyTo(query, `192.0.2.${waiting.length}`)));
        if (waiting.length === 3) for (const answer of waiting.splice(0).reverse()) answer();
      },
    ]);
    const transport = transportTo(port);
    await Promise.all(["a.example", "b.example", "c.example"].map((name) => send(transport, name).reply));
    expect(connections()).toBe(1);
  });

  it("puts thousands to a server that takes a hundred at once", async () => {
    const { port, connections } = await server([answers], { maxConcurrentStreams: 100 });
    const transport = transportTo(port);
    await Promise.all(Array.from({ length: 4096 }, () => send(transport, "a.example").reply));
    expect(connections()).toBe(1);
  });

  it("fails what goes beyond the queries that may be under way", async () => {
    const { port } = await server([staysSilent]);
    const transport = transportTo(port, { queriesMax: 1 });
    const first = send(transport, "a.example");
    expect(await failureOf(send(transport, "b.example"))).toBe("too many queries under way");
    first.cancel();
    const third = send(transport, "c.example");
    third.cancel();
    expect([first, third].map((sent) => sent.isSettled())).toEqual([false, false]);
  });

  const bodies: ReadonlyArray<[string, string, Behaviour]> = [
    ["another status", "HTTP status 404", (stream, query) => respond(stream, replyTo(query), { ":status": 404 })],
    [
      "another content type",
      'content type "text/html"',
      (stream, query) => respond(stream, replyTo(query), { "content-type": "text/html" }),
    ],
    [
      "no content type",
      'content type ""',
      (stream, query) => {
        stream.respond({ ":status": 200 });
        stream.end(replyTo(query));
      },
    ],
    ["too long a reply", "a reply of more than 65535 bytes", (stream) => respond(stream, Buffer.alloc(65_536))],
    [
      "an error of the stream",
      "Stream closed with error code NGHTTP2_INTERNAL_ERROR",
      (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    ],
    [
      "a reply that is shorter than its length",
      "Stream closed with error code NGHTTP2_PROTOCOL_ERROR",
      (stream, query) => {
        const reply = replyTo(query);
        respond(stream, reply.subarray(0, 20), { "content-length": reply.length });
      },
    ],
    [
      "a stream that ends without a response",
      "closed before it answered",
      (stream) => stream.close(constants.NGHTTP2_NO_ERROR),
    ],
  ];
  it.each(bodies)("fails a query on %s, and goes on with the session", async (_title, failure, behaviour) => {
    const { port, connections } = await server([behaviour, answers]);
    const transport = transportTo(port);
    expect(await failureOf(send(transport, "a.example"))).toBe(failure);
    expect(addressIn(await send(transport, "a.example").reply)).toBe("192.0.2.1");
    expect(connections()).toBe(1);
  });

  it("takes a content type with parameters, and a reply in pieces", async () => {
    const { port } = await server([
      async (stream, query) => {
        stream.respond({ ":status": 200, "content-type": "Application/DNS-Message; charset=utf-8" });
        for (const byte of replyTo(query)) {
          stream.write(Buffer.of(byte));
          await new Promise(setImmediate);
        }
        stream.end();
      },
    ]);
    expect(addressIn(await send(transportTo(port), "a.example").reply)).toBe("192.0.2.1");
  });

  it("fails a query whose receiver does not take the reply", async () => {
    const { port } = await server([answers]);
    expect(await failureOf(send(transportTo(port), "a.example", () => false))).toBe("not the reply");
  });

  it.each<[string, (stream: http2.ServerHttp2Stream, way: Awaited<ReturnType<typeof wayTo>>) => void]>([
    ["hangs up", (_stream, way) => way.hangUp()],
    ["stops", (stream) => stream.session?.destroy()],
  ])("sends what was under way once more when a server that had answered %s", async (_title, leave) => {
    const { port } = await server([answers, (stream) => leave(stream, way), answers]);
    const way = await wayTo(port);
    const transport = transportTo(way.port);
    await send(transport, "a.example").reply;
    const sent = [send(transport, "b.example"), send(transport, "c.example")];
    expect((await Promise.all(sent.map(({ reply }) => reply))).map(addressIn)).toEqual(["192.0.2.1", "192.0.2.1"]);
    expect(way.connections()).toBe(2);
  });

  it("takes nothing of a reply that is cut as a server hangs up", async () => {
    const cuts: Behaviour = (stream, query) => {
      stream.respond({ ":status": 200, "content-type": MEDIA_TYPE });
      stream.write(replyTo(query).subarray(0, 20));
      stream.session?.ping(() => way.hangUp()); // answered when the piece is there
    };
    const { port } = await server([cuts, answers]);
    const way = await wayTo(port);
    expect(addressIn(await send(transportTo(way.port), "a.example").reply)).toBe("192.0.2.1");
    expect(way.connections()).toBe(2);
  });

  it("does not send a third time, nor at all to a server that never answered", async () => {
    const hangsUp: Behaviour = (stream) => stream.session?.destroy();
    const { port, connections } = await server([answers, hangsUp, hangsUp, hangsUp]);
    const transport = transportTo(port);
    await send(transport, "a.example").reply;
    expect(await failureOf(send(transport, "a.example"))).toBe("closed before it answered");
    expect(connections()).toBe(2);
    expect(await failureOf(send(transport, "a.example"))).toBe("closed before it answered");
    expect(connections()).toBe(3);
  });

  it("takes the replies to what a server saw before it said goodbye, and asks the rest on a new session", async () => {
    const held: Array<() => void> = [];
    const { port, connections } = await server([
      (stream, query) => void held.push(() => respond(stream, replyTo(query, "192.0.2.7"))),
      (stream) => {
        stream.session?.goaway(constants.NGHTTP2_NO_ERROR, (stream.id ?? 0) - 2);
        for (const answer of held) answer();
      },
      answers,
    ]);
    const transport = transportTo(port);
    const sent = [send(transport, "a.example"), send(transport, "b.example")];
    expect((await Promise.all(sent.map(({ reply }) => reply))).map(addressIn)).toEqual(["192.0.2.7", "192.0.2.1"]);
    expect(connections()).toBe(2);
  });

  const served = new WeakMap<object, number>();
  const leavesAfter =
    (count: number, leave: (session: http2.ServerHttp2Session, lastId: number) => void): Behaviour =>
    (stream, query) => {
      const { session } = stream;
      if (session === undefined) return;
      const replies = (served.get(session) ?? 0) + 1;
      served.set(session, replies);
      if (replies <= count) respond(stream, replyTo(query));
      if (replies === count) leave(session as http2.ServerHttp2Session, stream.id ?? 0);
    };
  const saysGoodbye = (session: http2.ServerHttp2Session, lastId: number) =>
    session.goaway(constants.NGHTTP2_NO_ERROR, lastId);
  const hangsUpSoon = (session: http2.ServerHttp2Session) => void setTimeout(() => session.destroy(), 20);
  const limits: ReadonlyArray<[string, number, Behaviour, http2.Settings]> = [
    ["8 at once to a server that says goodbye after one", 8, leavesAfter(1, saysGoodbye), {}],
    ["1,000 at once to a server that says goodbye after 100", 1000, leavesAfter(100, saysGoodbye), {}],
    [
      "1,000 at once to a server that takes 10 at a time, and says goodbye after 100",
      1000,
      leavesAfter(100, saysGoodbye),
      { maxConcurrentStreams: 10 },
    ],
    ["1,000 at once to a server that hangs up after 100", 1000, leavesAfter(100, hangsUpSoon), {}],
  ];
  it.each(limits)("brings the replies to %s", async (_title, count, behaviour, settings) => {
    const { port, most, asked, connections } = await server([behaviour], settings);
    const transport = transportTo(port);
    const replies = Array.from({ length: count }, (_, i) => send(transport, `n${i}.example`).reply);
    expect((await Promise.all(replies)).map(addressIn)).toEqual(Array(count).fill("192.0.2.1"));
    expect(most()).toBeLessThanOrEqual(10);
    expect(connections()).toBeLessThanOrEqual(25);
    for (const names of asked()) expect(new Set(names).size).toBe(names.length);
  });

  it("asks a second time on another session, and no session twice", async () => {
    const held: Array<() => void> = [];
    const slow: Behaviour = (stream, query) => void held.push(() => respond(stream, replyTo(query)));
    const { port, asked } = await server([slow]);
    const transport = transportTo(port);
    const names = Array.from({ length: 50 }, (_, i) => `n${i}.example`);
    const first = names.map((name) => send(transport, name));
    await expect.poll(() => held.length).toBe(50);
    const second = names.map((name) => sendAgain(transport, name));
    await expect.poll(() => held.length).toBe(100);
    for (const answer of held) answer();
    await Promise.all([...first, ...second].map(({ reply }) => reply));
    expect(asked().map((each) => [...each].sort())).toEqual([[...names].sort(), [...names].sort()]);
  });

  it("does not put a query on a kept session on which nothing comes, not even an answer to a ping", async () => {
    const { port } = await server([answers, () => way.breakDown(), answers]);
    const way = await wayTo(port);
    const transport = transportTo(way.port, { suspectMs: 60, silenceMs: 1000 });
    await send(transport, "a.example").reply;
    const lost = send(transport, "b.example");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(addressIn(await send(transport, "c.example").reply)).toBe("192.0.2.1");
    expect(way.connections()).toBe(2);
    expect(await failureOf(lost)).toBe("no frame for 1000 ms");
  });

  it("asks once more what a server has refused unseen", async () => {
    const refuses: Behaviour = (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM);
    const { port, connections } = await server([refuses, answers, refuses, refuses, answers]);
    const transport = transportTo(port);
    await send(transport, "a.example").reply;
    expect(await failureOf(send(transport, "a.example"))).toBe("Stream closed with error code NGHTTP2_REFUSED_STREAM");
    expect(connections()).toBe(1);
  });

  it("fails with the message where a server ends the session with an error", async () => {
    const { port } = await server([(stream) => stream.session?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM), answers]);
    const transport = transportTo(port);
    expect(await failureOf(send(transport, "a.example"))).toBe("Session closed with error code 11");
    expect(addressIn(await send(transport, "a.example").reply)).toBe("192.0.2.1");
  });

  it("fails with the error's code where nobody listens", async () => {
    const { port, stopListening } = await server([answers]);
    stopListening();
    const transport = transportTo(port);
    expect(await Promise.all([1, 2].map(() => failureOf(send(transport, "a.example"))))).toEqual([
      "ECONNREFUSED",
      "ECONNREFUSED",
    ]);
  });

  it("closes the stream of a query that is taken back, and says nothing of it", async () => {
    const codes: unknown[] = [];
    const { port } = await server([
      (stream) => void stream.on("close", () => codes.push(stream.rstCode)),
      (stream, query) => respond(stream, replyTo(query)),
    ]);
    const transport = transportTo(port);
    const cancelled = send(transport, "a.example");
    await send(transport, "b.example").reply; // both are with the server
    cancelled.cancel();
    cancelled.cancel();
    await expect.poll(() => codes).toEqual([constants.NGHTTP2_CANCEL]);
    expect(cancelled.isSettled()).toBe(false);
  });

  it("bears that a query is taken back before there is a session", async () => {
    const { port } = await server([answers]);
    const transport = transportTo(port);
    const cancelled = send(transport, "a.example");
    cancelled.cancel();
    await send(transport, "b.example").reply;
    expect(cancelled.isSettled()).toBe(false);
  });

  it("gives up a session on which nothing comes, not even an answer to a ping", async () => {
    const { port } = await server([() => way.breakDown(), answers]);
    const way = await wayTo(port);
    const transport = transportTo(way.port, { silenceMs: 100 });
    expect(await failureOf(send(transport, "a.example"))).toBe("no frame for 100 ms");
    expect(addressIn(await send(transport, "a.example").reply)).toBe("192.0.2.1");
    expect(way.connections()).toBe(2);
  });

  it("keeps a session whose server is slow to answer, but answers a ping", async () => {
    const { port, connections } = await server([
      (stream, query) => void setTimeout(() => respond(stream, replyTo(query)), 2500),
    ]);
    const transport = transportTo(port, { silenceMs: 1000 });
    expect(addressIn(await send(transport, "a.example").reply)).toBe("192.0.2.1");
    expect(connections()).toBe(1);
  });

  it("closes a session that is idle, and opens another for the next query", async () => {
    const { port, connections, sessions } = await server([answers]);
    const transport = transportTo(port, { idleMs: 50 });
    await send(transport, "a.example").reply;
    await expect.poll(() => sessions.size).toBe(0);
    await send(transport, "a.example").reply;
    expect(connections()).toBe(2);
  });

  it("opens a new session before the ids of streams end, and loses nothing of the old one", async () => {
    const held: Array<() => void> = [];
    const { port, connections } = await server([
      (stream, query) => void held.push(() => respond(stream, replyTo(query))),
      answers,
    ]);
    const transport = transportTo(port, { queriesPerSessionMax: 2 });
    const first = send(transport, "a.example");
    await send(transport, "b.example").reply;
    await send(transport, "c.example").reply;
    expect(connections()).toBe(2);
    for (const answer of held) answer();
    expect(addressIn(await first.reply)).toBe("192.0.2.1");
  });

  it("fails what is under way when it is closed, and all that is sent afterwards", async () => {
    const { port, sessions } = await server([staysSilent]);
    const transport = transportTo(port);
    const sent = send(transport, "a.example");
    await expect.poll(() => sessions.size).toBe(1);
    transport.close();
    expect(await failureOf(sent)).toBe("closed");
    expect(await failureOf(send(transport, "a.example"))).toBe("closed");
    await expect.poll(() => sessions.size).toBe(0);
  });
});
