import { once } from "node:events";
import net from "node:net";
import { afterEach, expect, it } from "vitest";
import { createCounters } from "../../../src/counters.ts";
import { createConnect } from "../../../src/upstream/connect.ts";
import type { Transport } from "../../../src/upstream/transport.ts";
import { createWheel } from "../../../src/wheel.ts";
import { framed, replyTo, send } from "../../support/transports.ts";

const endings: Array<() => void> = [];
afterEach(() => {
  for (const end of endings.splice(0)) end();
});

/** Replies to each query, and keeps its connections open. */
async function server() {
  const open = new Set<net.Socket>();
  const listener = net.createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("data", (query: Buffer) => socket.write(framed(replyTo(query.subarray(2)))));
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  endings.push(() => {
    listener.close();
    for (const socket of open) socket.destroy();
  });
  return { port: (listener.address() as net.AddressInfo).port, open };
}

it("keeps TCP open to a server that is asked over TCP, and lets go of it soon where it is asked over UDP else", async () => {
  const connect = createConnect(createWheel(), createCounters());
  const made = async (isAside: boolean) => {
    const { port, open } = await server();
    const transport: Transport = connect({ transport: "tcp", host: "127.0.0.1", port }, isAside);
    endings.push(() => transport.close());
    await send(transport, "a.example").reply;
    expect(open.size).toBe(1);
    return open;
  };
  const kept = await made(false);
  const aside = await made(true);
  await expect.poll(() => aside.size, { timeout: 5000 }).toBe(0);
  expect(kept.size).toBe(1);
});
