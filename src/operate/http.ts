// The HTTP server of one door: limits in size, time and number, and what must not be believed of a request. What it answers
// is routes.ts's.
import http from "node:http";
import net from "node:net";
import { boundConnections, type Connections, type ConnectionsLimits } from "./connections.ts";
import { failure, type Reply, type Request } from "./routes.ts";
import type { Door } from "./sidestate.ts";

export interface HttpServer {
  readonly server: http.Server;
  readonly connections: Connections;
}

export interface HttpOptions {
  readonly door: Door;
  readonly answer: (request: Request) => Promise<Reply>;
  /** Names that a Host header may have besides addresses, localhost and names without a dot. */
  readonly hosts: readonly string[];
  readonly limits?: Partial<Limits>;
}
export interface Limits extends ConnectionsLimits {
  readonly headersMs: number;
  readonly idleMs: number;
}

const LIMITS: Limits = { max: 64, lifeMs: 60_000, headersMs: 5000, idleMs: 15_000 };
const HEADERS_BYTES_MAX = 8192;
const BODY_BYTES_MAX = 4096;
const NO_BODY = Buffer.alloc(0);
const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
};

export function createHttpServer({ door, answer, hosts, limits }: HttpOptions): HttpServer {
  const { headersMs, idleMs, ...bounds } = { ...LIMITS, ...limits };
  const server = http.createServer({
    maxHeaderSize: HEADERS_BYTES_MAX,
    headersTimeout: headersMs,
    requestTimeout: headersMs,
    keepAliveTimeout: idleMs,
    connectionsCheckingInterval: Math.min(1000, headersMs),
  });
  server.setTimeout(idleMs); // without a byte in either direction
  const connections = boundConnections(server, bounds);

  server.on("request", (request, response) => {
    if (request.socket.destroyed) return;
    void replyTo(request).then((given) => {
      response.writeHead(given.status, {
        ...HEADERS,
        "Content-Type": given.type,
        "Content-Length": Buffer.byteLength(given.text),
        ...given.headers,
        ...(!request.complete && { Connection: "close" }), // its body is not waited for
      });
      response.end(given.text);
    });
  });
  return { server, connections };

  async function replyTo(request: http.IncomingMessage): Promise<Reply> {
    try {
      return await reply(request);
    } catch (error) {
      return failure(500, `this should not happen: ${(error as Error).message}`);
    }
  }

  async function reply(request: http.IncomingMessage): Promise<Reply> {
    if (door === "tcp" && !isHostKnown(request.headers.host, hosts)) {
      return failure(403, "this Host is not known here: ask by an address, or as localhost");
    }
    const { method = "", url = "" } = request;
    const body = method === "POST" || method === "PUT" ? await bodyOf(request) : NO_BODY;
    if (body === undefined) return failure(400, `a request's body has at most ${BODY_BYTES_MAX} bytes`);
    return await answer({ door, method, url, body });
  }
}

/**
 * A page of a stranger can have its own name lead here (DNS rebinding), and the browser lets it read what we answer. It cannot
 * have an address as its name, nor one without a dot, as a scraper beside us may. What sends none is no browser.
 */
export function isHostKnown(header: string | undefined, hosts: readonly string[]): boolean {
  if (header === undefined) return true;
  const host = header.replace(/:\d*$/, "").toLowerCase();
  if (/^\[.*\]$/.test(host)) return net.isIPv6(host.slice(1, -1));
  return net.isIPv4(host) || /^[a-z0-9_-]+$/.test(host) || hosts.some((each) => each.toLowerCase() === host);
}

/** Undefined where it is too long, or not to be had. */
function bodyOf(request: http.IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > BODY_BYTES_MAX) resolve(undefined);
      else chunks.push(chunk);
    });
    request.on("end", () => resolve(Buffer.concat(chunks)));
    request.on("close", () => resolve(undefined));
  });
}
