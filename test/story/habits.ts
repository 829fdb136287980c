// What servers do that is not as it should be, in the words of stories. A habit says nothing of how it is played: stories
// play it without sockets (network.ts), test/upstreams over real ones.
import dnsPacket from "dns-packet";
import { encode, replyTo, type Transport as Way, type Zone } from "../../demo/upstream.ts";
import { nowMs } from "../../src/clock.ts";
import type { Packet } from "./replies.ts";
import * as replies from "./replies.ts";

type Said = Packet | Buffer | undefined | Array<Packet | Buffer>;
type Change = (reply: Packet, query: Packet, way: Way) => Said;

export interface Habit {
  /** What becomes of its honest reply; undefined is silence, a Buffer goes out as it is. */
  readonly change?: Change;
  /** How long the reply takes besides its usual time. */
  readonly takesMs?: (query: Packet, way: Way) => number;
  /** The code that the sender of this query gets from its own kernel. */
  readonly sendError?: (query: Packet, way: Way) => string | undefined;
  readonly tcp?: TcpHabit;
}

export interface TcpHabit {
  /** `filtered`: no connection comes up, and nobody says why. `mute`: it does, and nothing comes over it. */
  readonly connections?: "refused" | "filtered" | "mute";
  /** After so many replies a connection ends, or nothing comes over it any more. */
  readonly replies?: number;
  readonly afterwards?: "closed" | "mute";
  /** While a connection is open nobody else is served. */
  readonly isOnly?: boolean;
}

type Condition = (query: Packet, way: Way) => boolean;

const changing =
  (make: (...words: string[]) => Change) =>
  (...words: string[]): Habit => ({ change: make(...words) });

