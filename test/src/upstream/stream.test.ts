import { once } from "node:events";
import net from "node:net";
import dnsPacket from "dns-packet";
import { afterEach, describe, expect, it } from "vitest";
import { createStreamTransport, type StreamOptions } from "../../../src/upstream/stream.ts";
import type { Transport } from "../../../src/upstream/transport.ts";
import { PRINTS_ADDRESS, transportProgram } from "../../support/transportProcess.ts";
import { addressIn, framed, queryFor, replyTo, send, sendAgain } from "../../support/transports.ts";

type Conversation = (socket: net.Socket, queries: AsyncGenerator<Buffer>, number: number) => void | Promise<void>;

const endings: Array<() => void> = [];
afterEach(() => {
  for (const end of endings.splice(0)) end();
});

/** A server that does to its first connection, its second and so on what it is told, the last for all that follow. */
async function server(...conversations: Conversation[]) {
  let connections = 0;
  let most = 0;
  const open = new Set<net.Socket>();
  const seen: string[][] = [];
  const listener = net.createServer((socket) => {
    const number = connections++;
    open.add(socket);
    most = Math.max(most, open.size);
    const names: string[] = [];
    seen.push(names);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    const conversation = conversations[Math.min(number, conversations.length - 1)] as Conversation;
    void Promise.resolve(conversation(socket, queriesOf(socket, names), number)).catch(() => {});
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  endings.push(() => {
    listener.close();
    for (const socket of open) socket.destroy();
  });
  const { port } = listener.address() as net.AddressInfo;
  /** The names asked for, by connection. */
  return { port, connections: () => connections, most: () => most, open, seen, stopListening: () => listener.close() };
}

async function* queriesOf(socket: net.Socket, names: string[]): AsyncGenerator<Buffer> {
  let received = Buffer.alloc(0);
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const query = received.subarray(2, end);
      names.push(dnsPacket.decode(query).questions?.[0]?.name ?? "");
      yield query;
      received = received.subarray(end);
    }
  }
}

function transportTo(port: number, options: StreamOptions = {}): Transport {
  const transport = createStreamTransport({ transport: "tcp", host: "127.0.0.1", port }, options);
  endings.push(() => transport.close());
  return transport;
}

const answersAll: Conversation = async (socket, queries) => {
  for await (const query of queries) socket.write(framed(replyTo(query)));
};
/** Replies to so many, and leaves. */
const answers =
  (count: number, leave: (socket: net.Socket) => void): Conversation =>
  async (socket, queries) => {
    for (let replies = 0; replies < count; replies++) {
      socket.write(framed(replyTo((await take(queries, 1))[0] as Buffer)));
    }
    leave(socket);
  };
/** Replies to so many, and to none that follow. */
const goesDark =
  (count: number): Conversation =>
  async (socket, queries) => {
    let replies = 0;
    for await (const query of queries) if (replies++ < count) socket.write(framed(replyTo(query)));
  };
const staysSilent: Conversation = (socket) => void socket.resume();

function drip(socket: net.Socket, bytes: Buffer, each = 1): void {
  let at = 0;
  const timer = setInterval(() => {
    socket.write(bytes.subarray(at, at + each));
    at += each;
  }, 5);
  socket.on("close", () => clearInterval(timer));
}

function closedGate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

async function take(queries: AsyncGenerator<Buffer>, count: number): Promise<Buffer[]> {
  const taken: Buffer[] = [];
  while (taken.length < count) taken.push((await queries.next()).value as Buffer);
  return taken;
}

const idOf = (message: Buffer) => message.readUInt16BE(0);
const failureOf = (sent: { reply: Promise<Buffer> }) =>
  sent.reply.then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );

