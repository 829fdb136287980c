// What servers do that is not as it should be, in the words of stories.
import dnsPacket from "dns-packet";
import type { Habit } from "./network.ts";

const RCODES: Record<string, number> = { FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, YXDOMAIN: 6 };

const HABITS: ReadonlyArray<readonly [RegExp, (...words: string[]) => Habit]> = [
  [/^is silent$/, () => () => undefined],
  [/^is silent over udp$/, () => (reply, _query, way) => (way === "udp" ? undefined : reply)],
  [/^is silent for (\S+)(?: (A|AAAA|PTR))?$/, (name, type) => only(name, type, () => undefined)],
  [/^says (\w+)$/, (rcode) => (reply) => withRcode(reply, rcode as string)],
  [
    /^says (\w+) for (\S+)(?: (A|AAAA|PTR))?$/,
    (rcode, name, type) => only(name, type, (reply) => withRcode(reply, rcode as string)),
  ],
  [
    /^says FORMERR to EDNS$/,
    () => (reply, query) => (hasOpt(query) ? plain(withRcode(reply, "FORMERR")) : plain(reply)),
  ],
  [/^drops EDNS$/, () => (reply, query) => (hasOpt(query) ? undefined : plain(reply))],
  [
    /^truncates$/,
    () => (reply, _query, way) =>
      way === "udp" ? { ...empty(reply), flags: (reply.flags ?? 0) | dnsPacket.TRUNCATED_RESPONSE } : reply,
  ],
  [
    /^lowers the case$/,
    () => (reply) => ({
      ...reply,
      questions: reply.questions?.map((each) => ({ ...each, name: each.name.toLowerCase() })) ?? [],
    }),
  ],
  [/^refers elsewhere$/, () => (reply) => referral(reply)],
  [
    /^adds (\S+) (A|AAAA|CNAME) (\S+)$/,
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
  [/^gives the cookie (\w+)$/, (text) => (reply, query) => withCookie(reply, query, text as string)],
  [/^is met by forgers$/, () => (reply) => [...forgeries(reply), reply]],
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

/** RFC 7873: the client's eight bytes, then the server's own. */
function withCookie(reply: dnsPacket.Packet, query: dnsPacket.Packet, text: string): dnsPacket.Packet {
  const opt = query.additionals?.find(({ type }) => type === "OPT") as { options?: { code: number; data: Buffer }[] };
  const sent = opt?.options?.find(({ code }) => code === 10)?.data;
  if (sent === undefined) return reply;
  const data = Buffer.concat([sent.subarray(0, 8), Buffer.from(text.padEnd(8, "-"))]);
  const additional = { type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0, options: [{ code: 10, data }] };
  return { ...reply, additionals: [additional as never] };
}

/** What somebody would send who does not see the query: nearly right, and each with another address. */
function forgeries(reply: dnsPacket.Packet): dnsPacket.Packet[] {
  const [question] = reply.questions ?? [];
  const forged = { ...reply, answers: [record(question?.name, "A", "203.0.113.66")] };
  const spelled = (change: (name: string) => string) =>
    [{ ...question, name: change(question?.name ?? "") }] as dnsPacket.Question[];
  return [
    { ...forged, id: ((reply.id ?? 0) + 1) & 0xffff },
    { ...forged, questions: spelled((name) => `x${name}`) },
    { ...forged, questions: [{ ...question, type: "TXT" } as dnsPacket.Question] },
    { ...forged, questions: [] },
    { ...forged, type: "query" },
  ];
}