const HABITS: ReadonlyArray<readonly [RegExp, (...words: string[]) => Habit]> = [
  [/^is silent$/, changing(() => () => undefined)],
  [/^loses the next(?: (\d+))? quer(?:y|ies)$/, changing((count = "1") => losing(Number(count)))],
  [/^loses replies over (\d+) bytes$/, changing((bytes) => losingOver(Number(bytes)))],
  [/^is empty$/, changing(() => (reply) => ({ ...replies.empty(reply), flags: (reply.flags ?? 0) & ~0xf }))],
  [
    /^says FORMERR to EDNS$/,
    changing(() => (reply, query) => replies.plain(hasOpt(query) ? replies.withRcode(reply, "FORMERR") : reply)),
  ],
  [/^says BADVERS to EDNS$/, changing(() => (reply, query) => (hasOpt(query) ? badVersion(reply) : reply))],
  [/^drops EDNS$/, changing(() => (reply, query) => (hasOpt(query) ? undefined : replies.plain(reply)))],
  [/^says (\w+)$/, changing((rcode) => (reply) => replies.withRcode(reply, rcode as string))],
  [
    /^says (\w+) without OPT$/,
    changing((rcode) => (reply) => replies.plain(replies.withRcode(reply, rcode as string))),
  ],
  [
    /^says (\w+) without a question$/,
    changing((rcode) => (reply) => ({ ...replies.plain(replies.withRcode(reply, rcode as string)), questions: [] })),
  ],
  [/^leaves the OPT out$/, changing(() => replies.plain)],
  [/^truncates$/, changing(() => (reply, _query, way) => (way === "udp" ? replies.truncated(reply) : reply))],
  [/^cuts its replies short$/, changing(() => (reply) => dnsPacket.encode(reply).subarray(0, -14))], // OPT, and 3 bytes of an address
  [
    /^lowers the case$/,
    changing(() => (reply) => ({ ...reply, questions: replies.respelled(reply, (name) => name.toLowerCase()) })),
  ],
  [
    /^turns the answer round$/,
    changing(() => (reply) => ({ ...reply, answers: [...(reply.answers ?? [])].reverse() })),
  ],
  [/^refers elsewhere$/, changing(() => replies.referral)],
  [/^gives (\d\S+) for all$/, changing((address) => (reply) => replies.withAddress(reply, address as string))],
  [
    /^adds (\S+) (A|AAAA|CNAME|DNAME|TXT) (\S+)$/,
    changing((name, type, data) => (reply) => ({
      ...reply,
      answers: [...(reply.answers ?? []), replies.record(name, type, data)],
    })),
  ],
  [
    /^adds (\S+) (A|AAAA) (\S+) beside$/,
    changing((name, type, data) => (reply) => ({
      ...reply,
      authorities: [...(reply.authorities ?? []), replies.record(name, type, data)],
      additionals: [replies.record(name, type, data), ...(reply.additionals ?? [])],
    })),
  ],
  [/^gives ttl (\d+)$/, changing((ttl) => (reply) => replies.withTtl(reply, Number(ttl)))],
  [/^gives SOA ttl (\d+)$/, changing((ttl) => (reply) => replies.withSoa(reply, { ttl: Number(ttl) }))],
  [/^gives the SOA of (\S+)$/, changing((name) => (reply) => replies.withSoa(reply, { name }))],
  [/^gives the cookie (\w+)$/, changing((text) => (reply, query) => replies.withCookie(reply, query, text as string))],
  [
    /^gives the cookie (\w+) of another client$/,
    changing((text) => (reply, query) => replies.withCookie(reply, query, text as string, Buffer.from("somebody"))),
  ],
  [
    /^demands the cookie (\w+)$/,
    changing((text) => (reply, query, way) => replies.demanding(reply, query, way, text as string)),
  ],
  [/^is met by forgers$/, met(replies.blindForgeries)],
  [/^is met by a flood of forgers$/, met(replies.flood)],
  [
    /^is met by a forger who knows all but the (spelling|cookie|question|cookie and cuts it short)$/,
    (lack) => met((reply) => [replies.nearForgery(reply, lack as string)])(),
  ],
  [/^takes (\d+) ms$/, (ms) => ({ takesMs: () => Number(ms) })],
  [/^takes (\d+) ms for what it does not know yet$/, (ms) => ({ takesMs: learning(Number(ms)) })],
  [/^bears (\d+) questions at a time, of (\d+) ms each$/, (count, ms) => bearing(Number(count), Number(ms))],
  [/^bears (\d+) packets a second(?:, and (refuses|drops) the others)?$/, changing(limited)],
  [/^cannot be sent to: (E[A-Z]+)$/, (code) => ({ sendError: () => code })],
  [/^refuses TCP$/, () => ({ tcp: { connections: "refused" } })],
  [/^filters TCP$/, () => ({ tcp: { connections: "filtered" } })],
  [/^is mute over TCP$/, () => ({ tcp: { connections: "mute" } })],
  [
    /^closes a connection after (\d+) repl(?:y|ies)$/,
    (count) => ({ tcp: { replies: Number(count), afterwards: "closed" } }),
  ],
  [
    /^leads a connection into a black hole after (\d+) repl(?:y|ies)$/,
    (count) => ({ tcp: { replies: Number(count), afterwards: "mute" } }),
  ],
  [/^serves one connection at a time$/, () => ({ tcp: { isOnly: true } })],
];

/** Behind the words of any habit that changes replies, takes time or cannot be sent to; several of them as well. */
const CONDITIONS: ReadonlyArray<readonly [RegExp, (...words: string[]) => Condition]> = [
  [/ over (udp|tcp)$/, (wanted) => (_query, way) => way === wanted],
  [/ to EDNS$/, () => hasOpt],
  [/ to options$/, () => (query) => (replies.optIn(query)?.options?.length ?? 0) > 0],
  [/ to mixed case$/, () => (query) => nameIn(query) !== nameIn(query).toLowerCase()],
  [/ for names under (\S+)$/, (suffix) => (query) => nameIn(query).toLowerCase().endsWith(`.${suffix}`)],
  [/ for type (A|AAAA|PTR)$/, (type) => (query) => query.questions?.[0]?.type === type],
  [
    / for ([a-z]\S*)(?: (A|AAAA|PTR))?$/,
    (name, type) => (query) =>
      nameIn(query).toLowerCase() === name && (type === undefined || query.questions?.[0]?.type === type),
  ],
  [/ the first time$/, () => isFirstTime()],
  [
    / after the first time$/,
    () => {
      const isFirst = isFirstTime();
      return (query) => !isFirst(query);
    },
  ],
  [
    / every (\d+)(?:nd|rd|th) time$/,
    (every) => {
      let times = 0;
      return () => ++times % Number(every) === 0;
    },
  ],
  [
    / the next (\d+) times?$/,
    (count) => {
      let left = Number(count);
      return () => left-- > 0;
    },
  ],
];

