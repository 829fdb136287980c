// One query over TCP, on a connection of its own (RFC 7766): for truncated replies and for tcp:// upstreams.
import net from "node:net";
import type { UpstreamAddress } from "./address.ts";

const LENGTH_BYTES = 2;

/** As exchangeUdp. Rejects also when the server closes before it has answered. */
export function exchangeTcp(
  server: UpstreamAddress,
  stream: Uint8Array,
  isReply: (message: Uint8Array) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const socket = net.connect({ host: server.host, port: server.port, noDelay: true });
  const closed = new Promise<void>((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed before it answered")));
    socket.on("data", (chunk) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      while (received.length >= LENGTH_BYTES) {
        const end = LENGTH_BYTES + received.readUInt16BE(0);
        if (received.length < end) return;
        if (isReply(received.subarray(LENGTH_BYTES, end))) return resolve();
        received = received.subarray(end);
      }
    });
    socket.write(stream);
  });
  return closed.finally(() => socket.destroy());
}
