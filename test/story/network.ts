// The upstream servers of a story: in this process, with no sockets, on the story's clock. What they say goes through
// dns-packet, so the server's own code reads real messages.
import dnsPacket from "dns-packet";
import { encode, replyTo, type Transport as Way, type ZoneEntry } from "../../demo/upstream.ts";
import { nowMs } from "../../src/clock.ts";
import type { UpstreamAddress } from "../../src/upstream/address.ts";
import { randomId, stampId } from "../../src/upstream/query.ts";
import type { Receiver, Transport } from "../../src/upstream/transport.ts";
import { FloodError } from "../../src/upstream/udp.ts";

/** What a server does to its honest reply; undefined is silence, a Buffer goes out as it is. */
export type Habit = (
  reply: dnsPacket.Packet,
  query: dnsPacket.DecodedPacket,
  way: Way,
) => dnsPacket.Packet | Buffer | undefined | Array<dnsPacket.Packet | Buffer>;

export interface Upstream {
  readonly address: UpstreamAddress;
  readonly zone: Record<string, ZoneEntry & Record<string, unknown>>;
  readonly habits: Map<string, Habit>;
  latencyMs: number;
  soaMinimum: number | undefined;
  /** The code that a query to it fails with: ECONNREFUSED where nobody listens. */
  failsWith: string | undefined;
  hasTcp: boolean;
  /** Since the story last looked: `udp www.example A`. */
  asked: string[];
  /** What happens then. */
  readonly moments: Map<number, Array<() => void>>;
}

/** A query on its way, and its replies. */
interface Flight {
  readonly way: Way;
  readonly receiver: Receiver;
  hasEnded: boolean;
  strays: number;
}

export const LATENCY_MS = 10;
export const REFUSED = "ECONNREFUSED";
const STRAYS_MAX = 16; // as of a real socket, in src/upstream/udp.ts

export function createUpstream(address: UpstreamAddress): Upstream {
  return {
    address,
    zone: {},
    habits: new Map(),
    latencyMs: LATENCY_MS,
    soaMinimum: 30,
    failsWith: undefined,
    hasTcp: true,
    asked: [],
    moments: new Map(),
  };
}

/** What has been sent arrives, also where it is taken back: only its replies are lost then. */
export function transportTo(upstream: Upstream, way: Way): Transport {
  return {
    send(query, receiver) {
      stampId(query, way === "tcp" ? query.id : randomId());
      const flight = { way, receiver, hasEnded: false, strays: 0 };
      const message = Buffer.from(query.datagram);
      later(upstream, upstream.latencyMs / 2, () => arrive(upstream, message, flight));
      return () => {
        flight.hasEnded = true;
      };
    },
    close: () => undefined,
  };
}

function arrive(upstream: Upstream, message: Buffer, flight: Flight): void {
  const { way } = flight;
  const code = upstream.failsWith ?? (way === "tcp" && !upstream.hasTcp ? REFUSED : undefined);
  if (code !== undefined) {
    const error = Object.assign(new Error(`connect ${code}`), { code });
    later(upstream, upstream.latencyMs / 2, () => end(flight, error));
    return;
  }
  const query = dnsPacket.decode(message);
  const question = query.questions?.[0] as dnsPacket.Question;
  if (question.type !== "NS") upstream.asked.push(`${way} ${question.name.toLowerCase()} ${question.type}`);
  for (const reply of repliesOf(upstream, query, way)) {
    const bytes = Buffer.isBuffer(reply) ? reply : encode(reply, query, way);
    later(upstream, upstream.latencyMs / 2, () => deliver(bytes, flight));
  }
}

function deliver(bytes: Buffer, flight: Flight): void {
  if (flight.hasEnded) return;
  if (flight.receiver.receive(bytes)) flight.hasEnded = true;
  else if (flight.way === "udp" && ++flight.strays === STRAYS_MAX) {
    end(flight, new FloodError("a flood of replies that were not asked for"));
  }
}

function end(flight: Flight, error: Error): void {
  if (flight.hasEnded) return;
  flight.hasEnded = true;
  flight.receiver.fail(error);
}

/** One timer for all of a moment: the clock of a test is slow with thousands of them. */
function later({ moments }: Upstream, ms: number, act: () => void): void {
  const dueAtMs = nowMs() + ms;
  const others = moments.get(dueAtMs);
  if (others !== undefined) {
    others.push(act);
    return;
  }
  const acts = [act];
  moments.set(dueAtMs, acts);
  setTimeout(() => {
    moments.delete(dueAtMs);
    for (const each of acts) each();
  }, ms);
}

function repliesOf(
  upstream: Upstream,
  query: dnsPacket.DecodedPacket,
  way: Way,
): readonly (dnsPacket.Packet | Buffer)[] {
  const question = query.questions?.[0] as dnsPacket.Question;
  let replies: (dnsPacket.Packet | Buffer)[] = [
    replyTo(query, question, { zone: upstream.zone, soaMinimum: upstream.soaMinimum }),
  ];
  for (const habit of upstream.habits.values()) {
    replies = replies.flatMap((reply) => {
      if (Buffer.isBuffer(reply)) return [reply];
      const changed = habit(reply, query, way);
      return changed === undefined ? [] : Array.isArray(changed) ? changed : [changed];
    });
  }
  return replies;
}
