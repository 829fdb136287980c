// The connections of an HTTP server, bounded in number, in lifetime and in what is parsed of one at once. Whoever holds them
// open, or reads or writes a byte a second, keeps nobody out: the one that has been idle for longest makes room.
import type http from "node:http";
import type net from "node:net";

export interface Connections {
  count(): number;
  dropped(): number;
}

export interface ConnectionsLimits {
  readonly max: number;
  readonly lifeMs: number;
}

const LAST_PART = 0.8; // of its life, in which a connection ends with its answer
const PARSED_BYTES = 128; // some five requests at most

export function boundConnections(server: http.Server, { max, lifeMs }: ConnectionsLimits): Connections {
  const idle = new Map<net.Socket, number>(); // since when they are there; longest idle first
  const busy = new Map<net.Socket, number>(); // longest busy first
  let dropped = 0;

  server.on("connection", (socket) => {
    if (idle.size + busy.size >= max) {
      const [longest] = [...idle.keys(), ...busy.keys()];
      longest?.destroy();
      forget(longest as net.Socket);
      dropped++;
    }
    idle.set(socket, performance.now());
    parseInParts(socket);
    const end = setTimeout(() => socket.destroy(), lifeMs);
    socket.on("close", () => {
      clearTimeout(end);
      forget(socket);
    });
  });

  server.prependListener("request", ({ socket }: http.IncomingMessage, response: http.ServerResponse) => {
    // Nobody asks again before the answer but to have many answers made that it does not read.
    if (busy.has(socket)) socket.destroy();
    const sinceMs = idle.get(socket);
    if (sinceMs === undefined) return;
    idle.delete(socket);
    busy.set(socket, sinceMs);
    if (performance.now() - sinceMs > LAST_PART * lifeMs) response.setHeader("Connection", "close");
    response.on("close", () => {
      if (busy.delete(socket) && !socket.destroyed) idle.set(socket, sinceMs);
    });
  });

  function forget(socket: net.Socket): void {
    idle.delete(socket);
    busy.delete(socket);
  }

  return { count: () => idle.size + busy.size, dropped: () => dropped };
}

/**
 * Node parses all that has been read of a socket, some 2,500 requests in 64 KB, however early the socket is destroyed, and keeps
 * a request and a response of each until the socket is closed. Of 64 sockets that is more than the thread's heap.
 */
function parseInParts(socket: net.Socket): void {
  const parsers = socket.listeners("data");
  socket.removeAllListeners("data");
  socket.on("data", (bytes: Buffer) => {
    for (let at = 0; at < bytes.length && !socket.destroyed; at += PARSED_BYTES) {
      for (const parse of parsers) parse.call(socket, bytes.subarray(at, at + PARSED_BYTES));
    }
  });
}
