// DNS over HTTPS (RFC 8484), by HTTP/2: one kept session with the server, opened by the first query; each query is a POST on
// a stream of its own. What is under way when the session is lost goes out once more on a new one, if the server had
// answered on the old one, and so does what the server has refused unseen.
// Not done: a reply's Age is not taken off its ttl (RFC 8484 section 5.1), since caches keep no replies to a POST.
import http2, { constants } from "node:http2";
import { hostText, type UpstreamAddress, withoutScope } from "./address.ts";
import { type BuiltQuery, stampId } from "./query.ts";
import { connectionError, connectSecurely } from "./secure.ts";
import { createSilence, type Silence } from "./silence.ts";
import { OwnLackError, type Receiver, type Transport } from "./transport.ts";

export interface HttpsOptions {
  /** Without a frame either way, until the session is closed. */
  readonly idleMs?: number;
  /** Without a frame of a reply while a query waits, nor one to a ping, until the session is given up. */
  readonly silenceMs?: number;
  readonly queriesMax?: number;
  readonly queriesPerSessionMax?: number;
}

const HTTPS_PORT = 443; // not written in an authority (RFC 9110 section 4.2.2)
const MEDIA_TYPE = "application/dns-message";
const MESSAGE_BYTES_MAX = 65_535; // as over TCP
const IDLE_MS = 10_000;
const SILENCE_MS = 5000;
const QUERIES_MAX = 4096; // as many questions as may be in flight; the server says how many of them are more than queued
const QUERIES_PER_SESSION_MAX = 1_000_000; // ids of streams end at 2^31 (RFC 9113 section 5.1.1), and only odd ones are ours
const LET_GO = new Set<number | undefined>([constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL]);

interface Session {
  readonly http: http2.ClientHttp2Session;
  readonly underWay: Set<Pending>;
  readonly silence: Silence;
  isProbed: boolean;
  asked: number;
  hasServed: boolean;
}

interface Pending {
  readonly query: BuiltQuery;
  readonly receiver: Receiver;
  session: Session | undefined;
  stream: http2.ClientHttp2Stream | undefined;
  isResent: boolean;
  isOver: boolean;
}

