// Servers that have one view of DNS: which of them is asked first, and whether any is there at all.
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Log } from "../log.ts";
import type { Wheel } from "../wheel.ts";
import { type UpstreamAddress, upstreamText } from "./address.ts";
import { type Ask, createAsk } from "./ask.ts";
import type { Exchange } from "./exchange.ts";
import { type Connect, createServer, type Server } from "./server.ts";
import { createUsual } from "./usual.ts";

export interface Group {
  readonly ask: Ask;
  /** All its servers have been silent for a while, and were asked a moment ago. */
  isDown(): boolean;
  /** What a question usually takes it. */
  usualMs(): number;
  /** Grows with each change of its servers. */
  generation(): number;
  /** Other servers from now on; what is known of those that stay is kept. */
  replace(addresses: readonly UpstreamAddress[], listing?: Listing): void;
  close(): void;
}

/** How libc goes through a list of nameservers (resolv.conf(5)). */
export interface Listing {
  /** Each question begins with the next of the list. */
  readonly rotate: boolean;
  /** The longest wait for one server before the next is asked. */
  readonly timeoutMs: number;
  /** How many times the list is gone through. */
  readonly attempts: number;
}

export interface GroupOptions {
  readonly upstreams: readonly UpstreamAddress[];
  /** Where it is given, the servers are asked in their order, and a later one's denial counts only where those before are silent or fail; else they are equals. */
  readonly listing?: Listing | undefined;
  readonly timeoutMs: number;
  readonly connect: Connect;
  readonly exchange: Exchange;
  readonly wheel: Wheel;
  readonly counters: Counters;
  readonly log: Log;
}

const DOWN_MS = 5000; // after the last question: then nobody knows

export function createGroup({ upstreams, timeoutMs, connect, exchange, wheel, counters, log }: GroupOptions): Group {
  let servers = upstreams.map((address) => createServer(address, connect, nowMs()));
  const usual = createUsual();
  let generation = 0;
  const dead = new Set<Server>(); // as far as the log has said
  const askServers = createAsk({ order, due, timeoutMs, exchange, wheel, counters });

  /** Those that reply, the fastest first, in the order given where they are much alike; then the silent, longest unasked first. */
  function order(): readonly Server[] {
    if (servers.length === 1) return servers;
    const now = nowMs();
    return [...servers].sort((one, other) => {
      const aside = Number(one.health.isAside(now)) - Number(other.health.isAside(now));
      if (aside !== 0) return aside;
      if (one.health.isAside(now)) return one.health.lastAskedAtMs() - other.health.lastAskedAtMs();
      return compare(one.health.slowness(), other.health.slowness());
    });
  }

  function due(): Server | undefined {
    if (servers.length === 1) return undefined;
    const now = nowMs();
    return servers.find(({ health }) => health.isDue(now));
  }

  function note(): void {
    const now = nowMs();
    for (const server of servers) {
      if (server.health.isDead(now)) {
        if (!dead.has(server)) log.upstreamSilent(server.text);
        dead.add(server);
      } else if (dead.delete(server)) log.upstreamBack(server.text);
    }
  }

  return {
    async ask(question, late) {
      const askedAtMs = nowMs();
      const asked = await askServers(question, late);
      if ("record" in asked) usual.took(nowMs() - askedAtMs);
      note();
      return asked;
    },
    isDown() {
      const now = nowMs();
      const lastAskedAtMs = Math.max(...servers.map(({ health }) => health.lastAskedAtMs()));
      return now - lastAskedAtMs < DOWN_MS && servers.every(({ health }) => health.isDead(now));
    },
    usualMs: usual.ms,
    generation: () => generation,
    replace(addresses) {
      const last = new Map(servers.map((server) => [server.text, server]));
      servers = addresses.map((address) => {
        const known = last.get(upstreamText(address));
        last.delete(upstreamText(address));
        return known ?? createServer(address, connect, nowMs());
      });
      generation++;
      for (const gone of last.values()) wheel.after(timeoutMs, gone.close); // questions are still under way there
    },
    close: () => servers.forEach((server) => void server.close()),
  };
}

/** Infinities are equal. */
function compare(one: number, other: number): number {
  return one === other ? 0 : one - other;
}
