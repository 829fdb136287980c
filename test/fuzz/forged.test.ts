// Forged replies around real ones, over real sockets: whoever sends them sees the query, and gets one thing wrong in each.
// Now and then it is what only leads to another way of asking (the spelling, the cookie, a failure without a question, a
// flood), also where TCP, which would tell, is closed: then the question goes on as libc would put it, and the forger is
// there again.
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { DgramAsPromised } from "dgram-as-promised";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TYPE_A } from "../../assembly/layout.ts";
import { createCounters } from "../../src/counters.ts";
import { createLog } from "../../src/log.ts";
import { messageReader } from "../../src/table/message.ts";
import { addressesOf } from "../../src/table/record.ts";
import { createConnect } from "../../src/upstream/connect.ts";
import { createExchange } from "../../src/upstream/exchange.ts";
import { createGroup, type Group } from "../../src/upstream/group.ts";
import { createProbe } from "../../src/upstream/probe.ts";
import { createWheel } from "../../src/wheel.ts";
import { releaseWasm } from "../support/wasm.ts";
import { IS_FULL, report } from "./size.ts";

const SENT_EACH = 12;
const SEEN_EACH = 10; // the others come from elsewhere: the kernel keeps them from a connected socket
const PROVOKED_EVERY = 5; // three in a row would be believed: who guesses one datagram of ours has not guessed three
const FLOOD = 20; // more strays than a socket bears
const QUESTIONS = Math.ceil((IS_FULL ? 1_000_000 : 24_000) / SENT_EACH);
const QUESTIONS_OF = { open: Math.ceil(0.75 * QUESTIONS), closed: Math.ceil(0.25 * QUESTIONS) };
const PAUSE_MS = 16; // below 300 questions a second each has a socket of its own, and only what is meant for one as a flood is one
const AT_ONCE = 4;
const FAILED_SHARE = 20; // and are put to libc
const TRUE_ADDRESS = "192.0.2.1";
const FALSE_ADDRESS = "203.0.113.66";
const QUESTION_AT = 12;
const CLIENT_COOKIE_AT = 15; // behind the OPT's own fields and the option's
const CLIENT_COOKIE_BYTES = 8;
const NO_COOKIE = Buffer.alloc(0);
const FORMERR = 1;
const TC = 0x02;
const LETTER_CASE = 0x20;

type Udp = ReturnType<typeof DgramAsPromised.createSocket>;
type Provocation = (query: Buffer, lie: Buffer) => readonly Buffer[];

let server: Udp;
let elsewhere: Udp[];
let tcp: net.Server;
let group: Group;
let received: number;
let plain: number;
let counters: ReturnType<typeof createCounters>;

const PROVOCATIONS: readonly Provocation[] = [
  (query, lie) => (isMixed(query) ? [changed(lie, QUESTION_AT + 1, LETTER_CASE)] : []),
  (query, lie) => (isMixed(query) ? [changed(changed(lie, QUESTION_AT + 1, LETTER_CASE), 2, TC)] : []),
  (query) => [Buffer.from([...query.subarray(0, 2), 0x81, 0x80 | FORMERR, 0, 0, 0, 0, 0, 0, 0, 0])],
  (_query, lie) => Array.from({ length: FLOOD }, (_, i) => changed(lie, 1, i + 1)),
  (query) => (hasOpt(query) ? [replyTo(query, FALSE_ADDRESS, Buffer.from("somebody"))] : []),
];
/** Where TCP is closed it comes to the same as silence: the server is asked as who gives no cookies. */
const WITHOUT_COOKIE: Provocation = (query) => (hasOpt(query) ? [replyTo(query, FALSE_ADDRESS, NO_COOKIE)] : []);

beforeEach(async () => {
  received = 0;
  plain = 0;
  counters = createCounters();
  [server, ...elsewhere] = Array.from({ length: 3 }, () => DgramAsPromised.createSocket("udp4")) as [Udp, ...Udp[]];
  const { port } = await server.bind({ address: "127.0.0.1", port: 0 });
  await elsewhere[0]?.bind({ address: "127.0.0.1", port: 0 });
  await elsewhere[1]?.bind({ address: "127.0.0.2", port });
  tcp = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => {
      for (let at = 0; at < bytes.length; at += 2 + bytes.readUInt16BE(at)) {
        const reply = replyTo(bytes.subarray(at + 2, at + 2 + bytes.readUInt16BE(at)), TRUE_ADDRESS);
        socket.write(Buffer.concat([Buffer.of(reply.length >> 8, reply.length & 255), reply]));
      }
    });
  });
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

