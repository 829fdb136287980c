// What servers do that is not as it should be, in the words of stories.
import dnsPacket from "dns-packet";
import type { Habit } from "./network.ts";

const RCODES: Record<string, number> = { FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, YXDOMAIN: 6 };
const BADCOOKIE = 23;
const COOKIE = 10; // the option's code

const HABITS: ReadonlyArray<readonly [RegExp, (...words: string[]) => Habit]> = [
  [/^is silent$/, () => () => undefined],
  [/^is silent over udp$/, () => (reply, _query, way) => (way === "udp" ? undefined : reply)],
  [/^is silent for (\S+)(?: (A|AAAA|PTR))?$/, (name, type) => only(name, type, () => undefined)],
  [/^loses the next(?: (\d+))? quer(?:y|ies)$/, (count = "1") => losing(Number(count))],
  [/^says (\w+)$/, (rcode) => (reply) => withRcode(reply, rcode as string)],
  [
    /^says (\w+) for (\S+)(?: (A|AAAA|PTR))?$/,
    (rcode, name, type) => only(name, type, (reply) => withRcode(reply, rcode as string)),
  ],
  [
    /^says FORMERR to EDNS$/,
    () => (reply, query) => (hasOpt(query) ? plain(withRcode(reply, "FORMERR")) : plain(reply)),
  ],
  [
    /^says BADVERS to EDNS$/,
    () => (reply, query) => (hasOpt(query) ? withOpt(empty(reply), { extendedRcode: 1 }) : reply),
  ],
  [/^drops EDNS$/, () => (reply, query) => (hasOpt(query) ? undefined : plain(reply))],
  [
    /^truncates$/,
    () => (reply, _query, way) =>
      way === "udp" ? { ...empty(reply), flags: (reply.flags ?? 0) | dnsPacket.TRUNCATED_RESPONSE } : reply,
  ],
  [/^cuts its replies short$/, () => (reply) => dnsPacket.encode(reply).subarray(0, -14)], // OPT, and 3 bytes of an address
  [/^lowers the case$/, () => (reply) => ({ ...reply, questions: respelled(reply, (name) => name.toLowerCase()) })],
  [/^turns the answer round$/, () => (reply) => ({ ...reply, answers: [...(reply.answers ?? [])].reverse() })],
  [/^refers elsewhere$/, () => (reply) => referral(reply)],
  [
    /^adds (\S+) (A|AAAA|CNAME|DNAME|TXT) (\S+)$/,
    (name, type, data) => (reply) => ({ ...reply, answers: [...(reply.answers ?? []), record(name, type, data)] }),
  ],
  [
    /^adds (\S+) (A|AAAA) (\S+) beside$/,
    (name, type, data) => (reply) => ({
      ...reply,
      authorities: [...(reply.authorities ?? []), record(name, type, data)],
      additionals: [record(name, type, data), ...(reply.additionals ?? [])],
    }),
  ],
  [/^gives ttl (\d+)$/, (ttl) => (reply) => withTtl(reply, Number(ttl))],
  [/^gives SOA ttl (\d+)$/, (ttl) => (reply) => withSoa(reply, { ttl: Number(ttl) })],
  [/^gives the SOA of (\S+)$/, (name) => (reply) => withSoa(reply, { name })],
  [/^gives the cookie (\w+)$/, (text) => (reply, query) => withCookie(reply, query, text as string)],
  [/^demands the cookie (\w+)$/, (text) => (reply, query, way) => demanding(reply, query, way, text as string)],
  [/^is met by forgers$/, () => (reply, _query, way) => (way === "udp" ? [...blindForgeries(reply), reply] : reply)],
  [/^is met by a flood of forgers$/, () => (reply, _query, way) => (way === "udp" ? [...flood(reply), reply] : reply)],
  [
    /^is met by a forger who knows all but the (spelling|cookie)$/,
    (lack) => (reply, _query, way) => (way === "udp" ? [nearForgery(reply, lack as string), reply] : reply),
  ],
];

export function habitOf(text: string): Habit {
  for (const [pattern, make] of HABITS) {
    const match = pattern.exec(text);
    if (match !== null) return make(...match.slice(1));
  }
  throw new Error(`no such habit of a server: ${text}`);
}

function only(name: string | undefined, type: string | undefined, habit: Habit): Habit {
  return (reply, query, way) => {
    const asked = query.questions?.[0];
    const isMeant = asked?.name.toLowerCase() === name && (type === undefined || asked?.type === type);
    return isMeant ? habit(reply, query, way) : reply;
  };
}

function empty(reply: dnsPacket.Packet): dnsPacket.Packet {
  return { ...reply, answers: [], authorities: [] };
}

function withRcode(reply: dnsPacket.Packet, name: string): dnsPacket.Packet {
  const rcode = RCODES[name];
  if (rcode === undefined) throw new Error(`no such rcode: ${name}`);
  return { ...empty(reply), flags: ((reply.flags ?? 0) & ~0xf) | rcode };
}

