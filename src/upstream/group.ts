// Servers that have one view of DNS: which of them is asked first, how they are watched, and whether any is there at all.
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Log } from "../log.ts";
import type { Wheel } from "../wheel.ts";
import { type UpstreamAddress, upstreamText } from "./address.ts";
import { type Ask, createAsk } from "./ask.ts";
import type { Exchange } from "./exchange.ts";
import { createGate, type Gate } from "./gate.ts";
import type { Probe } from "./probe.ts";
import { type Connect, createServer, type Server } from "./server.ts";
import type { WayCounts } from "./tally.ts";
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
  state(): GroupState;
  close(): void;
}

/** Plain data. */
export interface GroupState {
  readonly isDown: boolean;
  readonly upstreams: readonly UpstreamState[];
}
export interface UpstreamState {
  /** Such as `udp 10.0.0.2:53`. */
  readonly text: string;
  /** Not silent for long, to several names or probes. */
  readonly isUp: boolean;
  /** Silent for a moment, or refused: others come first. */
  readonly isAside: boolean;
  /** Undefined where it never replied. */
  readonly smoothedRttSeconds: number | undefined;
  readonly ways: readonly WayCounts[];
  /** In which it is not as servers usually are, in words. */
  readonly habits: readonly string[];
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
  readonly probe: Probe;
  readonly wheel: Wheel;
  readonly counters: Counters;
  readonly log: Log;
}

const DOWN_MS = 5000; // after the last question: then nobody knows
const OTHER_MS = 5000; // what was dead for so long may be another server by now
const FASTER_TIMES = 2; // or the servers would change places all the time
const FASTER_MS = 2;

export function createGroup(options: GroupOptions): Group {
  const { timeoutMs, connect, exchange, probe, wheel, counters, log } = options;
  let servers = options.upstreams.map((address) => createServer(address, connect, nowMs()));
  let present: Gate | undefined;
  let askServers = createAskOf(options.listing);
  let first: Server | undefined; // of equals
  let rotation = 0;
  const usual = createUsual();
  let generation = 0;
  const dead = new Map<Server, number>(); // since when, as far as the log has said

  function createAskOf(listing: Listing | undefined): Ask {
    const own = servers;
    const gate = createGate(() => areDead(own), wheel); // of these servers: others may be there
    present = gate;
    const patienceMs = listing === undefined ? timeoutMs : listing.timeoutMs * listing.attempts * servers.length;
    return createAsk({
      order: () => order(listing),
      alongside: () => alongside(listing),
      isList: listing !== undefined,
      timeoutMs: Math.min(timeoutMs, patienceMs),
      gate: gate.pass,
      heard() {
        heard();
        gate.look();
      },
      exchange,
      wheel,
      counters,
    });
  }

  /** Those that reply, as listed, or of equals the fastest first; then the silent, longest unasked first. */
  function order(listing: Listing | undefined): readonly Server[] {
    if (servers.length === 1) return servers;
    const now = nowMs();
    const start = listing?.rotate ? rotation++ % servers.length : 0;
    const inTurn = [...servers.slice(start), ...servers.slice(0, start)];
    const isAway = ({ health }: Server) => (listing === undefined ? health.isAside(now) : health.isGone(now));
    const there = inTurn.filter((server) => !isAway(server));
    const aside = inTurn.filter(isAway);
    if (listing === undefined) putFastestFirst(there);
    return [...there, ...aside.sort((one, other) => one.health.lastAskedAtMs() - other.health.lastAskedAtMs())];
  }

  /** Of equals one that probes do not reach, in a list one before all that are there; seldom. */
  function alongside(listing: Listing | undefined): Server | undefined {
    const now = nowMs();
    const silent = servers.find(({ health }) => health.isAside(now) && health.isDue(now));
    if (silent === undefined || servers.length === 1) return undefined;
    if (listing === undefined) return silent.health.isDeafToProbes() ? silent : undefined;
    const before = servers.slice(0, servers.indexOf(silent));
    return before.every(({ health }) => health.isGone(now)) && silent.health.isGone(now) ? silent : undefined;
  }

  /** Where one is plainly faster than the one that was first. */
  function putFastestFirst(there: Server[]): void {
    there.sort((one, other) => compare(one.health.usualMs(), other.health.usualMs()));
    const [fastest] = there;
    if (fastest === undefined) return;
    if (first === undefined || !there.includes(first) || isFaster(fastest, first)) first = fastest;
    there.splice(there.indexOf(first), 1);
    there.unshift(first);
  }

  /** Finds out how those are that are silent, or that nobody asks. */
  function watch(): void {
    const now = nowMs();
    for (const server of servers) {
      if (server.health.isDue(now) && (servers.length > 1 || server.health.isAside(now))) probe(server, heard);
    }
  }

  function heard(): void {
    watch();
    note();
    present?.look();
  }

  function areDead(some: readonly Server[]): boolean {
    const now = nowMs();
    return some.every(({ health }) => health.isDead(now));
  }

  function note(): void {
    const now = nowMs();
    for (const server of servers) {
      if (server.health.isDead(now)) {
        if (dead.has(server)) continue;
        dead.set(server, now);
        log.upstreamSilent(server.text);
      } else if (dead.has(server) && server.health.silentSinceMs() === undefined) {
        if (now - (dead.get(server) as number) >= OTHER_MS) server.dialect.forget();
        dead.delete(server);
        log.upstreamBack(server.text);
      }
    }
  }

  function isDown(): boolean {
    const lastAskedAtMs = Math.max(...servers.map(({ health }) => health.lastAskedAtMs()));
    return nowMs() - lastAskedAtMs < DOWN_MS && areDead(servers);
  }

  function stateOf({ text, health, dialect, tallies }: Server): UpstreamState {
    const now = nowMs();
    const usualMs = health.usualMs();
    return {
      text,
      isUp: !health.isDead(now) && !health.isClosed(now),
      isAside: health.isAside(now),
      smoothedRttSeconds: Number.isFinite(usualMs) ? usualMs / 1000 : undefined,
      ways: [...new Set([tallies.main, tallies.tcp])].map((tally) => tally.counts()),
      habits: dialect.habits(now),
    };
  }

  return {
    async ask(question, late) {
      const askedAtMs = nowMs();
      const asking = askServers(question, late);
      watch();
      const asked = await asking;
      if ("record" in asked) usual.took(nowMs() - askedAtMs);
      note();
      return asked;
    },
    isDown,
    usualMs: usual.ms,
    generation: () => generation,
    replace(addresses, listing) {
      const last = new Map(servers.map((server) => [server.text, server]));
      servers = addresses.map((address) => {
        const known = last.get(upstreamText(address));
        last.delete(upstreamText(address));
        return known ?? createServer(address, connect, nowMs());
      });
      askServers = createAskOf(listing);
      first = undefined;
      generation++;
      for (const gone of last.values()) {
        dead.delete(gone);
        wheel.after(timeoutMs, gone.close); // questions are still under way there
      }
    },
    state: () => ({ isDown: isDown(), upstreams: servers.map(stateOf) }),
    close: () => servers.forEach((server) => void server.close()),
  };
}

function isFaster(one: Server, other: Server): boolean {
  const [ms, otherMs] = [one.health.usualMs(), other.health.usualMs()];
  return FASTER_TIMES * ms < otherMs && otherMs - ms > FASTER_MS;
}

/** Infinities are equal. */
function compare(one: number, other: number): number {
  return one === other ? 0 : one - other;
}
