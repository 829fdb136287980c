// Queries over UDP, from a stock of connected sockets on ports of the kernel's choice: it hands on only what comes from the
// asked address. Below some hundred queries a second each socket serves one query, and the next is made ready meanwhile;
// above, many at a time serve up to 64 each, with ids that are unique to a socket (a fresh one each costs three times the
// CPU). What is refused, here or by an ICMP message, concerns one query, and its socket takes no others. An ICMP message does
// not say which: the one that waits longest fails, and the others of its socket are listened to as before.
// Sockets are made, bound and closed by dgram-as-promised; its recv() keeps no queue and loses what arrives between two
// calls, so replies are taken from the socket's own event.
import { randomInt } from "node:crypto";
import type { RemoteInfo } from "node:dgram";
import net from "node:net";
import { DgramAsPromised } from "dgram-as-promised";
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Wheel } from "../wheel.ts";
import type { UpstreamAddress } from "./address.ts";
import { type BuiltQuery, randomId, stampId } from "./query.ts";
import { isWithoutDescriptors, OwnLackError, type Receiver, type Transport } from "./transport.ts";

/** Somebody sends what was not asked for: the socket is given up, and the question is better put over TCP. */
export class FloodError extends Error {}

interface UdpSocket {
  readonly udp: ReturnType<typeof DgramAsPromised.createSocket>;
  /** By id; null where a query was taken back, whose reply may still come. */
  readonly queries: Map<number, Sent | null>;
  readonly madeAtMs: number;
  /** As the kernel writes it; until it is connected what comes is from anybody. */
  peer: { readonly address: string; readonly port: number } | undefined;
  /** Until it is connected. */
  waiting: Sent[] | undefined;
  sentAtMs: number;
  uses: number;
  underWay: number;
  strays: number;
  isSpoilt: boolean;
  isRetired: boolean;
}

interface Sent {
  readonly query: BuiltQuery;
  readonly receiver: Receiver;
  socket: UdpSocket;
}

const SHARED_ABOVE_PER_SECOND = 300;
const SHARED_SOCKETS = 64;
const SHARED_USES_MAX = 64;
const SOCKETS_MAX = 256; // four times as many: the old are listened to for longer than they are used
const USES_MAX = 4096; // an id that was taken back is not used again, so a socket must have an end
const SOCKET_MS_MAX = 5000; // whoever looks for our open ports finds others by then, but for what is still waited for
const LISTEN_MS_MAX = 12_000; // longer than a question and its late reply are waited for
const SWEEP_MS = 1000;
const STRAYS_MAX = 16;

