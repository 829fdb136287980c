// The upstream servers of a story: in this process, with no sockets, on the story's clock. What they say goes through
// dns-packet, so the server's own code reads real messages.
import dnsPacket from "dns-packet";
import type { Transport as Way, ZoneEntry } from "../../demo/upstream.ts";
import { nowMs } from "../../src/clock.ts";
import type { UpstreamAddress } from "../../src/upstream/address.ts";
import { randomId, stampId } from "../../src/upstream/query.ts";
import type { Receiver, Transport } from "../../src/upstream/transport.ts";
import { FloodError } from "../../src/upstream/udp.ts";
import { delayOf, type Habit, repliesOf, tcpOf } from "./habits.ts";

export interface Upstream {
  readonly address: UpstreamAddress;
  readonly zone: Record<string, ZoneEntry & Record<string, unknown>>;
  /** By their words. */
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

/** The kept connection to a server, as src/upstream/stream.ts keeps one. */
interface Connection {
  /** How many queries have gone out on it. */
  taken: number;
  /** Nothing comes over it any more. */
  isMute: boolean;
}

export const LATENCY_MS = 10;
export const REFUSED = "ECONNREFUSED";
const STRAYS_MAX = 16; // as of a real socket, in src/upstream/udp.ts
const SILENCE_MS = 5000; // as of a real connection, in src/upstream/stream.ts

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
  const connection: Connection = { taken: 0, isMute: false };
  return {
    send(query, receiver, isAgain = false) {
      stampId(query, way === "tcp" ? query.id : randomId());
      const flight = { way, receiver, hasEnded: false, strays: 0 };
      const message = Buffer.from(query.datagram);
      if (way === "udp") later(upstream, upstream.latencyMs / 2, () => arrive(upstream, message, flight));
      else connect(upstream, connection, message, flight, isAgain);
      return () => {
        flight.hasEnded = true;
      };
    },
    close: () => undefined,
  };
}

/** What a connection's end leaves over goes out on the next one. */
function connect(upstream: Upstream, connection: Connection, message: Buffer, flight: Flight, isAgain: boolean): void {
  const { latencyMs } = upstream;
  const { connections, replies = Number.POSITIVE_INFINITY, afterwards } = tcpOf(upstream.habits.values());
  const isRefused = !upstream.hasTcp || connections === "refused";
  if (isRefused) {
    later(upstream, latencyMs, () => end(flight, errorOf(REFUSED)));
    return;
  }
  if (isAgain && connection.isMute) Object.assign(connection, { taken: 0, isMute: false });
  const turn = connection.taken++;
  const isMute = connections !== undefined || (afterwards === "mute" && turn >= replies);
  if (isMute) {
    connection.isMute = true;
    later(upstream, SILENCE_MS, () => {
      Object.assign(connection, { taken: 0, isMute: false });
      end(flight, new Error(`no byte for ${SILENCE_MS} ms`));
    });
    return;
  }
  const before = afterwards === "closed" ? Math.floor(turn / replies) : 0;
  later(upstream, latencyMs / 2 + before * latencyMs, () => {
    arrive(upstream, message, flight);
    if (afterwards === "closed" && connection.taken - 1 === turn) connection.taken %= replies;
  });
}

function arrive(upstream: Upstream, message: Buffer, flight: Flight): void {
  const { way } = flight;
  const query = dnsPacket.decode(message);
  const habits = [...upstream.habits.values()];
  const code = upstream.failsWith ?? habits.map(({ sendError }) => sendError?.(query, way)).find(Boolean);
  if (code !== undefined) {
    later(upstream, upstream.latencyMs / 2, () => end(flight, errorOf(code)));
    return;
  }
  const question = query.questions?.[0] as dnsPacket.Question;
  if (question.type !== "NS") upstream.asked.push(`${way} ${question.name.toLowerCase()} ${question.type}`);
  const takesMs = upstream.latencyMs / 2 + delayOf(habits, query, way);
  for (const reply of repliesOf(upstream, habits, query, way)) {
    later(upstream, takesMs, () => deliver(reply, flight));
  }
}

function errorOf(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
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
