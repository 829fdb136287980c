// Puts one question over a transport, as the tests of all transports do.
import dnsPacket from "dns-packet";
import { TYPE_A } from "../../assembly/layout.ts";
import { type BuiltQuery, buildQuery } from "../../src/upstream/query.ts";
import type { Receiver, Transport } from "../../src/upstream/transport.ts";

export function queryFor(name: string): BuiltQuery {
  return buildQuery({ name, type: TYPE_A }, { ednsBytes: 1232, mixedCase: false, padded: false });
}

export interface Sent {
  /** Rejects where the query fails. */
  readonly reply: Promise<Buffer>;
  readonly query: BuiltQuery;
  cancel(): void;
  /** Whether anything was said of it. */
  isSettled(): boolean;
}

/** Takes the first message with an id of its own unless `isReply` says otherwise. */
export function send(
  transport: Transport,
  name: string,
  isReply: (message: Buffer) => boolean = () => true,
  isAgain = false,
): Sent {
  const query = queryFor(name);
  let cancel = () => {};
  let isSettled = false;
  const reply = new Promise<Buffer>((resolve, reject) => {
    let hasReturned = false;
    let hasEnded = false;
    function once(): void {
      if (!hasReturned || hasEnded) throw new Error("called before send() has returned, or after the end");
    }
    const receiver: Receiver = {
      receive(message) {
        once();
        const copy = Buffer.from(message);
        if (!isReply(copy)) return false;
        hasEnded = isSettled = true;
        resolve(copy);
        return true;
      },
      fail(error) {
        once();
        hasEnded = isSettled = true;
        reject(error);
      },
    };
    cancel = transport.send(query, receiver, isAgain);
    hasReturned = true;
  });
  reply.catch(() => {}); // a test looks when it likes
  return { reply, query, cancel: () => cancel(), isSettled: () => isSettled };
}

/** The same question a second time, nothing having come. */
export function sendAgain(transport: Transport, name: string): Sent {
  return send(transport, name, undefined, true);
}

export function addressIn(message: Buffer): unknown {
  return dnsPacket.decode(message).answers?.map((answer) => ("data" in answer ? answer.data : undefined))[0];
}

/** What is answered to a query: one address, by default one made of the name. */
export function replyTo(query: Buffer, data = "192.0.2.1"): Buffer {
  const { id = 0, questions = [] } = dnsPacket.decode(query);
  return dnsPacket.encode({
    type: "response",
    id,
    flags: dnsPacket.RECURSION_AVAILABLE,
    questions,
    answers: [{ type: "A", name: questions[0]?.name ?? "", ttl: 60, data }],
  });
}

export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length, 0);
  return Buffer.concat([length, message]);
}
