// The server end of dns.sock: takes connections, and keeps their number bounded.
//
// The map of this folder. Each connection (connection.ts) gives its frames and lines, a millisecond's worth at a time
// (turns.ts), to the responder (responder.ts). A frame is read and written by protocol.ts, a line of text by textline.ts; a
// question's candidates are searched for by search.ts; what clients tell of their hits is usage.ts's.
import net from "node:net";
import { PENDING_AFTER_MS } from "../../assembly/layout.ts";
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import { type Connection, type Responder, serveConnection } from "./connection.ts";

export interface Listener {
  readonly server: net.Server;
  /** Takes no more connections; those there are end when their question under way has been answered, or at the last. */
  close(lastMs: number): Promise<void>;
  connections(): number;
}

export const CONNECTIONS_MAX = 4096;
const IDLE_MS = 30_000;

export function createListener(responder: Responder, counters: Counters): Listener {
  const connections = new Map<net.Socket, Connection>(); // longest idle first

  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    if (connections.size >= CONNECTIONS_MAX) {
      counters.connectionsDropped++;
      if (!makeRoom()) {
        socket.on("error", () => socket.destroy());
        socket.end(responder.respondToBusy().bytes, () => socket.destroy());
        return;
      }
    }
    const connection = serveConnection(socket, responder, IDLE_MS, () => {
      if (connections.delete(socket)) connections.set(socket, connection);
    });
    connections.set(socket, connection);
    socket.on("close", () => connections.delete(socket));
  });

  /**
   * Somebody who holds connections open must not keep others out, neither without asking nor with names that nobody answers.
   * Who has just come is spared: it has had no time to ask, or to be answered.
   */
  function makeRoom(): boolean {
    const longAgoMs = nowMs() - PENDING_AFTER_MS;
    let young: net.Socket | undefined;
    let busy: net.Socket | undefined;
    for (const [socket, connection] of connections) {
      const isLong = connection.sinceMs() <= longAgoMs;
      if (!connection.isBusy() && isLong) return end(socket);
      if (!connection.isBusy()) young ??= socket;
      else if (isLong) busy ??= socket;
    }
    return end(busy ?? young);
  }

  function end(socket: net.Socket | undefined): boolean {
    const connection = socket && connections.get(socket);
    if (connection === undefined) return false;
    connections.delete(socket as net.Socket);
    if (connection.isBusy()) connection.giveUp();
    else connection.drop();
    return true;
  }

  return {
    server,
    connections: () => connections.size,
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
