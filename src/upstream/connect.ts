// Which transport an address wants.
import type { Counters } from "../counters.ts";
import type { Wheel } from "../wheel.ts";
import { createHttpsTransport } from "./https.ts";
import type { Connect } from "./server.ts";
import { createStreamTransport } from "./stream.ts";
import { createUdpTransport } from "./udp.ts";

export function createConnect(wheel: Wheel, counters: Counters): Connect {
  return function connect(address) {
    if (address.transport === "udp") return createUdpTransport(address, wheel, counters);
    if (address.transport === "https") return createHttpsTransport(address);
    return createStreamTransport(address, { onUnasked: () => counters.repliesForeign++ });
  };
}
