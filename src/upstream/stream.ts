// DNS over TCP (RFC 7766) and over TLS (RFC 7858): one kept connection to the server, opened by the first query, with many
// queries under way on it, whose replies come in any order. A query that is under way when the connection is lost goes out
// once more on a new one, if the server had answered on the old one: servers close connections that they take for idle.
import net from "node:net";
import type { UpstreamAddress } from "./address.ts";
import { type BuiltQuery, randomId, stampId } from "./query.ts";
import { connectionError, connectSecurely } from "./secure.ts";
import { createSilence, type Silence } from "./silence.ts";
import { OwnLackError, type Receiver, type Transport } from "./transport.ts";

export interface StreamOptions {
  /** A message came that belongs to no query under way. */
  readonly onUnasked?: () => void;
  /** Without a byte either way, until the connection is closed. */
  readonly idleMs?: number;
  /** Without a byte from the server while a query waits, until the connection is given up. */
  readonly silenceMs?: number;
  readonly queriesMax?: number;
}

const LENGTH_BYTES = 2; // RFC 1035 section 4.2.2
const ID_BYTES = 2;
const IDLE_MS = 10_000; // Debian's unbound closes after 30 s, many public servers after 10
const SILENCE_MS = 5000;
const QUERIES_MAX = 4096; // as many questions as may be in flight; few enough for ids to be found at the first try
const UNSENT_BYTES_MAX = QUERIES_MAX * 256; // by a server that does not read; a query is hardly ever longer

interface Connection {
  readonly socket: net.Socket;
  readonly underWay: Map<number, Pending>;
  readonly silence: Silence;
  /** The beginning of a message. */
  received: Buffer;
  hasServed: boolean;
  isLost: boolean;
}

interface Pending {
  readonly query: BuiltQuery;
  readonly receiver: Receiver;
  id: number;
  connection: Connection | undefined;
  isResent: boolean;
  isOver: boolean;
}

export function createStreamTransport(
  address: UpstreamAddress,
  { onUnasked, idleMs = IDLE_MS, silenceMs = SILENCE_MS, queriesMax = QUERIES_MAX }: StreamOptions = {},
): Transport {
  let present: Connection | undefined;
  let session: Buffer | undefined;
  let isClosed = false;

  return {
    send(query, receiver) {
      const pending: Pending = { query, receiver, id: 0, connection: undefined, isResent: false, isOver: false };
      put(pending);
      return () => end(pending);
    },
    close() {
      isClosed = true;
      if (present !== undefined) lose(present, new OwnLackError("closed"));
    },
  };

  function put(pending: Pending): void {
    if (isClosed) {
      failLater(pending, new OwnLackError("closed"));
      return;
    }
    present ??= open();
    const { socket, underWay, silence } = present;
    if (underWay.size >= queriesMax || socket.writableLength > UNSENT_BYTES_MAX) {
      failLater(pending, new OwnLackError("too many queries under way"));
      return;
    }
    do pending.id = randomId();
    while (underWay.has(pending.id));
    stampId(pending.query, pending.id);
    if (underWay.size === 0) socket.ref();
    underWay.set(pending.id, pending);
    pending.connection = present;
    silence.wait();
    writeWithOthers(socket, pending.query.stream);
  }

  function open(): Connection {
    const socket = connect();
    const connection: Connection = {
      socket,
      underWay: new Map(),
      silence: createSilence(silenceMs, () => lose(connection, new Error(`no byte for ${silenceMs} ms`))),
      received: Buffer.alloc(0),
      hasServed: false,
      isLost: false,
    };
    socket.setTimeout(idleMs, () => lose(connection, new Error("idle")));
    socket.on("data", (chunk) => take(connection, chunk));
    socket.on("end", () => lose(connection, new Error("closed before it answered")));
    socket.on("close", () => lose(connection, new Error("closed before it answered")));
    socket.on("error", (error) => lose(connection, connectionError(error, socket, address)));
    return connection;
  }

  function connect(): net.Socket {
    const { host, port } = address;
    if (address.transport !== "tls") return net.connect({ host, port, noDelay: true });
    const socket = connectSecurely(address, "dot", session);
    socket.on("session", (next) => {
      session = next;
    });
    return socket;
  }

  function take(connection: Connection, chunk: Buffer): void {
    let received = connection.received.length === 0 ? chunk : Buffer.concat([connection.received, chunk]);
    while (received.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + received.readUInt16BE(0);
      if (received.length < end) break;
      show(connection, received.subarray(LENGTH_BYTES, end));
      if (connection.isLost) return;
      received = received.subarray(end);
    }
    connection.received = received;
    connection.silence.hear(connection.underWay.size > 0);
  }

  function show(connection: Connection, message: Buffer): void {
    const pending = message.length < ID_BYTES ? undefined : connection.underWay.get(message.readUInt16BE(0));
    if (pending === undefined) {
      onUnasked?.();
    } else if (pending.receiver.receive(message)) {
      connection.hasServed = true;
      end(pending);
    }
  }

  /** Also of what has ended already. */
  function end(pending: Pending): void {
    pending.isOver = true;
    const { connection, id } = pending;
    if (connection === undefined) return;
    pending.connection = undefined;
    connection.underWay.delete(id);
    if (connection.underWay.size === 0) connection.socket.unref();
  }

  function lose(connection: Connection, error: Error): void {
    if (connection.isLost) return;
    connection.isLost = true;
    if (present === connection) present = undefined;
    if (!connection.hasServed) session = undefined; // it may be what the server does not like
    connection.silence.end();
    connection.socket.destroy();
    const left = [...connection.underWay.values()];
    connection.underWay.clear();
    for (const pending of left) {
      pending.connection = undefined;
      if (pending.isOver) continue; // a receiver that was told before has taken it back
      if (connection.hasServed && !pending.isResent && !isClosed) {
        pending.isResent = true;
        put(pending);
      } else {
        pending.isOver = true;
        pending.receiver.fail(error);
      }
    }
  }
}

function failLater(pending: Pending, error: Error): void {
  process.nextTick(() => {
    if (pending.isOver) return;
    pending.isOver = true;
    pending.receiver.fail(error);
  });
}

/** All that is written in one turn of the loop goes out as one. */
function writeWithOthers(socket: net.Socket, bytes: Buffer): void {
  if (socket.writableCorked === 0) {
    socket.cork();
    process.nextTick(() => socket.uncork());
  }
  socket.write(bytes);
}