function hasOpt(query: dnsPacket.Packet): boolean {
  return query.additionals?.some(({ type }) => type === "OPT") ?? false;
}

function plain(reply: dnsPacket.Packet): dnsPacket.Packet {
  return { ...reply, additionals: [] };
}

function record(name: string | undefined, type: string | undefined, data: string | undefined): dnsPacket.Answer {
  return { name, type, data, ttl: 60 } as dnsPacket.Answer;
}

/** Neither authoritative nor willing to recurse: name servers instead of an answer. */
function referral(reply: dnsPacket.Packet): dnsPacket.Packet {
  const authorities = [{ type: "NS", name: "example", ttl: 60, data: "ns.elsewhere.example" }] as dnsPacket.Answer[];
  return { ...reply, flags: (reply.flags ?? 0) & ~(dnsPacket.RECURSION_AVAILABLE | 0xf), answers: [], authorities };
}

/** dns-packet writes any ttl as it is given. */
function withTtl(reply: dnsPacket.Packet, ttl: number): dnsPacket.Packet {
  return { ...reply, answers: (reply.answers ?? []).map((answer) => ({ ...answer, ttl })) as dnsPacket.Answer[] };
}

function withSoa(reply: dnsPacket.Packet, changes: { ttl?: number; name?: string | undefined }): dnsPacket.Packet {
  const authorities = reply.authorities?.map((each) => (each.type === "SOA" ? { ...each, ...changes } : each)) ?? [];
  return { ...reply, authorities: authorities as dnsPacket.Answer[] };
}

function losing(count: number): Habit {
  let left = count;
  return (reply) => (left-- > 0 ? undefined : reply);
}

/** RFC 7873: the client's eight bytes, then the server's own. */
function withCookie(reply: dnsPacket.Packet, query: dnsPacket.Packet, text: string): dnsPacket.Packet {
  const sent = cookieIn(query);
  if (sent === undefined) return reply;
  return withOpt(reply, { options: [{ code: COOKIE, data: Buffer.concat([sent.subarray(0, 8), serverPart(text)]) }] });
}

/** Over UDP, BADCOOKIE (RFC 7873 section 5.2.3) to who does not bring it. */
function demanding(reply: dnsPacket.Packet, query: dnsPacket.Packet, way: string, text: string): dnsPacket.Packet {
  const isBrought = cookieIn(query)?.subarray(8).equals(serverPart(text)) ?? false;
  if (way === "tcp" || isBrought) return withCookie(reply, query, text);
  const refusal = withCookie({ ...empty(reply), flags: ((reply.flags ?? 0) & ~0xf) | (BADCOOKIE & 0xf) }, query, text);
  return {
    ...refusal,
    additionals: refusal.additionals?.map((opt) => ({ ...opt, extendedRcode: BADCOOKIE >> 4 })) ?? [],
  };
}

function cookieIn(query: dnsPacket.Packet): Buffer | undefined {
  const opt = query.additionals?.find(({ type }) => type === "OPT") as { options?: { code: number; data: Buffer }[] };
  return opt?.options?.find(({ code }) => code === COOKIE)?.data;
}

function serverPart(text: string): Buffer {
  return Buffer.from(text.padEnd(8, "-"));
}

function withOpt(reply: dnsPacket.Packet, fields: object): dnsPacket.Packet {
  const opt = { type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0, options: [], ...fields };
  return { ...reply, additionals: [opt as never] };
}

/** What somebody would send who does not see the query: nearly right, and each with another address than the server's. */
function blindForgeries(reply: dnsPacket.Packet): dnsPacket.Packet[] {
  const [question] = reply.questions ?? [];
  const forged = forgery(reply);
  return [
    { ...forged, id: ((reply.id ?? 0) + 1) & 0xffff },
    { ...forged, questions: respelled(reply, (name) => `x${name}`) },
    { ...forged, questions: [{ ...question, type: "TXT" } as dnsPacket.Question] },
    { ...forged, questions: [] },
    { ...forged, type: "query" },
  ];
}

function flood(reply: dnsPacket.Packet): dnsPacket.Packet[] {
  return Array.from({ length: 50 }, (_, i) => ({ ...forgery(reply), id: ((reply.id ?? 0) + 1 + i) & 0xffff }));
}

function nearForgery(reply: dnsPacket.Packet, lack: string): dnsPacket.Packet {
  const forged = forgery(reply);
  return lack === "cookie" ? withOpt(forged, {}) : { ...forged, questions: respelled(reply, invertCase) };
}

function forgery(reply: dnsPacket.Packet): dnsPacket.Packet {
  return { ...reply, answers: [record(reply.questions?.[0]?.name, "A", "203.0.113.66")] };
}

function respelled(reply: dnsPacket.Packet, change: (name: string) => string): dnsPacket.Question[] {
  return reply.questions?.map((each) => ({ ...each, name: change(each.name) })) ?? [];
}

function invertCase(name: string): string {
  return name.replace(/[a-z]/gi, (letter) => (letter < "a" ? letter.toLowerCase() : letter.toUpperCase()));
}
