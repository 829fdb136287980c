// The upstream servers of a story: in this process, with no sockets, on the story's clock. What they say goes through
// dns-packet, so the server's own code reads real messages.
import dnsPacket from "dns-packet";
import { encode, replyTo, type Transport as Way, type ZoneEntry } from "../../demo/upstream.ts";
import type { UpstreamAddress } from "../../src/upstream/address.ts";
import { randomId, stampId } from "../../src/upstream/query.ts";
import type { Receiver, Transport } from "../../src/upstream/transport.ts";

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
  /** Nobody listens. */
  isClosed: boolean;
  hasTcp: boolean;
  /** Since the story last looked: `udp www.example A`. */
  asked: string[];
}

export const LATENCY_MS = 10;

export function createUpstream(address: UpstreamAddress): Upstream {
  return {
    address,
    zone: {},
    habits: new Map(),
    latencyMs: LATENCY_MS,
    soaMinimum: 30,
    isClosed: false,
    hasTcp: true,
    asked: [],
  };
}

export function transportTo(upstream: Upstream, way: Way): Transport {
  return {
    send(query, receiver) {
      stampId(query, way === "tcp" ? query.id : randomId());
      const timers = new Set<NodeJS.Timeout>();
      const later = (ms: number, act: () => void) => void timers.add(setTimeout(act, ms));
      const message = Buffer.from(query.datagram);
      later(upstream.latencyMs / 2, () => arrive(upstream, way, message, receiver, later));
      return () => timers.forEach(clearTimeout);
    },
    close: () => undefined,
  };
}

function arrive(
  upstream: Upstream,
  way: Way,
  message: Buffer,
  receiver: Receiver,
  later: (ms: number, act: () => void) => void,
): void {
  if (upstream.isClosed || (way === "tcp" && !upstream.hasTcp)) {
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    later(upstream.latencyMs / 2, () => receiver.fail(refused));
    return;
  }
  const query = dnsPacket.decode(message);
  const question = query.questions?.[0] as dnsPacket.Question;
  upstream.asked.push(`${way} ${question.name.toLowerCase()} ${question.type}`);
  let hasEnded = false;
  for (const reply of repliesOf(upstream, query, way)) {
    const bytes = Buffer.isBuffer(reply) ? reply : encode(reply, query, way);
    later(upstream.latencyMs / 2, () => {
      if (!hasEnded) hasEnded = receiver.receive(bytes);
    });
  }
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
