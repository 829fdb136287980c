// The map of this folder. A question is put to a group of servers (group.ts; gate.ts while none is there), to one after the
// other (ask.ts); what was learned of each is in server.ts: health.ts, dialect.ts, window.ts, and what is counted in tally.ts.
// One server is asked by exchange.ts, down the ladder (ladder.ts), with a query of query.ts, over one of the transports, which
// all have the shape below: udp.ts, stream.ts (TCP and TLS, secure.ts) and https.ts, made by connect.ts; the latter two keep
// connections (pool.ts), unless they fall silent (silence.ts). probe.ts asks for nobody. Addresses as users write them are
// address.ts's; what a question usually takes is usual.ts's.
import type { BuiltQuery } from "./query.ts";

/** Nothing was learned of the server: it is this process that takes no more. */
export class OwnLackError extends Error {}

/** Then another socket is not to be had either. */
export function isWithoutDescriptors({ code }: NodeJS.ErrnoException): boolean {
  return code === "EMFILE" || code === "ENFILE";
}

/** To one server. */
export interface Transport {
  /**
   * Gives the query an id of its own and sends it. Never throws. Nothing is called before it has returned, nor after the
   * function that it returns, which takes the query back, has been. `isAgain`: the same question has been sent before and
   * nothing has come, so it does not go out over a connection that has been silent since. Whoever sends it takes it back
   * when it has waited for long enough: it is listened to for some 12 s, and less where there are too many.
   */
  send(query: BuiltQuery, receiver: Receiver, isAgain?: boolean): () => void;
  /** Lets go of sockets; what is under way ends with an error. */
  close(): void;
}

export interface Receiver {
  /** A message that may be the reply: true takes it, and ends the query. */
  receive(message: Uint8Array): boolean;
  /** The query has failed, which tells of no other: nothing more comes. */
  fail(error: Error): void;
}
