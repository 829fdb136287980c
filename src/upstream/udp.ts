// Queries over UDP, from a stock of connected sockets on ports of the kernel's choice: it hands on only what comes from the
// asked address. Below some hundred queries a second each socket serves one query, and the next is made ready meanwhile;
// above, many at a time serve up to 64 each, with ids that are unique to a socket (a fresh one each costs three times the
// CPU). Sockets are made, bound and closed by dgram-as-promised; its recv() keeps no queue and loses what arrives between
// two calls, so replies are taken from the socket's own event.
import { randomInt } from "node:crypto";
import net from "node:net";
import { DgramAsPromised } from "dgram-as-promised";
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Wheel } from "../wheel.ts";
import type { UpstreamAddress } from "./address.ts";
import { type BuiltQuery, randomId, stampId } from "./query.ts";
import { OwnLackError, type Receiver, type Transport } from "./transport.ts";

/** Somebody sends what was not asked for: the socket is given up, and the question is better put over TCP. */
export class FloodError extends Error {}

interface UdpSocket {
  readonly udp: ReturnType<typeof DgramAsPromised.createSocket>;
  /** By id; null where a query was taken back, whose reply may still come. */
  readonly queries: Map<number, Receiver | null>;
  readonly madeAtMs: number;
  /** Until it is connected. */
  waiting: Array<{ query: BuiltQuery; receiver: Receiver }> | undefined;
  uses: number;
  underWay: number;
  strays: number;
  isRetired: boolean;
}

const SHARED_ABOVE_PER_SECOND = 300;
const SHARED_SOCKETS = 64;
const SHARED_USES_MAX = 64;
const SOCKETS_MAX = 256; // also where all of them wait for a server that is silent: then they serve more
const USES_MAX = 4096; // an id that was taken back is not used again, so a socket must have an end
const SOCKET_MS_MAX = 5000; // whoever looks for our open ports finds others by then
const STRAYS_MAX = 16;

export function createUdpTransport(
  { host, port }: UpstreamAddress,
  wheel: Wheel,
  counters: Counters,
  { socketsMax = SOCKETS_MAX, usesMax = USES_MAX } = {},
): Transport {
  const sockets = new Set<UdpSocket>();
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
    if (!isShared && sockets.size < socketsMax) {
      const ready = spare ?? open(now);
      spare = undefined;
      return ready;
    }
    const live = [...sockets].filter((each) => each.uses < SHARED_USES_MAX && now - each.madeAtMs < SOCKET_MS_MAX);
    const wanted = isShared ? SHARED_SOCKETS : socketsMax;
    if (live.length < wanted && sockets.size < socketsMax) return open(now);
    const choice = live.length > 0 ? live : [...sockets].filter((each) => each.uses < usesMax);
    return choice[randomInt(Math.max(1, choice.length))];
  }

  function open(now: number): UdpSocket {
    const udp = DgramAsPromised.createSocket(net.isIPv6(host) ? "udp6" : "udp4");
    const socket: UdpSocket = {
      udp,
      queries: new Map(),
      madeAtMs: now,
      waiting: [],
      uses: 0,
      underWay: 0,
      strays: 0,
      isRetired: false,
    };
    sockets.add(socket);
    sweepLater();
    const lose = (error: Error) => failAll(socket, error);
    udp.socket.on("error", lose);
    udp.socket.on("message", (message) => take(socket, message));
    udp.bind({ port: 0, exclusive: true }).then(() => {
      if (socket.isRetired) return;
      udp.socket.connect(port, host, ((error?: Error) => (error ? lose(error) : connected(socket))) as () => void);
    }, lose);
    return socket;
  }

  function connected(socket: UdpSocket): void {
    const waiting = socket.waiting ?? [];
    socket.waiting = undefined;
    if (socket.isRetired) return;
    for (const { query, receiver } of waiting) {
      if (socket.queries.get(query.id) === receiver) transmit(socket, query, receiver);
    }
  }

  function transmit(socket: UdpSocket, query: BuiltQuery, receiver: Receiver): void {
    socket.udp.socket.send(query.datagram, (error) => {
      if (!error || socket.queries.get(query.id) !== receiver) return;
      end(socket, query.id);
      receiver.fail(error);
    });
  }

  function take(socket: UdpSocket, message: Buffer): void {
    const receiver = message.length < 2 ? undefined : socket.queries.get(message.readUInt16BE(0));
    if (receiver === null) return;
    if (receiver === undefined) counters.repliesForeign++;
    else if (receiver.receive(message)) {
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
    const isWorn = socket.uses >= SHARED_USES_MAX || nowMs() - socket.madeAtMs >= SOCKET_MS_MAX;
    const isShared = sentThisSecond > SHARED_ABOVE_PER_SECOND || sentLastSecond > SHARED_ABOVE_PER_SECOND;
    if (!isWorn && isShared) return;
    retire(socket);
    if (spare === undefined && !isClosed && sockets.size < socketsMax) spare = open(nowMs());
  }

  /** What nobody uses is not left open. */
  function sweep(): void {
    isSwept = false;
    const now = nowMs();
    for (const socket of sockets) {
      if (socket.underWay === 0 && now - socket.madeAtMs >= SOCKET_MS_MAX) retire(socket);
    }
    sweepLater();
  }

  function sweepLater(): void {
    if (isSwept || sockets.size === 0) return;
    isSwept = true;
    wheel.after(SOCKET_MS_MAX, sweep);
  }

  function failAll(socket: UdpSocket, error: Error): void {
    const receivers = [...socket.queries.values()];
    socket.queries.clear();
    retire(socket);
    for (const receiver of receivers) receiver?.fail(error);
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
      const socket = isClosed ? undefined : choose(nowMs());
      if (socket === undefined) return failLater(receiver, isClosed ? "closed" : "too many queries under way");
      if (spare === socket) spare = undefined;
      let id = randomId();
      while (socket.queries.has(id)) id = randomId();
      stampId(query, id);
      socket.queries.set(id, receiver);
      socket.uses++;
      socket.underWay++;
      if (socket.waiting === undefined) transmit(socket, query, receiver);
      else socket.waiting.push({ query, receiver });
      return () => {
        if (socket.queries.get(id) === receiver) end(socket, id);
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
