// One query over UDP: a fresh socket on a port of the kernel's choice for each, connected, so that only datagrams of the
// asked address arrive. Sockets are made, bound and closed by dgram-as-promised; its recv() keeps no queue and loses
// what arrives between two calls, so replies are taken from the socket's own event.
import net from "node:net";
import { DgramAsPromised } from "dgram-as-promised";
import type { UpstreamAddress } from "./address.ts";

/**
 * Sends a datagram and shows each that comes back to `isReply`, until that says true or `signal` aborts.
 * Rejects when the socket reports an error, such as a port that nobody listens on.
 */
export async function exchangeUdp(
  server: UpstreamAddress,
  datagram: Uint8Array,
  isReply: (message: Uint8Array) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const udp = DgramAsPromised.createSocket(net.isIPv6(server.host) ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      udp.socket.on("error", reject);
      if (signal.aborted) return resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
      udp.socket.on("message", (message) => {
        if (isReply(message)) resolve();
      });
      udp.bind({ port: 0, exclusive: true }).then(() => {
        if (signal.aborted) return;
        udp.socket.connect(server.port, server.host, ((error?: Error) => {
          if (error) return reject(error);
          if (!signal.aborted) udp.socket.send(datagram, (failure) => failure && reject(failure));
        }) as () => void);
      }, reject);
    });
  } finally {
    await udp.close();
  }
}