describe("a stream transport", () => {
  it("opens no connection before the first query, and one for all that follow", async () => {
    const { port, connections } = await server(answersAll);
    const transport = transportTo(port);
    await new Promise(setImmediate);
    expect(connections()).toBe(0);
    for (let i = 0; i < 3; i++) expect(addressIn(await send(transport, "a.example").reply)).toBe("192.0.2.1");
    await Promise.all([1, 2, 3].map(() => send(transport, "a.example").reply));
    expect(connections()).toBe(1);
  });

  it("sends without waiting for replies, and takes them in any order", async () => {
    const { port, connections } = await server(async (socket, queries) => {
      const [first, second, third] = (await take(queries, 3)) as [Buffer, Buffer, Buffer];
      const replies = [replyTo(third, "192.0.2.3"), replyTo(first, "192.0.2.1"), replyTo(second, "192.0.2.2")];
      socket.write(Buffer.concat(replies.map(framed)));
    });
    const transport = transportTo(port);
    const replies = ["a.example", "b.example", "c.example"].map((name) => send(transport, name).reply);
    expect((await Promise.all(replies)).map(addressIn)).toEqual(["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    expect(connections()).toBe(1);
  });

  it("takes messages that come split at any place", async () => {
    const { port } = await server(async (socket, queries) => {
      const [first, second] = (await take(queries, 2)) as [Buffer, Buffer];
      const bytes = Buffer.concat([framed(replyTo(first, "192.0.2.1")), framed(replyTo(second, "192.0.2.2"))]);
      socket.setNoDelay(true);
      for (const byte of bytes) {
        socket.write(Buffer.of(byte));
        await new Promise(setImmediate);
      }
    });
    const transport = transportTo(port);
    const replies = ["a.example", "b.example"].map((name) => send(transport, name).reply);
    expect((await Promise.all(replies)).map(addressIn)).toEqual(["192.0.2.1", "192.0.2.2"]);
  });

  it("takes two messages of which the second is cut at each of its bytes", async () => {
    const { port } = await server(async (socket, queries) => {
      socket.setNoDelay(true);
      for (let cut = 0; ; cut++) {
        const [first, second] = (await take(queries, 2)) as [Buffer, Buffer];
        const bytes = Buffer.concat([framed(replyTo(first)), framed(replyTo(second))]);
        socket.write(bytes.subarray(0, cut % bytes.length));
        await new Promise((resolve) => setTimeout(resolve, 1));
        socket.write(bytes.subarray(cut % bytes.length));
      }
    });
    const transport = transportTo(port);
    const bytes = 2 * framed(replyTo(queryFor("a.example").datagram)).length;
    for (let cut = 0; cut < bytes; cut++) {
      await Promise.all([send(transport, "a.example").reply, send(transport, "a.example").reply]);
    }
  });

  it("gives each of many queries an id of its own, on the one connection", async () => {
    const ids = new Set<number>();
    const { port, connections } = await server(async (socket, queries) => {
      const all = await take(queries, 4096);
      for (const query of all) ids.add(idOf(query));
      for (const query of all.reverse()) socket.write(framed(replyTo(query)));
    });
    const transport = transportTo(port);
    await Promise.all(Array.from({ length: 4096 }, () => send(transport, "a.example").reply));
    expect(ids.size).toBe(4096);
    expect(connections()).toBe(1);
  });

  it("fails what goes beyond the queries that may be under way, and goes on when there is room", async () => {
    const gate = closedGate();
    const { port } = await server(async (socket, queries) => {
      const both = await take(queries, 2);
      await gate.opened;
      socket.write(Buffer.concat(both.map((query) => framed(replyTo(query)))));
    });
    const transport = transportTo(port, { queriesMax: 2 });
    const first = send(transport, "a.example");
    const second = send(transport, "b.example");
    expect(await failureOf(send(transport, "c.example"))).toBe("too many queries under way");
    second.cancel();
    const fourth = send(transport, "d.example");
    gate.open();
    await first.reply;
    expect(fourth.isSettled()).toBe(false); // the second query had been sent: the server has answered that one
    fourth.cancel();
  });

  it("shows a query only messages with its id, and goes on until it takes one", async () => {
    const { port } = await server(async (socket, queries) => {
      const [query] = (await take(queries, 1)) as [Buffer];
      const foreign = replyTo(query, "203.0.113.66");
      foreign.writeUInt16BE(idOf(query) ^ 1, 0);
      const refused = replyTo(query, "203.0.113.67");
      const odd = [Buffer.alloc(0), Buffer.of(idOf(query) >> 8), foreign, refused];
      socket.write(Buffer.concat([...odd, replyTo(query), replyTo(query)].map(framed)));
      socket.end();
    });
    let unasked = 0;
    const seen: unknown[] = [];
    const transport = transportTo(port, { onUnasked: () => unasked++ });
    const { reply } = send(transport, "a.example", (message) => {
      seen.push(addressIn(message));
      return seen.length === 2;
    });
    await reply;
    expect(seen).toEqual(["203.0.113.67", "192.0.2.1"]);
    expect(unasked).toBe(4); // too short twice, another id, and the second copy
  });

  it("sends what was under way once more on a new connection when a server that had answered closes", async () => {
    const { port, connections } = await server(async (socket, queries) => {
      socket.write(framed(replyTo((await take(queries, 1))[0] as Buffer)));
      await take(queries, 2);
      socket.end(); // as if it had taken the connection for idle
    }, answersAll);
    const transport = transportTo(port);
    await send(transport, "a.example").reply;
    const replies = [send(transport, "b.example").reply, send(transport, "c.example").reply];
    expect((await Promise.all(replies)).map(addressIn)).toEqual(["192.0.2.1", "192.0.2.1"]);
    expect(connections()).toBe(2);
  });

  it("sends once more where the server resets the connection, too", async () => {
    const { port, connections } = await server(async (socket, queries) => {
      socket.write(framed(replyTo((await take(queries, 1))[0] as Buffer)));
      await take(queries, 1);
      socket.resetAndDestroy();
    }, answersAll);
    const transport = transportTo(port);
    await send(transport, "a.example").reply;
    await send(transport, "b.example").reply;
    expect(connections()).toBe(2);
  });

  const ends = (socket: net.Socket) => void socket.end();
  const resets = (socket: net.Socket) => void socket.resetAndDestroy();
  const limits: ReadonlyArray<[string, number, Conversation, number]> = [
    ["8 at once to a server that ends a connection after one reply", 8, answers(1, ends), 10],
    ["1,000 at once to a server that ends a connection after one reply", 1000, answers(1, ends), 1002],
    ["1,000 at once to a server that ends a connection after 100", 1000, answers(100, ends), 12],
    ["1,000 at once to a server that resets a connection after 128", 1000, answers(128, resets), 1002], // replies get lost
  ];
  it.each(limits)("brings the replies to %s", async (_title, count, conversation, connectionsMax) => {
    const { port, connections, most, seen } = await server(conversation);
    const transport = transportTo(port);
    const replies = Array.from({ length: count }, (_, i) => send(transport, `n${i}.example`).reply);
    expect((await Promise.all(replies)).map(addressIn)).toEqual(Array(count).fill("192.0.2.1"));
    expect(connections()).toBeLessThanOrEqual(connectionsMax);
    expect(most()).toBeGreaterThan(3); // not one after the other
    expect(most()).toBeLessThanOrEqual(9); // 8, and one that the server has not seen closed
    for (const names of seen) expect(new Set(names).size).toBe(names.length);
  });

  it("learns how many a connection bears only where one after the other is closed amid queries", async () => {
    const { port, connections } = await server(async (socket, queries) => {
      socket.write(framed(replyTo((await take(queries, 1))[0] as Buffer)));
      await take(queries, 20);
      socket.end();
    }, answersAll);
    const transport = transportTo(port);
    await send(transport, "a.example").reply;
    await Promise.all(Array.from({ length: 20 }, (_, i) => send(transport, `n${i}.example`).reply));
    expect(connections()).toBe(2);
  });

  it("uses fewer connections where a server closes those that are too many for it", async () => {
    const present = new Set<net.Socket>();
    const { port } = await server(async (socket, queries, number) => {
      if (present.size >= 2) return void socket.destroy();
      present.add(socket);
      socket.on("close", () => present.delete(socket));
      await answers(3, () => socket.end())(socket, queries, number);
    });
    const transport = transportTo(port);
    const replies = Array.from({ length: 60 }, (_, i) => send(transport, `n${i}.example`).reply);
    expect((await Promise.all(replies)).map(addressIn)).toEqual(Array(60).fill("192.0.2.1"));
  });

  it("fails all that wait for a connection when the server stops listening", async () => {
    const { port, stopListening } = await server(async (socket, queries) => {
      socket.write(framed(replyTo((await take(queries, 1))[0] as Buffer)));
      if (++answered === 3) stopListening();
      socket.end();
    });
    let answered = 0;
    const transport = transportTo(port);
    const sent = Array.from({ length: 100 }, (_, i) => send(transport, `n${i}.example`));
    const failures = await Promise.all(sent.map(failureOf));
    expect(failures.filter((failure) => failure === undefined).length).toBeGreaterThanOrEqual(3);
    expect(failures).toContain("ECONNREFUSED");
  });

  it("sends nothing again that was taken back", async () => {
    const names: number[] = [];
    const gate = closedGate();
    const { port } = await server(
      async (socket, queries) => {
        socket.write(framed(replyTo((await take(queries, 1))[0] as Buffer)));
        await take(queries, 2);
        await gate.opened;
        socket.end();
      },
      async (socket, queries) => {
        for await (const query of queries) {
          names.push(query.length);
          socket.write(framed(replyTo(query)));
        }
      },
    );
    const transport = transportTo(port);
    await send(transport, "a.example").reply;
    const cancelled = send(transport, "cancelled.example");
    const kept = send(transport, "b.example");
    cancelled.cancel();
    gate.open();
    await kept.reply;
    expect(names).toEqual([kept.query.datagram.length]);
    expect(cancelled.isSettled()).toBe(false);
  });

  it("fails what was under way when a server closes that never answered", async () => {
    const { port, connections } = await server(async (socket, queries) => {
      await take(queries, 2);
      socket.end();
    });
    const transport = transportTo(port);
    const sent = [send(transport, "a.example"), send(transport, "b.example")];
    expect(await Promise.all(sent.map(failureOf))).toEqual(Array(2).fill("closed before it answered"));
    expect(connections()).toBe(1);
  });

  it("fails with the error's code where nobody listens", async () => {
    const { port, stopListening } = await server(answersAll);
    stopListening();
    const transport = transportTo(port);
    expect(await Promise.all([1, 2].map(() => failureOf(send(transport, "a.example"))))).toEqual([
      "ECONNREFUSED",
      "ECONNREFUSED",
    ]);
  });

  it("says nothing of a query that was taken back, when its server hangs, answers late or closes", async () => {
    const gate = closedGate();
    const { port } = await server(async (socket, queries) => {
      const all = await take(queries, 2);
      await gate.opened;
      socket.end(Buffer.concat(all.map((query) => framed(replyTo(query)))));
    });
    let unasked = 0;
    const transport = transportTo(port, { onUnasked: () => unasked++ });
    const cancelled = send(transport, "a.example");
    const kept = send(transport, "b.example");
    cancelled.cancel();
    cancelled.cancel();
    gate.open();
    await kept.reply;
    expect(cancelled.isSettled()).toBe(false);
    expect(unasked).toBe(1);
  });

  it("gives up a connection on which nothing comes while queries wait, and opens another for the next", async () => {
    const { port, connections } = await server(staysSilent, answersAll);
    const transport = transportTo(port, { silenceMs: 50 });
    expect(await failureOf(send(transport, "a.example"))).toBe("no message for 50 ms");
    expect(addressIn(await send(transport, "a.example").reply)).toBe("192.0.2.1");
    expect(connections()).toBe(2);
  });

  it("gives such a connection up also when every query is taken back before", async () => {
    const { port, connections } = await server(staysSilent, answersAll);
    const transport = transportTo(port, { silenceMs: 50 });
    let isAnswered = false;
    await expect
      .poll(
        async () => {
          const sent = send(transport, "a.example");
          sent.reply.then(() => (isAnswered = true)).catch(() => {});
          await new Promise((resolve) => setTimeout(resolve, 10));
          sent.cancel();
          return isAnswered;
        },
        { interval: 1 },
      )
      .toBe(true);
    expect(connections()).toBe(2);
  });

  it("asks a second time on a new connection where nothing has come since the first, and hears the old one to its end", async () => {
    const gate = closedGate();
    const { port, connections, open, seen } = await server(async (socket, queries) => {
      const [query] = (await take(queries, 1)) as [Buffer];
      await gate.opened;
      socket.write(framed(replyTo(query, "192.0.2.7")));
      await take(queries, 1);
    }, answersAll);
    const transport = transportTo(port);
    const first = send(transport, "a.example");
    await expect.poll(() => seen).toEqual([["a.example"]]);
    expect(addressIn(await sendAgain(transport, "a.example").reply)).toBe("192.0.2.1");
    expect(addressIn(await send(transport, "b.example").reply)).toBe("192.0.2.1");
    expect(seen).toEqual([["a.example"], ["a.example", "b.example"]]);
    gate.open();
    expect(addressIn(await first.reply)).toBe("192.0.2.7");
    expect([connections(), open.size]).toEqual([2, 2]); // what is heard again is good again
  });

  it("closes a connection that was silent when its queries have ended", async () => {
    const { port, open } = await server(staysSilent, answersAll);
    const transport = transportTo(port);
    const first = send(transport, "a.example");
    await sendAgain(transport, "a.example").reply;
    expect(open.size).toBe(2);
    first.cancel();
    await expect.poll(() => open.size).toBe(1);
  });

  it("asks a second time on a new connection also where the first query was taken back", async () => {
    const { port, connections } = await server(staysSilent, answersAll);
    const transport = transportTo(port);
    const other = send(transport, "b.example");
    send(transport, "a.example").cancel();
    expect(addressIn(await sendAgain(transport, "a.example").reply)).toBe("192.0.2.1");
    expect(connections()).toBe(2);
    other.cancel();
  });

  it("puts no second attempt on a connection that was idle since before the first", async () => {
    const { port, seen } = await server(goesDark(1), goesDark(1), answersAll);
    const transport = transportTo(port);
    const first = [send(transport, "a.example"), send(transport, "b.example")];
    await first[0]?.reply;
    await sendAgain(transport, "b.example").reply; // both connections are silent from now on
    first[1]?.cancel();
    const third = send(transport, "c.example");
    await expect.poll(() => seen[0]).toEqual(["a.example", "b.example", "c.example"]);
    await sendAgain(transport, "c.example").reply;
    expect(seen).toEqual([["a.example", "b.example", "c.example"], ["b.example"], ["c.example"]]);
    third.cancel();
  });

  it("learns after how many replies connections lead nowhere", async () => {
    const { port, seen } = await server(goesDark(1));
    const transport = transportTo(port);
    for (const name of ["a.example", "b.example", "c.example"]) {
      const first = send(transport, name);
      await new Promise((resolve) => setTimeout(resolve, 60));
      if (!first.isSettled()) await sendAgain(transport, name).reply;
      first.cancel();
    }
    const count = seen.length;
    const sent = Array.from({ length: 20 }, (_, i) => send(transport, `n${i}.example`));
    expect((await Promise.all(sent.map(({ reply }) => reply))).map(addressIn)).toEqual(Array(20).fill("192.0.2.1"));
    expect(seen.slice(count).map((names) => names.length)).toEqual(Array(20).fill(1));
  });

  it("closes what was opened for a second attempt where the first is answered", async () => {
    const gate = closedGate();
    const { port, open } = await server(async (socket, queries) => {
      const [query] = (await take(queries, 1)) as [Buffer];
      await gate.opened;
      socket.write(framed(replyTo(query)));
    }, staysSilent);
    const transport = transportTo(port);
    const first = send(transport, "a.example");
    const second = sendAgain(transport, "a.example");
    await expect.poll(() => open.size).toBe(2);
    gate.open();
    await first.reply;
    second.cancel();
    await expect.poll(() => open.size).toBe(1);
  });

  it("asks a second time on another connection also where others were answered on the first", async () => {
    const { port, seen } = await server(async (socket, queries) => {
      for await (const query of queries) {
        if (dnsPacket.decode(query).questions?.[0]?.name !== "a.example") socket.write(framed(replyTo(query)));
      }
    }, answersAll);
    const transport = transportTo(port);
    const first = send(transport, "a.example");
    await send(transport, "b.example").reply;
    await sendAgain(transport, "a.example").reply;
    await send(transport, "c.example").reply;
    expect(seen).toEqual([["a.example", "b.example", "c.example"], ["a.example"]]);
    first.cancel();
  });

  it("opens no more than some connections to a server that says nothing, and others when these were silent for long", async () => {
    const { port, connections, open } = await server(staysSilent);
    const transport = transportTo(port, { giveUpMs: 400 });
    const sent = Array.from({ length: 30 }, () => sendAgain(transport, "a.example"));
    await expect.poll(() => open.size).toBe(8);
    expect(connections()).toBe(8);
    await new Promise((resolve) => setTimeout(resolve, 500));
    sent.push(sendAgain(transport, "a.example"));
    await expect.poll(() => connections()).toBe(16);
    await expect.poll(() => open.size).toBe(8);
    expect(sent.some((each) => each.isSettled())).toBe(false);
  });

  it("lets a server take its time that bears one query a connection", async () => {
    const { port, connections } = await server(async (socket, queries) => {
      const [query] = (await take(queries, 1)) as [Buffer];
      await new Promise((resolve) => setTimeout(resolve, 200));
      socket.end(framed(replyTo(query)));
    });
    const transport = transportTo(port, { suspectMs: 20 });
    const replies = Array.from({ length: 20 }, (_, i) => send(transport, `n${i}.example`).reply);
    expect((await Promise.all(replies)).map(addressIn)).toEqual(Array(20).fill("192.0.2.1"));
    expect(connections()).toBe(20);
  });

  const lifeless: ReadonlyArray<[string, (socket: net.Socket) => void]> = [
    ["nothing more", () => {}],
    ["a byte at a time", (socket) => drip(socket, Buffer.alloc(60_000))],
    ["messages without a header", (socket) => drip(socket, Buffer.alloc(60_000), 2)],
  ];
  it.each(lifeless)("does not put a query on a kept connection on which comes %s", async (_title, goOn) => {
    const { port, connections } = await server(async (socket, queries) => {
      const [first] = (await take(queries, 1)) as [Buffer];
      socket.write(framed(replyTo(first)));
      await take(queries, 1);
      socket.write(Buffer.of(0xff));
      goOn(socket);
    }, answersAll);
    const transport = transportTo(port, { suspectMs: 60, silenceMs: 300 });
    await send(transport, "a.example").reply;
    const lost = send(transport, "b.example");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(addressIn(await send(transport, "c.example").reply)).toBe("192.0.2.1");
    expect(connections()).toBe(2);
    expect(await failureOf(lost)).toBe("no message for 300 ms");
  });

  it("keeps a connection on which nothing comes because nothing waits", async () => {
    const { port, connections } = await server(answersAll);
    const transport = transportTo(port, { silenceMs: 300 });
    await send(transport, "a.example").reply;
    await new Promise((resolve) => setTimeout(resolve, 600));
    await send(transport, "a.example").reply;
    expect(connections()).toBe(1);
  });

  it("closes a connection that is idle, and opens another for the next query", async () => {
    const { port, connections, open } = await server(answersAll);
    const transport = transportTo(port, { idleMs: 50 });
    await send(transport, "a.example").reply;
    await expect.poll(() => open.size).toBe(0);
    await send(transport, "a.example").reply;
    expect(connections()).toBe(2);
  });

  it("takes a connection for idle though bytes come that nobody asked for", async () => {
    const { port, open } = await server(async (socket, queries) => {
      socket.write(framed(replyTo((await take(queries, 1))[0] as Buffer)));
      drip(socket, Buffer.alloc(60_000, 0xff));
    });
    const transport = transportTo(port, { idleMs: 50 });
    await send(transport, "a.example").reply;
    await expect.poll(() => open.size).toBe(0);
  });

  it("fails what is under way when it is closed, and all that is sent afterwards", async () => {
    const { port, open, connections } = await server(staysSilent);
    const transport = transportTo(port);
    const sent = send(transport, "a.example");
    await expect.poll(() => open.size).toBe(1);
    transport.close();
    expect(await failureOf(sent)).toBe("closed");
    expect(await failureOf(send(transport, "a.example"))).toBe("closed");
    await expect.poll(() => open.size).toBe(0);
    expect(connections()).toBe(1);
  });

  it("bears a receiver that takes others back, sends and closes while it is called", async () => {
    const { port } = await server(async (socket, queries) => {
      await take(queries, 2);
      socket.end();
    }, answersAll);
    const transport = transportTo(port);
    const other = { cancel: () => {}, isTold: false };
    const again = new Promise<Buffer>((resolve) => {
      transport.send(queryFor("a.example"), {
        receive: () => true,
        fail() {
          other.cancel();
          resolve(send(transport, "c.example").reply);
        },
      });
    });
    other.cancel = transport.send(queryFor("b.example"), {
      receive: () => true,
      fail() {
        other.isTold = true;
      },
    });
    expect(addressIn(await again)).toBe("192.0.2.1");
    expect(other.isTold).toBe(false);
  });
});

describe("a process with a stream transport", () => {
  async function run(port: number, script: string) {
    const program = await transportProgram(script);
    endings.push(program.close);
    return program.run(`tcp://127.0.0.1:${port}`);
  }

  it("sees what a receiver throws as an uncaught exception", async () => {
    const { port } = await server(answersAll);
    const script = `
      process.on("uncaughtException", (error) => { console.log("uncaught", error.message); process.exit(7); });
      transport.send(query, { receive() { throw new Error("trap"); }, fail() { console.log("failed"); } });`;
    expect(await run(port, script)).toEqual({ code: 7, output: "uncaught trap" });
  });

  it("ends while its connection is idle, though the server keeps it open", async () => {
    const { port } = await server(answersAll);
    expect(await run(port, PRINTS_ADDRESS)).toEqual({ code: 0, output: "192.0.2.1" });
  });
});