export function createHttpsTransport(
  address: UpstreamAddress,
  {
    idleMs = IDLE_MS,
    silenceMs = SILENCE_MS,
    queriesMax = QUERIES_MAX,
    queriesPerSessionMax = QUERIES_PER_SESSION_MAX,
  }: HttpsOptions = {},
): Transport {
  const headers = headersTo(address);
  const sessions = new Set<Session>();
  let present: Session | undefined;
  let resumable: Buffer | undefined;
  let underWay = 0;
  let isClosed = false;

  return {
    send(query, receiver) {
      const pending: Pending = {
        query,
        receiver,
        session: undefined,
        stream: undefined,
        isResent: false,
        isOver: false,
      };
      put(pending);
      return () => {
        pending.isOver = true;
        release(pending)?.close(constants.NGHTTP2_CANCEL);
      };
    },
    close() {
      isClosed = true;
      for (const session of sessions) lose(session, new OwnLackError("closed"));
    },
  };

  function put(pending: Pending): void {
    if (isClosed || underWay >= queriesMax) {
      const error = new OwnLackError(isClosed ? "closed" : "too many queries under way");
      process.nextTick(() => fail(pending, error));
      return;
    }
    const session = usable();
    const { http } = session;
    stampId(pending.query, 0); // RFC 8484 section 4.1
    const stream = http.request({ ...headers, "content-length": pending.query.datagram.length });
    underWay++;
    if (session.underWay.size === 0) http.ref();
    session.underWay.add(pending);
    session.asked++;
    session.silence.wait();
    pending.session = session;
    pending.stream = stream;
    follow(pending, session, stream);
    stream.end(pending.query.datagram);
  }

  /** Not one that takes no requests any more: that would throw. */
  function usable(): Session {
    if (present !== undefined && present.asked >= queriesPerSessionMax) present.http.close(); // what is under way goes on
    if (present === undefined || present.http.closed || present.http.destroyed) present = open();
    return present;
  }

  function open(): Session {
    const socket = connectSecurely(address, "h2", resumable);
    const http = http2.connect(`https://${headers[":authority"]}`, {
      createConnection: () => socket,
      settings: { enablePush: false },
    });
    let error = new Error("closed before it answered");
    const session: Session = {
      http,
      underWay: new Set(),
      silence: createSilence(silenceMs / 2, () => probe(session)),
      isProbed: false,
      asked: 0,
      hasServed: false,
    };
    sessions.add(session);
    socket.on("session", (next) => {
      resumable = next;
    });
    socket.on("secureConnect", () => {
      if (socket.alpnProtocol !== "h2") lose(session, new Error("does not speak HTTP/2"));
    });
    http.setTimeout(idleMs, () => {
      if (session.underWay.size === 0) lose(session, new Error("idle"));
    });
    http.on("goaway", () => {
      if (present === session) present = undefined;
    });
    http.on("error", (reason) => {
      error = legible(connectionError(reason, socket, address));
    });
    http.on("close", () => lose(session, error));
    return session;
  }

  /** Until the stream is closed, which in HTTP/2 tells a whole reply from one that was cut. */
  function follow(pending: Pending, session: Session, stream: http2.ClientHttp2Stream): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let isAccepted = false;
    let error: Error | undefined;
    stream.on("response", (response) => {
      hear(session);
      session.hasServed = true;
      const refusal = refusalOf(response);
      if (refusal === undefined) isAccepted = true;
      else giveUp(new Error(refusal));
    });
    stream.on("data", (chunk: Buffer) => {
      hear(session);
      bytes += chunk.length;
      if (bytes > MESSAGE_BYTES_MAX) giveUp(new Error(`a reply of more than ${MESSAGE_BYTES_MAX} bytes`));
      else chunks.push(chunk);
    });
    stream.on("error", (reason) => {
      error = legible(reason);
    });
    stream.on("close", () => {
      if (pending.stream !== stream) return; // it was taken back
      if (session.http.destroyed) return; // the session's own end comes
      const { rstCode } = stream;
      release(pending);
      hear(session);
      const isRefused = rstCode === constants.NGHTTP2_REFUSED_STREAM; // unseen (RFC 9113 section 8.7)
      const isLetGo = LET_GO.has(rstCode) && !isAccepted && session.hasServed;
      if (isLetGo) session.http.close(); // for new queries: the server is about to stop
      if ((isRefused || isLetGo) && !pending.isResent) {
        pending.isResent = true;
        put(pending);
      } else if (rstCode !== constants.NGHTTP2_NO_ERROR || !isAccepted) {
        fail(pending, error ?? new Error("closed before it answered"));
      } else if (pending.receiver.receive(Buffer.concat(chunks))) pending.isOver = true;
      else fail(pending, new Error("not the reply"));
    });

    function giveUp(reason: Error): void {
      if (pending.stream !== stream) return;
      release(pending);
      hear(session);
      stream.close(constants.NGHTTP2_CANCEL);
      fail(pending, reason);
    }
  }

  function hear(session: Session): void {
    session.isProbed = false;
    session.silence.hear(session.underWay.size > 0);
  }

  /** Nothing is heard of queries that were taken back: what a server that only seems silent answers is a ping. */
  function probe(session: Session): void {
    if (session.isProbed) {
      lose(session, new Error(`no frame for ${silenceMs} ms`));
      return;
    }
    session.isProbed = true;
    session.silence.hear(true);
    if (session.http.destroyed) return;
    session.http.ping((error) => {
      if (error === null) hear(session);
    });
  }

  /** Takes a query off its session; gives the stream that it had there. */
  function release(pending: Pending): http2.ClientHttp2Stream | undefined {
    const { session, stream } = pending;
    if (session === undefined) return undefined;
    pending.session = pending.stream = undefined;
    underWay--;
    session.underWay.delete(pending);
    if (session.underWay.size === 0) session.http.unref();
    return stream;
  }

  function lose(session: Session, error: Error): void {
    if (!sessions.delete(session)) return;
    if (present === session) present = undefined;
    if (!session.hasServed) resumable = undefined; // it may be what the server does not like
    session.silence.end();
    const left = [...session.underWay];
    for (const pending of left) release(pending);
    session.http.destroy();
    for (const pending of left) {
      if (session.hasServed && !pending.isResent && !pending.isOver && !isClosed) {
        pending.isResent = true;
        put(pending);
      } else fail(pending, error);
    }
  }
}

/** Not what was taken back meanwhile. */
function fail(pending: Pending, error: Error): void {
  if (pending.isOver) return;
  pending.isOver = true;
  pending.receiver.fail(error);
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
