// Which transport an address wants.
import type { Counters } from "../counters.ts";
import type { Wheel } from "../wheel.ts";
import { createHttpsTransport } from "./https.ts";
import type { Connect } from "./server.ts";
import { createStreamTransport } from "./stream.ts";
import { createUdpTransport } from "./udp.ts";

const ASIDE_IDLE_MS = 200; // some servers see to nobody else, not over UDP either, while a connection is open

export function createConnect(wheel: Wheel, counters: Counters): Connect {
  return function connect(address, isAside = false) {
    if (address.transport === "udp") return createUdpTransport(address, wheel, counters);
    if (address.transport === "https") return createHttpsTransport(address);
    const onUnasked = () => counters.repliesForeign++;
    return createStreamTransport(address, isAside ? { onUnasked, idleMs: ASIDE_IDLE_MS } : { onUnasked });
  };
}