export function habitOf(text: string): Habit {
  for (const [pattern, make] of HABITS) {
    const match = pattern.exec(text);
    if (match !== null) return make(...match.slice(1));
  }
  for (const [pattern, make] of CONDITIONS) {
    const match = pattern.exec(text);
    if (match !== null) return only(habitOf(text.slice(0, match.index)), make(...match.slice(1)));
  }
  throw new Error(`no such habit of a server: ${text}`);
}

function only({ change, takesMs, sendError, tcp }: Habit, isMeant: Condition): Habit {
  if (tcp !== undefined) throw new Error("a habit of connections is one for all queries");
  return {
    ...(change && { change: (reply, query, way) => (isMeant(query, way) ? change(reply, query, way) : reply) }),
    ...(takesMs && { takesMs: (query, way) => (isMeant(query, way) ? takesMs(query, way) : 0) }),
    ...(sendError && { sendError: (query, way) => (isMeant(query, way) ? sendError(query, way) : undefined) }),
  };
}

/** What comes back from a server with these habits. */
export function repliesOf(
  server: { readonly zone: Zone; readonly soaMinimum: number | undefined },
  habits: Iterable<Habit>,
  query: Packet,
  way: Way,
): Buffer[] {
  const question = query.questions?.[0] as dnsPacket.Question;
  let all: (Packet | Buffer)[] = [replyTo(query, question, server)];
  for (const { change } of habits) {
    if (change === undefined) continue;
    all = all.flatMap((reply) => {
      const changed = Buffer.isBuffer(reply) ? reply : change(reply, query, way);
      return changed === undefined ? [] : changed;
    });
  }
  return all.map((reply) => (Buffer.isBuffer(reply) ? reply : encode(reply, query, way)));
}

export function delayOf(habits: Iterable<Habit>, query: Packet, way: Way): number {
  return [...habits].reduce((sum, { takesMs }) => sum + (takesMs?.(query, way) ?? 0), 0);
}

export function tcpOf(habits: Iterable<Habit>): TcpHabit {
  return Object.assign({}, ...[...habits].map(({ tcp }) => tcp));
}

function hasOpt(query: Packet): boolean {
  return replies.optIn(query) !== undefined;
}

function badVersion(reply: Packet): Packet {
  return replies.withOpt(replies.empty(reply), { extendedRcode: 1 });
}

function nameIn(query: Packet): string {
  return query.questions?.[0]?.name ?? "";
}

function questionIn(query: Packet): string {
  return `${nameIn(query).toLowerCase()} ${query.questions?.[0]?.type}`;
}

/** Before the reply, over UDP. */
function met(forgeriesOf: (reply: Packet) => Array<Packet | Buffer>): () => Habit {
  return () => ({ change: (reply, _query, way) => (way === "udp" ? [...forgeriesOf(reply), reply] : reply) });
}

function losing(count: number): Change {
  let left = count;
  return (reply) => (left-- > 0 ? undefined : reply);
}

function losingOver(bytes: number): Change {
  return (reply, query, way) => (way === "udp" && encode(reply, query, way).length > bytes ? undefined : reply);
}

/** Each name and type. */
function isFirstTime(): (query: Packet) => boolean {
  const seen = new Set<string>();
  return (query) => seen.size < seen.add(questionIn(query)).size;
}

/** As a recursive server: who asks again meanwhile has the answer at the same moment. */
function learning(ms: number): (query: Packet) => number {
  const knownAtMs = new Map<string, number>();
  return (query) => {
    const now = nowMs();
    const question = questionIn(query);
    const atMs = knownAtMs.get(question) ?? now + ms;
    knownAtMs.set(question, atMs);
    return Math.max(0, atMs - now);
  };
}

/** What comes above that is dropped. */
function bearing(count: number, ms: number): Habit {
  let endsMs: number[] = [];
  return {
    change(reply) {
      const now = nowMs();
      endsMs = endsMs.filter((atMs) => atMs > now);
      if (endsMs.length >= count) return undefined;
      endsMs.push(now + ms);
      return reply;
    },
    takesMs: () => ms,
  };
}

function limited(perSecond: string | undefined, above = "drops"): Change {
  let second = 0;
  let packets = 0;
  return (reply) => {
    const current = Math.floor(nowMs() / 1000);
    if (current !== second) packets = 0;
    second = current;
    if (++packets <= Number(perSecond)) return reply;
    return above === "drops" ? undefined : replies.withRcode(reply, "REFUSED");
  };
}
