// The connections to one server that a transport keeps: which of them a query goes out on, and where it goes again.
//
//   what is seen                                     | what comes of it
//   -------------------------------------------------|-----------------------------------------------------------------
//   a query, and nothing else                        | the oldest connection that may take it; where none may, a new one
//   closed amid queries, after a reply               | they go again: the server has restarted, or took it for idle
//   the same within a minute, soon after a Nth reply | for a minute N at most are put on a connection, and up to
//                                                    | CONNECTIONS_MAX are used at once: who comes later waits
//   silent after N, while another replies            | the same
//   closed without a reply, beside others            | they go again, and fewer connections are used at once for a minute
//   the last one closed without a reply              | they fail, and so does who waits for a connection
//   a second attempt                                 | a connection that was heard of since the first, but has not that one,
//                                                    | else a new one; what has been silent since the first is left, and
//                                                    | listened to until its queries end
//   silent for SUSPECT_MS amid queries, though it    | left likewise, at the next query; a whole message, or what a probe
//   has replied, and quickly                         | brings, makes it good again
//   silent for `silenceMs` amid queries              | closed, and they fail; where CONNECTIONS_MAX are in use, the next
//                                                    | takes the place of one that was for GIVE_UP_MS
//   nothing under way for `idleMs`                   | closed
//
// Only whole messages are a sign of life: anybody on the way keeps a connection open with a byte a second.
import { nowMs } from "../clock.ts";
import type { BuiltQuery } from "./query.ts";
import { createSilence, type Silence } from "./silence.ts";
import { isWithoutDescriptors, OwnLackError, type Receiver, type Transport } from "./transport.ts";

/** One connection, as stream.ts and https.ts know it. */
export interface Wire {
  put(sending: Sending): void;
  /** The query has ended, or is put elsewhere. */
  drop(sending: Sending): void;
  /** Whether it takes another query. */
  hasRoom(): boolean;
  /** Keeps the process alive, or does not. */
  hold(isHeld: boolean): void;
  /** Asks for a sign of life, where the protocol has one. */
  probe?(): void;
  end(): void;
}

/** What a wire tells of itself, never before it was made. */
export interface Events {
  /** The server is there. */
  heard(): void;
  /** It has replied, perhaps to what was taken back. */
  replied(): void;
  /** The receiver has taken the reply. */
  ended(sending: Sending): void;
  failed(sending: Sending, error: Error): void;
  /** The server has not looked at it. */
  refused(sending: Sending, error: Error): void;
  /** The server takes no more queries on it, where that is known after so many. */
  leaves(accepted?: number): void;
  lost(error: Error): void;
}

export interface PoolOptions {
  readonly idleMs: number;
  readonly silenceMs: number;
  readonly queriesMax: number;
  readonly queriesPerConnectionMax?: number;
  readonly suspectMs?: number | undefined;
  readonly giveUpMs?: number | undefined;
  /** What a silence is called. */
  readonly silenceText: string;
}

export interface Sending {
  readonly query: BuiltQuery;
  readonly receiver: Receiver;
  readonly isAgain: boolean;
  connection: Connection | undefined;
  sentAtMs: number;
  resent: number;
  refusedBy: Connection | undefined;
  isOver: boolean;
}

interface Connection {
  readonly wire: Wire;
  readonly underWay: Set<Sending>;
  readonly silence: Silence;
  readonly probing: Silence | undefined;
  idle: NodeJS.Timeout | undefined;
  sent: number;
  replies: number;
  heardAtMs: number;
  /** When the first query went out that nothing was heard since, where none was under way before it. */
  unheardSinceMs: number | undefined;
  /** Opened for a second attempt. */
  readonly isForAgain: boolean;
  /** A query was taken back from it that nothing was heard since. */
  isUnansweredFor: boolean;
  isSuspect: boolean;
  isLeaving: boolean;
}

const CONNECTIONS_MAX = 8; // a server's limit for one client is often 10
const RESENT_MAX = 16;
const AGAIN_MS = 100; // nobody waits less before a second attempt
const LEARNED_MS = 60_000;
const SOON_MS = 1000; // after its last reply: who closes later does so because nothing was asked
const SUSPECT_MS = 1000;
const GIVE_UP_MS = 3000; // where there are too many
const USUAL_TIMES = 4;
const USUAL_GAIN = 1 / 8;

