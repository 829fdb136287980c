import { DgramAsPromised } from "dgram-as-promised";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TYPE_A } from "../../../assembly/layout.ts";
import { createCounters } from "../../../src/counters.ts";
import { buildQuery } from "../../../src/upstream/query.ts";
import { OwnLackError, type Transport } from "../../../src/upstream/transport.ts";
import { createUdpTransport } from "../../../src/upstream/udp.ts";
import { createWheel } from "../../../src/wheel.ts";

const SOCKETS_MAX = 8;
const USES_MAX = 100;

let silent: ReturnType<typeof DgramAsPromised.createSocket>;
let transport: Transport;
let ports: Set<number>;
let received: number;

beforeEach(async () => {
  silent = DgramAsPromised.createSocket("udp4");
  ports = new Set();
  received = 0;
  silent.socket.on("message", (_message, from) => {
    received++;
    ports.add(from.port);
  });
  const { port } = await silent.bind({ address: "127.0.0.1", port: 0 });
  transport = createUdpTransport({ transport: "udp", host: "127.0.0.1", port }, createWheel(), createCounters(), {
    socketsMax: SOCKETS_MAX,
    usesMax: USES_MAX,
  });
});
afterEach(async () => {
  transport.close();
  await silent.close();
});

const query = () =>
  buildQuery({ name: "a.example", type: TYPE_A }, { ednsBytes: undefined, mixedCase: false, padded: false });

/** One query; gives what takes it back. */
function send(errors: Error[] = []): () => void {
  return transport.send(query(), { receive: () => true, fail: (error) => void errors.push(error) });
}

describe("the sockets to a server", () => {
  it("are no more than they may be, however many queries wait for it", async () => {
    for (let i = 0; i < 300; i++) send();
    await vi.waitFor(() => expect(received).toBeGreaterThan(100));
    expect(ports.size).toBeLessThanOrEqual(SOCKETS_MAX);
  });

  it("end, and refuse, where each has had all the queries that it may, and serve again when these are over", async () => {
    const errors: Error[] = [];
    const held = Array.from({ length: SOCKETS_MAX * USES_MAX + 1 }, () => send(errors));
    await vi.waitFor(() => expect(errors).toHaveLength(1));
    expect(errors[0]).toBeInstanceOf(OwnLackError);
    for (const takeBack of held) takeBack();
    await new Promise((resolve) => setImmediate(resolve));
    send(errors);
    await new Promise((resolve) => setImmediate(resolve));
    expect(errors).toHaveLength(1);
  });

  it("are none after it was closed", async () => {
    const errors: Error[] = [];
    send(errors);
    transport.close();
    expect(errors).toHaveLength(1);
    send(errors);
    await vi.waitFor(() => expect(errors).toHaveLength(2));
    expect(errors.every((error) => error instanceof OwnLackError)).toBe(true);
  });
});
