// DNS over HTTPS (RFC 8484), by HTTP/2: kept sessions with the server, one unless pool.ts says otherwise; each query is a
// POST on a stream of its own.
// Not done: a reply's Age is not taken off its ttl (RFC 8484 section 5.1), since caches keep no replies to a POST.
import http2, { constants } from "node:http2";
import { hostText, type UpstreamAddress, withoutScope } from "./address.ts";
import { createPool, type Events, type Sending, type Wire } from "./pool.ts";
import { stampId } from "./query.ts";
import { connectionError, connectSecurely } from "./secure.ts";
import type { Transport } from "./transport.ts";

export interface HttpsOptions {
  /** Without a query under way, until the session is closed. */
  readonly idleMs?: number;
  /** Without a frame of a reply while a query waits, nor one to a ping, until the session is given up. */
  readonly silenceMs?: number;
  /** Likewise, until the next query goes out on another session. */
  readonly suspectMs?: number;
  readonly queriesMax?: number;
  readonly queriesPerSessionMax?: number;
}

const HTTPS_PORT = 443; // not written in an authority (RFC 9110 section 4.2.2)
const MEDIA_TYPE = "application/dns-message";
const MESSAGE_BYTES_MAX = 65_535; // as over TCP
const IDLE_MS = 10_000;
const SILENCE_MS = 5000; // a server that takes its time answers a ping meanwhile
const QUERIES_MAX = 4096; // as many questions as may be in flight; the server says how many of them are more than queued
const QUERIES_PER_SESSION_MAX = 1_000_000; // ids of streams end at 2^31 (RFC 9113 section 5.1.1), and only odd ones are ours
const LET_GO = new Set<number | undefined>([constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL]);
// node:http2 takes the authority apart, and throws where it cannot; its own headers name the server, and the socket is there.
const ANY_AUTHORITY = "https://localhost";

export function createHttpsTransport(
  address: UpstreamAddress,
  {
    idleMs = IDLE_MS,
    silenceMs = SILENCE_MS,
    suspectMs,
    queriesMax = QUERIES_MAX,
    queriesPerSessionMax = QUERIES_PER_SESSION_MAX,
  }: HttpsOptions = {},
): Transport {
  const headers = headersTo(address);
  let resumable: Buffer | undefined;
  return createPool(open, {
    idleMs,
    silenceMs,
    suspectMs,
    queriesMax,
    queriesPerConnectionMax: queriesPerSessionMax,
    silenceText: `no frame for ${silenceMs} ms`,
  });

  function open(events: Events): Wire {
    const streams = new Map<Sending, http2.ClientHttp2Stream>();
    const socket = connectSecurely(address, "h2", resumable);
    const http = http2.connect(ANY_AUTHORITY, { createConnection: () => socket, settings: { enablePush: false } });
    let error = new Error("closed before it answered");
    let hasServed = false;
    let hasEnded = false;

    socket.on("session", (next) => {
      resumable = next;
    });
    socket.on("secureConnect", () => {
      if (socket.alpnProtocol !== "h2") lose(new Error("does not speak HTTP/2"));
    });
    http.on("goaway", (_code, lastStreamId) => events.leaves(Math.floor((lastStreamId + 1) / 2))); // ours are odd
    http.on("error", (reason) => {
      error = legible(connectionError(reason, socket, address));
    });
    http.on("close", () => lose(error));

    return {
      put(sending) {
        stampId(sending.query, 0); // RFC 8484 section 4.1
        const stream = http.request({ ...headers, "content-length": sending.query.datagram.length });
        streams.set(sending, stream);
        follow(sending, stream);
        stream.end(sending.query.datagram);
      },
      drop(sending) {
        const stream = streams.get(sending);
        streams.delete(sending);
        if (stream !== undefined && !stream.closed && !http.destroyed) stream.close(constants.NGHTTP2_CANCEL);
      },
      hasRoom: () => !http.closed && !http.destroyed, // it takes no requests any more: that would throw
      hold(isHeld) {
        if (http.destroyed) return;
        if (isHeld) http.ref();
        else http.unref();
      },
      probe() {
        if (http.closed || http.destroyed || http.connecting) return;
        http.ping((reason) => {
          if (reason === null && !hasEnded) events.heard();
        });
      },
      end() {
        hasEnded = true;
        http.destroy();
      },
    };

    /** Until the stream is closed, which in HTTP/2 tells a whole reply from one that was cut. */
    function follow(sending: Sending, stream: http2.ClientHttp2Stream): void {
      const chunks: Buffer[] = [];
      let bytes = 0;
      let isAccepted = false;
      let error: Error | undefined;
      stream.on("response", (response) => {
        if (hasEnded) return;
        hasServed = true;
        events.replied();
        const refusal = refusalOf(response);
        if (refusal === undefined) isAccepted = true;
        else giveUp(new Error(refusal));
      });
      stream.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MESSAGE_BYTES_MAX) giveUp(new Error(`a reply of more than ${MESSAGE_BYTES_MAX} bytes`));
        else chunks.push(chunk);
      });
      stream.on("error", (reason) => {
        error = legible(reason);
      });
      stream.on("close", () => {
        if (streams.get(sending) !== stream) return; // it was taken back
        if (http.destroyed) return; // the session's own end comes
        const { rstCode } = stream;
        const isLetGo = LET_GO.has(rstCode) && !isAccepted && hasServed;
        if (isLetGo) events.leaves(); // the server is about to stop
        if (rstCode === constants.NGHTTP2_REFUSED_STREAM || isLetGo) {
          // unseen (RFC 9113 section 8.7)
          events.refused(sending, error ?? new Error("closed before it answered"));
        } else if (rstCode !== constants.NGHTTP2_NO_ERROR || !isAccepted) {
          events.heard();
          events.failed(sending, error ?? new Error("closed before it answered"));
        } else if (sending.receiver.receive(Buffer.concat(chunks))) events.ended(sending);
        else events.failed(sending, new Error("not the reply"));
      });

      function giveUp(reason: Error): void {
        if (streams.get(sending) === stream) events.failed(sending, reason);
      }
    }

    function lose(reason: Error): void {
      if (hasEnded) return;
      if (!hasServed) resumable = undefined; // it may be what the server does not like
      events.lost(reason);
    }
  }
}

function headersTo({ host, name, port, path }: UpstreamAddress) {
  const authority = name ?? hostText(withoutScope(host)); // RFC 6874 section 1: a scope is nobody else's matter
  return {
    ":method": "POST",
    ":scheme": "https",
    ":authority": port === HTTPS_PORT ? authority : `${authority}:${port}`,
    ":path": path ?? "/",
    accept: MEDIA_TYPE,
    "content-type": MEDIA_TYPE,
  };
}

/** Why a response is none, or undefined. */
function refusalOf(response: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader): string | undefined {
  const { ":status": status, "content-type": type = "" } = response;
  if (status !== 200) return `HTTP status ${status}`;
  if (type.split(";", 1)[0]?.trim().toLowerCase() === MEDIA_TYPE) return undefined;
  return `content type ${JSON.stringify(type.slice(0, 64))}`;
}

/** Codes of Node's own for HTTP/2 say less than their messages. */
function legible(error: NodeJS.ErrnoException): Error {
  return error.code?.startsWith("ERR_HTTP2") ? new Error(error.message, { cause: error }) : error;
}