export function createUdpTransport(
  { host, port }: UpstreamAddress,
  wheel: Wheel,
  counters: Counters,
  {
    socketsMax = SOCKETS_MAX,
    usesMax = USES_MAX,
    socketMsMax = SOCKET_MS_MAX,
    listenMsMax = LISTEN_MS_MAX,
    sweepMs = SWEEP_MS,
  } = {},
): Transport {
  const sockets = new Set<UdpSocket>();
  const wanted = Math.min(SHARED_SOCKETS, Math.ceil(socketsMax / 4));
  let spare: UdpSocket | undefined;
  let isClosed = false;
  let isSwept = false;
  let second = 0;
  let sentThisSecond = 0;
  let sentLastSecond = 0;

  function isBusy(now: number): boolean {
    const current = Math.floor(now / 1000);
    if (current !== second) {
      sentLastSecond = current === second + 1 ? sentThisSecond : 0;
      sentThisSecond = 0;
      second = current;
    }
    return ++sentThisSecond > SHARED_ABOVE_PER_SECOND || sentLastSecond > SHARED_ABOVE_PER_SECOND;
  }

  /** Undefined where so many queries are under way that none of the sockets may take one more. */
  function choose(now: number): UdpSocket | undefined {
    const isShared = isBusy(now);
    if (!isShared && sockets.size < wanted) return spare ?? open(now);
    const isYoung = (each: UdpSocket) => !each.isSpoilt && now - each.madeAtMs < socketMsMax;
    const live = [...sockets].filter((each) => each.uses < SHARED_USES_MAX && isYoung(each));
    if (live.length < wanted && sockets.size < socketsMax) return spare ?? open(now);
    const choice = live.length > 0 ? live : [...sockets].filter((each) => each.uses < usesMax && isYoung(each));
    if (choice.length > 0) return choice[randomInt(choice.length)];
    const oldest = [...sockets].find((each) => !isYoung(each));
    if (oldest === undefined) return undefined;
    retire(oldest);
    return open(now);
  }

  function open(now: number): UdpSocket {
    const udp = DgramAsPromised.createSocket(net.isIPv6(host) ? "udp6" : "udp4");
    const socket: UdpSocket = {
      udp,
      queries: new Map(),
      madeAtMs: now,
      peer: undefined,
      waiting: [],
      sentAtMs: now,
      uses: 0,
      underWay: 0,
      strays: 0,
      isSpoilt: false,
      isRetired: false,
    };
    sockets.add(socket);
    sweepLater();
    const refuse = (error: NodeJS.ErrnoException) => refused(socket, error);
    udp.socket.on("error", (error) => (socket.peer === undefined ? refuse(error) : unreachable(socket, error)));
    udp.socket.on("message", (message, from) => take(socket, message, from));
    udp.bind({ port: 0, exclusive: true }).then(() => {
      if (socket.isRetired) return;
      udp.socket.connect(port, host, ((error?: Error) => (error ? refuse(error) : connected(socket))) as () => void);
    }, refuse);
    return socket;
  }

  function connected(socket: UdpSocket): void {
    const waiting = socket.waiting ?? [];
    socket.waiting = undefined;
    if (socket.isRetired) return;
    socket.peer = socket.udp.socket.remoteAddress();
    for (const sent of waiting) if (isUnderWay(sent)) transmit(sent);
  }

  function put(sent: Sent): void {
    const { query, socket } = sent;
    if (spare === socket) spare = undefined;
    let id = randomId();
    while (socket.queries.has(id)) id = randomId();
    stampId(query, id);
    socket.queries.set(id, sent);
    socket.uses++;
    socket.underWay++;
    if (socket.waiting === undefined) transmit(sent);
    else socket.waiting.push(sent);
  }

  function transmit(sent: Sent): void {
    sent.socket.udp.socket.send(sent.query.datagram, (error) => {
      if (error && isUnderWay(sent)) fail(sent, error);
    });
  }

  function isUnderWay({ socket, query }: Sent): boolean {
    return socket.queries.get(query.id)?.query === query;
  }

  function fail(sent: Sent, error: Error): void {
    sent.socket.isSpoilt = true;
    end(sent.socket, sent.query.id);
    sent.receiver.fail(error);
  }

  /** It never came so far as to send: who waited for it first fails, the others may be luckier elsewhere. */
  function refused(socket: UdpSocket, error: NodeJS.ErrnoException): void {
    if (socket.isRetired) return;
    if (isWithoutDescriptors(error)) {
      failAll(socket, error);
      return;
    }
    retire(socket);
    const [first, ...others] = (socket.waiting ?? []).filter(isUnderWay);
    for (const sent of others) {
      const another = choose(nowMs());
      if (another === undefined) break;
      socket.queries.delete(sent.query.id);
      sent.socket = another;
      put(sent);
    }
    process.nextTick(failAll, socket, new OwnLackError("too many queries under way"));
    if (first !== undefined) fail(first, error);
  }

  function unreachable(socket: UdpSocket, error: Error): void {
    if (socket.isRetired) return;
    socket.isSpoilt = true;
    for (const sent of socket.queries.values()) {
      if (sent === null) continue;
      fail(sent, error);
      return;
    }
    setImmediate(rest, socket);
  }

  function take(socket: UdpSocket, message: Buffer, from: RemoteInfo): void {
    const { peer } = socket;
    if (from.port !== peer?.port || from.address !== peer.address) {
      counters.repliesForeign++;
      return;
    }
    const sent = message.length < 2 ? undefined : socket.queries.get(message.readUInt16BE(0));
    if (sent === null) return;
    if (sent === undefined) counters.repliesForeign++;
    else if (sent.receiver.receive(message)) {
      end(socket, message.readUInt16BE(0));
      return;
    }
    if (++socket.strays === STRAYS_MAX) failAll(socket, new FloodError("a flood of replies that were not asked for"));
  }

  function end(socket: UdpSocket, id: number): void {
    if (!socket.queries.get(id)) return;
    socket.queries.set(id, null);
    socket.underWay--;
    if (socket.underWay === 0) setImmediate(rest, socket); // the answer goes out first
  }

  /** What has served is not used again, unless many are. */
  function rest(socket: UdpSocket): void {
    if (socket.underWay > 0 || socket.isRetired) return;
    const isWorn = socket.isSpoilt || socket.uses >= SHARED_USES_MAX || nowMs() - socket.madeAtMs >= socketMsMax;
    const isShared = sentThisSecond > SHARED_ABOVE_PER_SECOND || sentLastSecond > SHARED_ABOVE_PER_SECOND;
    if (!isWorn && isShared) return;
    retire(socket);
    if (spare === undefined && !isClosed && sockets.size < socketsMax) spare = open(nowMs());
  }

  /** What nobody uses is not left open, nor what is listened to in vain. */
  function sweep(): void {
    isSwept = false;
    const now = nowMs();
    for (const socket of sockets) {
      if (now - socket.madeAtMs < socketMsMax) continue;
      if (socket.underWay === 0 || now - socket.sentAtMs >= listenMsMax) retire(socket);
    }
    sweepLater();
  }

  function sweepLater(): void {
    if (isSwept || sockets.size === 0) return;
    isSwept = true;
    wheel.after(sweepMs, sweep);
  }

  function failAll(socket: UdpSocket, error: Error): void {
    const left = [...socket.queries.values()];
    socket.queries.clear();
    retire(socket);
    for (const sent of left) sent?.receiver.fail(error);
  }

  function retire(socket: UdpSocket): void {
    if (socket.isRetired) return;
    socket.isRetired = true;
    sockets.delete(socket);
    if (spare === socket) spare = undefined;
    socket.udp.close().catch(() => undefined);
  }

  return {
    send(query, receiver) {
      const now = nowMs();
      const socket = isClosed ? undefined : choose(now);
      if (socket === undefined) return failLater(receiver, isClosed ? "closed" : "too many queries under way");
      socket.sentAtMs = now;
      const sent: Sent = { query, receiver, socket };
      put(sent);
      return () => {
        if (isUnderWay(sent)) end(sent.socket, query.id);
      };
    },
    close() {
      isClosed = true;
      for (const socket of [...sockets]) failAll(socket, new OwnLackError("closed"));
    },
  };
}

function failLater(receiver: Receiver, message: string): () => void {
  let isTakenBack = false;
  process.nextTick(() => {
    if (!isTakenBack) receiver.fail(new OwnLackError(message));
  });
  return () => {
    isTakenBack = true;
  };
}
