import net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createHttpServer, type HttpServer, type Limits } from "../../../src/operate/http.ts";
import type { Reply, Request } from "../../../src/operate/routes.ts";

let served: HttpServer;
const OK: Reply = { status: 200, type: "text/plain", text: "ok" };
const ASK = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

async function serve(limits: Partial<Limits>, answer: (request: Request) => Promise<Reply> = async () => OK) {
  served = createHttpServer({ door: "tcp", answer, hosts: [], limits });
  await new Promise<void>((resolve) => served.server.listen(0, "127.0.0.1", resolve));
}
/** What came until the server closed. */
function connect(...writes: readonly string[]) {
  const socket = net.connect((served.server.address() as net.AddressInfo).port, "127.0.0.1");
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk;
  });
  socket.on("error", () => undefined);
  for (const text of writes) socket.write(text);
  const closed = new Promise<string>((resolve) => socket.on("close", () => resolve(received)));
  return { socket, closed, received: () => received };
}
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}

afterEach(() => {
  served.server.close();
  served.server.closeAllConnections();
});

describe("a connection ends", () => {
  it("when it does not ask in time", async () => {
    await serve({ headersMs: 200 });
    expect(await connect("GET / HTTP/1.1\r\nHos").closed).toMatch(/^HTTP\/1.1 408 /);
  });

  it("when it is idle", async () => {
    await serve({ idleMs: 100 });
    expect(await connect(ASK).closed).toMatch(/^HTTP\/1.1 200 /);
    expect(await connect().closed).toBe("");
  });

  it("when it has lived its life, though a byte comes now and then", async () => {
    await serve({ lifeMs: 300, headersMs: 60_000 });
    const { socket, closed } = connect("GET / HTTP/1.1\r\n");
    const drip = setInterval(() => socket.write("x"), 20);
    expect(await closed).toBe("");
    clearInterval(drip);
  });

  it("when it has lived its life, though it reads a byte now and then", async () => {
    const large = { ...OK, text: "x".repeat(30_000_000) };
    await serve({ lifeMs: 500 }, async () => large);
    const { socket } = connect(ASK);
    socket.pause();
    const sip = setInterval(() => socket.read(1), 20);
    await until(() => served.connections.count() === 1);
    await until(() => served.connections.count() === 0);
    clearInterval(sip);
    socket.destroy();
  });
});

describe("at the limit", () => {
  it("the connection that has been idle for longest makes room, and one that is being answered is spared", async () => {
    const answers: Array<(reply: Reply) => void> = [];
    await serve({ max: 3 }, () => new Promise((resolve) => answers.push(resolve)));
    const busy = connect(ASK);
    await until(() => answers.length === 1);
    const first = connect();
    await until(() => served.connections.count() === 2);
    const second = connect();
    await until(() => served.connections.count() === 3);
    const third = connect(ASK);
    expect(await first.closed).toBe("");
    await until(() => answers.length === 2);
    for (const answer of answers) answer(OK);
    await until(() => busy.received().includes("ok") && third.received().includes("ok"));
    expect([served.connections.count(), served.connections.dropped(), second.socket.destroyed]).toEqual([3, 1, false]);
  });
});

describe("a request", () => {
  it("of too long headers, or of no HTTP, is refused", async () => {
    await serve({});
    expect(await connect(`GET /${"x".repeat(9000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`).closed).toMatch(
      /^HTTP\/1.1 431 /,
    );
    expect(await connect("\u0016\u0003\u0001nonsense\r\n\r\n").closed).toMatch(/^HTTP\/1.1 400 /);
    expect(await connect("GET / HTTP/1.1\r\n\r\n").closed).toMatch(/^HTTP\/1.1 400 /);
  });

  it("with a body that is too long is refused without waiting for its end", async () => {
    await serve({});
    const { closed } = connect(
      `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n${"x".repeat(5000)}`,
    );
    expect(await closed).toMatch(/^HTTP\/1.1 400 /);
  });

  it("that does not wait for the answer of the one before ends the connection, and is not answered", async () => {
    let asked = 0;
    await serve({}, () => {
      asked++;
      return new Promise(() => undefined);
    });
    expect(await connect(ASK.repeat(1000)).closed).toBe("");
    expect(asked).toBe(1);
  });

  it("is not even parsed where thousands came before it with one read", async () => {
    let parsed = 0;
    await serve({}, () => new Promise(() => undefined));
    served.server.on("request", () => parsed++);
    expect(await connect("GET / HTTP/1.1\r\nHost:h\r\n\r\n".repeat(3000)).closed).toBe("");
    expect(parsed).toBeGreaterThan(1);
    expect(parsed).toBeLessThan(10);
  });

  it("whose answer fails is told so, and the next one is answered", async () => {
    let times = 0;
    await serve({}, async () => {
      if (times++ === 0) throw new Error("made to fail");
      return OK;
    });
    const client = connect(ASK);
    await until(() => client.received().includes("made to fail"));
    client.socket.write(ASK);
    await until(() => client.received().endsWith("ok"));
    expect(client.received()).toMatch(/^HTTP\/1.1 500 .*made to fail/s);
    client.socket.destroy();
  });
});
