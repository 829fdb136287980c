// The server end of dns.sock: takes connections, and keeps their number bounded.
import net from "node:net";
import { type Connection, type Responder, serveConnection } from "./connection.ts";
import type { Counters } from "./counters.ts";
import { encodeRefused } from "./protocol.ts";

export interface Listener {
  readonly server: net.Server;
  /** Takes no more connections; those there are end when their question under way has been answered, or at the last. */
  close(lastMs: number): Promise<void>;
}

export const CONNECTIONS_MAX = 4096;
const IDLE_MS = 30_000;

export function createListener(responder: Responder, counters: Counters): Listener {
  const connections = new Map<net.Socket, Connection>(); // longest idle first

  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    if (connections.size >= CONNECTIONS_MAX && !dropLongestIdle()) {
      counters.connectionsDropped++;
      socket.on("error", () => socket.destroy());
      socket.write(encodeRefused("busy"));
      socket.destroySoon();
      return;
    }
    const connection = serveConnection(socket, responder, IDLE_MS, () => {
      if (connections.delete(socket)) connections.set(socket, connection);
    });
    connections.set(socket, connection);
    socket.on("close", () => connections.delete(socket));
  });

  /** Somebody who holds connections open without asking must not keep others out. */
  function dropLongestIdle(): boolean {
    for (const [socket, connection] of connections) {
      if (!connection.isWaiting()) continue;
      counters.connectionsDropped++;
      connections.delete(socket);
      connection.drop();
      return true;
    }
    return false;
  }

  return {
    server,
    async close(lastMs) {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const connection of connections.values()) connection.close();
      const last = setTimeout(() => {
        for (const connection of connections.values()) connection.drop();
      }, lastMs);
      await closed;
      clearTimeout(last);
    },
  };
}