export function createPool(open: (events: Events) => Wire, options: PoolOptions): Transport {
  const { idleMs, silenceMs, suspectMs = SUSPECT_MS, giveUpMs = GIVE_UP_MS, silenceText } = options;
  const { queriesMax, queriesPerConnectionMax = Number.POSITIVE_INFINITY } = options;
  const connections = new Set<Connection>();
  let waiting: Sending[] = [];
  let underWay = 0;
  let hasServed = false;
  let usualMs = 0; // on connections that were there already
  let borne = Number.POSITIVE_INFINITY;
  let borneUntilMs = 0;
  let cutUntilMs = 0;
  let abreast = CONNECTIONS_MAX;
  let abreastUntilMs = 0;
  let isPumped = false;
  let isClosed = false;

  return {
    send(query, receiver, isAgain = false) {
      const sending: Sending = {
        query,
        receiver,
        isAgain,
        connection: undefined,
        sentAtMs: 0,
        resent: 0,
        refusedBy: undefined,
        isOver: false,
      };
      underWay++;
      if (isClosed || underWay > queriesMax) {
        failLater(sending, new OwnLackError(isClosed ? "closed" : "too many queries under way"));
      } else if (waiting.length > 0) {
        waiting.push(sending);
        pump();
      } else if (!place(sending)) waiting.push(sending);
      return () => takeBack(sending);
    },
    close() {
      isClosed = true;
      const error = new OwnLackError("closed");
      const left = waiting;
      waiting = [];
      for (const connection of [...connections]) lose(connection, error);
      for (const sending of left) fail(sending, error);
    },
  };

  /** False where it has to wait for a connection. */
  function place(sending: Sending): boolean {
    const now = nowMs();
    const connection = choose(sending, now);
    if (connection === undefined) return false;
    if (connection.underWay.size === 0) {
      connection.wire.hold(true);
      connection.unheardSinceMs ??= now;
    }
    connection.underWay.add(sending);
    connection.sent++;
    connection.silence.wait();
    connection.probing?.wait();
    sending.connection = connection;
    sending.sentAtMs = now;
    connection.wire.put(sending);
    return true;
  }

  function choose(sending: Sending, now: number): Connection | undefined {
    const choice = sending.isAgain ? chooseAgain(sending, now) : chooseUsual(sending, now);
    if (choice !== undefined) return choice;
    const most = now < abreastUntilMs ? abreast : CONNECTIONS_MAX;
    if (connections.size >= most) {
      const isSpared = (each: Connection) => each.underWay.size === 0 || silentMs(each, now) >= giveUpMs;
      const spared = [...connections].find(isSpared);
      if (spared === undefined) return undefined;
      giveUp(spared);
    }
    return openAnother(now, sending.isAgain);
  }

  function chooseUsual(sending: Sending, now: number): Connection | undefined {
    for (const connection of connections) {
      if (isQuiet(connection, now)) suspect(connection);
      else if (hasRoom(connection, now) && !(sending.resent > 0 && attemptOn(connection, sending))) return connection;
    }
    return undefined;
  }

  /** Only what was heard of since the first attempt, or opened. */
  function chooseAgain(sending: Sending, now: number): Connection | undefined {
    const before = new Map<Connection, Sending>();
    for (const connection of connections) {
      const other = attemptOn(connection, sending);
      if (other !== undefined) before.set(connection, other);
      if (isQuiet(connection, now) || connection.isUnansweredFor || (other && connection.heardAtMs <= other.sentAtMs)) {
        suspect(connection);
      }
    }
    const sentAtMs = [...before.values()].map((other) => other.sentAtMs);
    const sinceMs = before.size > 0 ? Math.min(...sentAtMs) : now - AGAIN_MS;
    return [...connections].find(
      (each) => !each.isSuspect && !before.has(each) && each.heardAtMs > sinceMs && hasRoom(each, now),
    );
  }

  function isQuiet(connection: Connection, now: number): boolean {
    if (connection.isSuspect) return true;
    return hasServed && silentMs(connection, now) >= Math.max(suspectMs, USUAL_TIMES * usualMs);
  }

  function hasRoom(connection: Connection, now: number): boolean {
    return !connection.isLeaving && connection.sent < mostOn(now) && connection.wire.hasRoom();
  }

  function mostOn(now: number): number {
    return now < borneUntilMs ? Math.min(borne, queriesPerConnectionMax) : queriesPerConnectionMax;
  }

  function openAnother(now: number, isForAgain: boolean): Connection {
    const wire = open({
      heard: () => hear(connection),
      replied() {
        connection.replies++;
        hear(connection);
      },
      ended(sending) {
        hasServed = true;
        if (connection.replies > 1) usualMs += (nowMs() - sending.sentAtMs - usualMs) * USUAL_GAIN;
        if (sending.isAgain) learnOfSilence(sending, nowMs());
        detach(sending);
        over(sending);
      },
      failed(sending, error) {
        detach(sending);
        fail(sending, error);
      },
      refused: (sending, error) => putAgain(sending, error),
      leaves(accepted) {
        if (accepted !== undefined && accepted > 0 && accepted < connection.sent) learn(accepted);
        connection.isLeaving = true;
        endUnused(connection);
      },
      lost: (error) => lose(connection, error, true),
    });
    const connection: Connection = {
      wire,
      underWay: new Set(),
      silence: createSilence(silenceMs, () => lose(connection, new Error(silenceText))),
      probing: wire.probe && createSilence(Math.min(suspectMs, silenceMs) / 2, () => wire.probe?.()),
      idle: undefined,
      sent: 0,
      replies: 0,
      heardAtMs: now,
      unheardSinceMs: undefined,
      isForAgain,
      isUnansweredFor: false,
      isSuspect: false,
      isLeaving: false,
    };
    connections.add(connection);
    return connection;
  }

  function hear(connection: Connection): void {
    connection.heardAtMs = nowMs();
    connection.unheardSinceMs = undefined;
    connection.isSuspect = connection.isUnansweredFor = false;
    const isWaitedFor = connection.underWay.size > 0;
    connection.silence.hear(isWaitedFor);
    connection.probing?.hear(isWaitedFor);
    pumpSoon();
  }

  /** Takes a query off its connection. */
  function detach(sending: Sending): void {
    const { connection } = sending;
    if (connection === undefined) return;
    sending.connection = undefined;
    connection.underWay.delete(sending);
    connection.wire.drop(sending);
    if (connection.underWay.size > 0) return;
    connection.wire.hold(false);
    if (connection.unheardSinceMs === undefined) {
      connection.silence.end();
      connection.probing?.end();
    }
    if (endUnused(connection)) return;
    if (connection.idle === undefined) {
      connection.idle = setTimeout(() => {
        if (connection.underWay.size === 0) lose(connection, new Error("idle"));
      }, idleMs).unref();
    } else connection.idle.refresh();
  }

  /** What takes no more queries, and has none. */
  function endUnused(connection: Connection): boolean {
    const { isSuspect, isLeaving, isForAgain, isUnansweredFor, replies, sent, underWay } = connection;
    const isToBeSpared = isForAgain && isUnansweredFor && replies === 0; // the first attempt was answered meanwhile
    const isUseless = isSuspect || isLeaving || isToBeSpared || sent >= mostOn(nowMs());
    if (underWay.size > 0 || !isUseless) return false;
    lose(connection, new Error("of no more use"));
    return true;
  }

  function suspect(connection: Connection): void {
    connection.isSuspect = true;
    if (connection.underWay.size === 0) setImmediate(endUnused, connection);
  }

  /** Makes room for another. Nothing is said of its queries, for nothing is known of them. */
  function giveUp(connection: Connection): void {
    for (const sending of [...connection.underWay]) {
      detach(sending);
      over(sending);
    }
    lose(connection, new Error(silenceText));
  }

  function takeBack(sending: Sending): void {
    const { connection } = sending;
    over(sending);
    if (connection === undefined) return;
    connection.unheardSinceMs ??= connection.heardAtMs;
    if (connection.heardAtMs <= sending.sentAtMs) connection.isUnansweredFor = true;
    detach(sending);
  }

  function lose(connection: Connection, error: Error, isByServer = false): void {
    if (!connections.delete(connection)) return;
    connection.silence.end();
    connection.probing?.end();
    clearTimeout(connection.idle);
    const left = [...connection.underWay];
    connection.underWay.clear();
    for (const sending of left) {
      sending.connection = undefined;
      connection.wire.drop(sending);
    }
    connection.wire.end();
    const now = nowMs();
    const isFruitful = connection.replies > 0;
    const isSoon = now - connection.heardAtMs < SOON_MS;
    if (isByServer && isFruitful && left.length > 0 && isSoon && !connection.isLeaving) learn(connection.replies);
    const isOneTooMany = !isFruitful && connections.size > 0 && hasServed;
    if (isByServer && isOneTooMany) {
      abreast = connections.size;
      abreastUntilMs = now + LEARNED_MS;
    }
    const goAgain = isByServer && !isClosed && (isFruitful || isOneTooMany) && !isWithoutDescriptors(error);
    const again = left.filter((sending) => goAgain && sending.resent++ < RESENT_MAX);
    const failing = left.filter((sending) => !again.includes(sending));
    if (isByServer && !goAgain && connections.size === 0) failing.push(...waiting.splice(0));
    waiting.unshift(...again);
    pumpSoon();
    for (const sending of failing) fail(sending, error);
  }

  /** Where a second attempt is soon answered, and the first one not, its connection leads nowhere after so many replies. */
  function learnOfSilence(sending: Sending, now: number): void {
    for (const connection of connections) {
      const other = attemptOn(connection, sending);
      if (other === undefined || other === sending || connection.heardAtMs > other.sentAtMs) continue;
      const isSoon = 2 * (now - sending.sentAtMs) < now - other.sentAtMs;
      if (isSoon && connection.replies > 0) learn(connection.replies);
    }
  }

  /** From the second time on: the first may be a restart. Where a connection is reset, replies get lost as well, so that one
   *  with few says little. */
  function learn(replies: number): void {
    const now = nowMs();
    if (now < borneUntilMs) borne = Math.max(replies, Math.floor(borne / 2));
    else if (now < cutUntilMs) borne = replies;
    else borne = Number.POSITIVE_INFINITY;
    if (now < cutUntilMs) borneUntilMs = now + LEARNED_MS;
    cutUntilMs = now + LEARNED_MS;
  }

  /** Perhaps on the same connection, unless that refuses it again though it takes others. */
  function putAgain(sending: Sending, error: Error): void {
    const { connection } = sending;
    const isItsOwn = sending.refusedBy === connection && connection?.isLeaving === false;
    const isTooOften = isItsOwn || sending.resent++ >= RESENT_MAX;
    sending.refusedBy = connection;
    detach(sending);
    if (isTooOften || isClosed) {
      fail(sending, error);
      return;
    }
    waiting.unshift(sending);
    pumpSoon();
  }

  /** When the present turn is over, for others may be in the middle of something. */
  function pumpSoon(): void {
    if (isPumped || waiting.length === 0) return;
    isPumped = true;
    setImmediate(() => {
      isPumped = false;
      pump();
    });
  }

  function pump(): void {
    let placed = 0;
    while (placed < waiting.length) {
      const sending = waiting[placed] as Sending;
      if (!sending.isOver && !place(sending)) break;
      placed++;
    }
    if (placed > 0) waiting.splice(0, placed);
  }

  function over(sending: Sending): void {
    if (sending.isOver) return;
    sending.isOver = true;
    underWay--;
  }

  /** Not what was taken back meanwhile. */
  function fail(sending: Sending, error: Error): void {
    if (sending.isOver) return;
    over(sending);
    sending.receiver.fail(error);
  }

  function failLater(sending: Sending, error: Error): void {
    process.nextTick(() => fail(sending, error));
  }
}

function attemptOn({ underWay }: Connection, { query }: Sending): Sending | undefined {
  for (const sending of underWay) if (isSame(sending.query.question, query.question)) return sending;
  return undefined;
}

/** Differs early where it does, so that thousands may be looked through. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** Since when something is waited for, or would be had it not been taken back. */
function silentMs({ underWay, unheardSinceMs, heardAtMs }: Connection, now: number): number {
  if (unheardSinceMs === undefined && underWay.size === 0) return 0;
  return now - Math.max(unheardSinceMs ?? 0, heardAtMs);
}
