// DNS over TCP (RFC 7766) and over TLS (RFC 7858): kept connections to the server, one unless pool.ts says otherwise, each
// with many queries under way, whose replies come in any order.
import net from "node:net";
import type { UpstreamAddress } from "./address.ts";
import { createPool, type Events, type Sending, type Wire } from "./pool.ts";
import { randomId, stampId } from "./query.ts";
import { connectionError, connectSecurely } from "./secure.ts";
import type { Transport } from "./transport.ts";

export interface StreamOptions {
  /** A message came that belongs to no query under way. */
  readonly onUnasked?: () => void;
  /** Without a query under way, until the connection is closed. */
  readonly idleMs?: number;
  /** Without a message from the server while a query waits, until the connection is given up. */
  readonly silenceMs?: number;
  /** Likewise, until the next query goes out on another connection. */
  readonly suspectMs?: number;
  /** Likewise, until its place is another's where there are too many. */
  readonly giveUpMs?: number;
  readonly queriesMax?: number;
}

const LENGTH_BYTES = 2; // RFC 1035 section 4.2.2
const HEADER_BYTES = 12; // RFC 1035 section 4.1.1
const IDLE_MS = 10_000; // Debian's unbound closes after 30 s, many public servers after 10
const SILENCE_MS = 12_000; // a server may take its time, while pool.ts uses another connection
const QUERIES_MAX = 4096; // as many questions as may be in flight; few enough for ids to be found at the first try
const UNSENT_BYTES_MAX = QUERIES_MAX * 256; // by a server that does not read; a query is hardly ever longer

export function createStreamTransport(
  address: UpstreamAddress,
  {
    onUnasked,
    idleMs = IDLE_MS,
    silenceMs = SILENCE_MS,
    suspectMs,
    giveUpMs,
    queriesMax = QUERIES_MAX,
  }: StreamOptions = {},
): Transport {
  let session: Buffer | undefined;
  return createPool(open, {
    idleMs,
    silenceMs,
    suspectMs,
    giveUpMs,
    queriesMax,
    silenceText: `no message for ${silenceMs} ms`,
  });

  function open(events: Events): Wire {
    const byId = new Map<number, Sending>();
    const socket = connect();
    let received: Buffer = Buffer.alloc(0); // the beginning of a message
    let hasServed = false;
    let hasEnded = false;

    socket.on("data", (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      while (received.length >= LENGTH_BYTES) {
        const end = LENGTH_BYTES + received.readUInt16BE(0);
        if (received.length < end) break;
        const message = received.subarray(LENGTH_BYTES, end);
        received = received.subarray(end);
        show(message);
        if (hasEnded) return;
      }
    });
    const lost = () => lose(new Error("closed before it answered"));
    socket.on("end", lost);
    socket.on("close", lost);
    socket.on("error", (error) => lose(connectionError(error, socket, address)));

    return {
      put(sending) {
        let id = randomId();
        while (byId.has(id)) id = randomId();
        stampId(sending.query, id);
        byId.set(id, sending);
        writeWithOthers(socket, sending.query.stream);
      },
      drop: ({ query }) => void byId.delete(query.id),
      hasRoom: () => socket.writableLength <= UNSENT_BYTES_MAX,
      hold(isHeld) {
        if (socket.destroyed) return; // it would listen for a connection that never comes
        if (isHeld) socket.ref();
        else socket.unref();
      },
      end() {
        hasEnded = true;
        // The server need not see to what it has not answered, where it has not looked at it either.
        if (!hasServed && address.transport === "tcp" && !socket.pending) socket.resetAndDestroy();
        else socket.destroy();
      },
    };

    function show(message: Buffer): void {
      if (message.length >= HEADER_BYTES) events.replied();
      const sending = message.length < HEADER_BYTES ? undefined : byId.get(message.readUInt16BE(0));
      if (sending === undefined) {
        onUnasked?.();
      } else if (sending.receiver.receive(message)) {
        hasServed = true;
        events.ended(sending);
      }
    }

    function lose(error: Error): void {
      if (hasEnded) return;
      if (!hasServed) session = undefined; // it may be what the server does not like
      events.lost(error);
    }
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
}

/** All that is written in one turn of the loop goes out as one. */
function writeWithOthers(socket: net.Socket, bytes: Buffer): void {
  if (socket.writableCorked === 0) {
    socket.cork();
    process.nextTick(() => socket.uncork());
  }
  socket.write(bytes);
}