function questionEnd(query: Buffer): number {
  return query.indexOf(0, QUESTION_AT) + 5;
}
function hasOpt(query: Buffer): boolean {
  return query.length > questionEnd(query);
}
function isMixed(query: Buffer): boolean {
  return /[A-Z]/.test(query.toString("latin1", QUESTION_AT, questionEnd(query)));
}
function clientCookie(query: Buffer): Buffer {
  const at = questionEnd(query) + CLIENT_COOKIE_AT;
  return query.subarray(at, at + CLIENT_COOKIE_BYTES);
}

/** With a cookie of the server's own where the query has one. */
function replyTo(query: Buffer, address: string, cookie = clientCookie(query)): Buffer {
  const end = questionEnd(query);
  const header = Buffer.from([query[0] as number, query[1] as number, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
  const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split(".").map(Number)]);
  const parts = [header, query.subarray(QUESTION_AT, end), answer];
  if (hasOpt(query) && cookie.length === CLIENT_COOKIE_BYTES) {
    header[11] = 1;
    parts.push(Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 20, 0, 10, 0, 16]), cookie, Buffer.from("biscuit-"));
  }
  return Buffer.concat(parts);
}

function changed(reply: Buffer, at: number, mask: number): Buffer {
  const other = Buffer.from(reply);
  other[at] = (other[at] as number) ^ mask;
  return other;
}

async function deceive(query: Buffer, port: number, provocations: readonly Provocation[]): Promise<void> {
  received++;
  if (!hasOpt(query)) plain++;
  const send = (from: Udp, bytes: Buffer) => from.send(bytes, 0, bytes.length, port, "127.0.0.1");
  const lie = replyTo(query, FALSE_ADDRESS);
  const typeAt = questionEnd(query) - 3;
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
  const sent: Promise<unknown>[] = [];
  if (received % PROVOKED_EVERY === 0) {
    const provoke = provocations[(received / PROVOKED_EVERY) % provocations.length] as Provocation;
    sent.push(...provoke(query, lie).map((each) => send(server, each)));
  }
  sent.push(...lies.map((each) => send(server, each)));
  for (const each of elsewhere) sent.push(send(each, lie));
  await Promise.all(sent);
  await send(server, replyTo(query, TRUE_ADDRESS));
}

/** The number of those that have failed, where floods on each port have left nothing that counts. */
async function askAll(questions: number, pauseMs: number): Promise<number> {
  let next = 0;
  let failed = 0;
  const askers = Array.from({ length: AT_ONCE }, async () => {
    while (next < questions) {
      const asked = await group.ask({ name: `n${next++}.example`, type: TYPE_A }, () => undefined);
      if ("record" in asked) expect(addressesOf(asked.record)).toEqual([TRUE_ADDRESS]);
      else failed++;
      if (pauseMs > 0) await sleep(pauseMs);
    }
  });
  await Promise.all(askers);
  return failed;
}

function tell(title: string, questions: number): void {
  const { repliesForeign, repliesWrongCase, repliesWithoutCookie } = counters;
  report(
    title,
    `${received * SENT_EACH} sent, ${repliesForeign} seen, ${repliesWrongCase} misspelled, ${repliesWithoutCookie} without the cookie; ${plain} of ${received} queries as libc puts them`,
  );
  // Not all are seen: a socket that gets sixteen is given up.
  expect(repliesForeign).toBeGreaterThan((questions * SEEN_EACH) / 2);
  expect(repliesWrongCase).toBeGreaterThan(questions / PROVOKED_EVERY / PROVOCATIONS.length / 4);
  expect(repliesWithoutCookie).toBeGreaterThan(questions / PROVOKED_EVERY / PROVOCATIONS.length / 4);
}

describe("forged replies", () => {
  it("are never taken, and what they provoke is TCP", async () => {
    const { port } = server.socket.address();
    await new Promise<void>((resolve) => tcp.listen(port, "127.0.0.1", resolve));
    server.socket.on("message", (query, from) => void deceive(query, from.port, [...PROVOCATIONS, WITHOUT_COOKIE]));
    const failed = await askAll(QUESTIONS_OF.open, 0);
    tell("forged replies", QUESTIONS_OF.open);
    expect(failed).toBe(0);
  });

  it("are never taken where TCP is closed, and the question goes on as libc would put it", async () => {
    server.socket.on("message", (query, from) => void deceive(query, from.port, PROVOCATIONS));
    const failed = await askAll(QUESTIONS_OF.closed, PAUSE_MS);
    tell(`forged replies, TCP closed (${failed} of ${QUESTIONS_OF.closed} questions have failed)`, QUESTIONS_OF.closed);
    expect(failed).toBeLessThan(QUESTIONS_OF.closed / FAILED_SHARE);
    expect(plain).toBeGreaterThan(0);
  });
});
