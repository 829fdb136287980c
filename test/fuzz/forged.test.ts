// Forged replies around real ones, over real sockets: whoever sends them sees the query, and gets one thing wrong in each.
import net from "node:net";
import { DgramAsPromised } from "dgram-as-promised";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TYPE_A } from "../../assembly/layout.ts";
import { createCounters } from "../../src/counters.ts";
import { createLog } from "../../src/log.ts";
import { messageReader } from "../../src/message.ts";
import { addressesOf } from "../../src/record.ts";
import { createConnect } from "../../src/upstream/connect.ts";
import { createExchange } from "../../src/upstream/exchange.ts";
import { createGroup, type Group } from "../../src/upstream/group.ts";
import { createProbe } from "../../src/upstream/probe.ts";
import { createWheel } from "../../src/wheel.ts";
import { releaseWasm } from "../support/wasm.ts";
import { IS_FULL, report } from "./size.ts";

const SENT_EACH = 12;
const SEEN_EACH = 10; // the others come from elsewhere: the kernel keeps them from a connected socket
const CASE_EVERY = 20; // in another spelling: the question then goes on over TCP
const QUESTIONS = Math.ceil((IS_FULL ? 1_000_000 : 24_000) / SENT_EACH);
const AT_ONCE = 4;
const TRUE_ADDRESS = "192.0.2.1";
const FALSE_ADDRESS = "203.0.113.66";

type Udp = ReturnType<typeof DgramAsPromised.createSocket>;

let server: Udp;
let elsewhere: Udp[];
let tcp: net.Server;
let group: Group;
let received = 0;
const counters = createCounters();

beforeEach(async () => {
  [server, ...elsewhere] = Array.from({ length: 3 }, () => DgramAsPromised.createSocket("udp4")) as [Udp, ...Udp[]];
  const { port } = await server.bind({ address: "127.0.0.1", port: 0 });
  await elsewhere[0]?.bind({ address: "127.0.0.1", port: 0 });
  await elsewhere[1]?.bind({ address: "127.0.0.2", port });
  tcp = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => {
      for (let at = 0; at < bytes.length; at += 2 + bytes.readUInt16BE(at)) {
        const reply = replyTo(bytes.subarray(at + 2), TRUE_ADDRESS);
        socket.write(Buffer.concat([Buffer.of(reply.length >> 8, reply.length & 255), reply]));
      }
    });
  });
  await new Promise<void>((resolve) => tcp.listen(port, "127.0.0.1", resolve));
  server.socket.on("message", (query, from) => void deceive(query, from.port));
  const log = createLog("silent");
  const wheel = createWheel();
  const { read: readReply } = messageReader(releaseWasm());
  group = createGroup({
    upstreams: [{ transport: "udp", host: "127.0.0.1", port }],
    timeoutMs: 2500,
    connect: createConnect(wheel, counters),
    exchange: createExchange({ readReply, counters, log }),
    probe: createProbe({ readReply, wheel, counters }),
    wheel,
    counters,
    log,
  });
});
afterEach(async () => {
  group.close();
  tcp.close();
  await Promise.all([server, ...elsewhere].map((each) => each.close()));
});

/** What stands behind the question of a query is left out. */
function replyTo(query: Buffer, address: string): Buffer {
  let end = 12;
  while (query[end] !== 0) end += 1 + (query[end] as number);
  const header = Buffer.from([query[0] as number, query[1] as number, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
  const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split(".").map(Number)]);
  return Buffer.concat([header, query.subarray(12, end + 5), answer]);
}

function changed(reply: Buffer, at: number, mask: number): Buffer {
  const other = Buffer.from(reply);
  other[at] = (other[at] as number) ^ mask;
  return other;
}

async function deceive(query: Buffer, port: number): Promise<void> {
  received++;
  const lie = replyTo(query, FALSE_ADDRESS);
  const typeAt = lie.length - 16 - 3;
  const lies = [
    changed(lie, 0, 0x80), // id
    changed(lie, 1, 1 + (received % 255)),
    changed(lie, 13, 0x01), // name
    changed(lie, typeAt - 6, 0x02),
    changed(lie, typeAt, 0x1d), // AAAA
    changed(lie, typeAt + 2, 0x02), // class
    changed(lie, 2, 0x80), // a query
    changed(lie, 2, 0x08), // another opcode
    changed(lie, 5, 0x01), // no question
    lie.subarray(0, 11), // half a header
  ];
  expect(lies).toHaveLength(SEEN_EACH);
  const sent = lies.map((each) => server.send(each, 0, each.length, port, "127.0.0.1"));
  for (const each of elsewhere) sent.push(each.send(lie, 0, lie.length, port, "127.0.0.1"));
  await Promise.all(sent);
  const spelled = received % CASE_EVERY === 0 ? changed(lie, 13, 0x20) : replyTo(query, TRUE_ADDRESS);
  await server.send(spelled, 0, spelled.length, port, "127.0.0.1");
}

describe("forged replies", () => {
  it("are never taken, and are counted", async () => {
    let next = 0;
    const askers = Array.from({ length: AT_ONCE }, async () => {
      while (next < QUESTIONS) {
        const asked = await group.ask({ name: `n${next++}.example`, type: TYPE_A }, () => undefined);
        expect("record" in asked ? addressesOf(asked.record) : asked.failure).toEqual([TRUE_ADDRESS]);
      }
    });
    await Promise.all(askers);
    const { repliesForeign, repliesWrongCase } = counters;
    report("forged replies", `${received * SENT_EACH} sent, ${repliesForeign} seen, ${repliesWrongCase} misspelled`);
    // Not all are seen: a socket that gets sixteen is given up, and its questions go on over TCP.
    expect(counters.repliesForeign).toBeGreaterThan((QUESTIONS * SEEN_EACH) / 2);
    expect(counters.repliesForeign).toBeLessThanOrEqual(received * SEEN_EACH);
    expect(counters.repliesWrongCase).toBeGreaterThan(QUESTIONS / CASE_EVERY / 2);
  });
});
