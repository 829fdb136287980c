// One upstream server: how it is reached, and what has been learned of it.
import { type UpstreamAddress, upstreamText } from "./address.ts";
import { createDialect, type Dialect } from "./dialect.ts";
import { createHealth, type Health } from "./health.ts";
import { createTally, type Tally } from "./tally.ts";
import type { Transport } from "./transport.ts";
import { createWindow, type Window } from "./window.ts";

export interface Server {
  readonly address: UpstreamAddress;
  readonly text: string;
  readonly main: Transport;
  /** For what does not fit a datagram, or cannot be trusted to one; of no other use. */
  readonly tcp: Transport;
  readonly health: Health;
  readonly dialect: Dialect;
  readonly window: Window;
  /** Of `main` and `tcp`: one where these are the same. */
  readonly tallies: { readonly main: Tally; readonly tcp: Tally };
  close(): void;
}

/** `isAside`: it is for what another transport to the same server cannot do, and is not kept open. */
export type Connect = (address: UpstreamAddress, isAside?: boolean) => Transport;

export function createServer(address: UpstreamAddress, connect: Connect, nowMs: number): Server {
  const main = connect(address);
  const tcp = address.transport === "udp" ? connect({ ...address, transport: "tcp" }, true) : main;
  const mainTally = createTally(address.transport);
  return {
    address,
    text: upstreamText(address),
    main,
    tcp,
    health: createHealth(nowMs),
    dialect: createDialect(),
    window: createWindow(),
    tallies: { main: mainTally, tcp: tcp === main ? mainTally : createTally("tcp") },
    close() {
      main.close();
      tcp.close();
    },
  };
}
