// What can be made of a server's honest reply.
import dnsPacket from "dns-packet";

export type Packet = dnsPacket.Packet;

const RCODES: Record<string, number> = { FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, YXDOMAIN: 6 };
const BADCOOKIE = 23;
const COOKIE = 10; // the option's code

export function empty(reply: Packet): Packet {
  return { ...reply, answers: [], authorities: [] };
}

export function withRcode(reply: Packet, name: string): Packet {
  const rcode = RCODES[name];
  if (rcode === undefined) throw new Error(`no such rcode: ${name}`);
  return { ...empty(reply), flags: ((reply.flags ?? 0) & ~0xf) | rcode };
}

export function truncated(reply: Packet): Packet {
  return { ...empty(reply), flags: (reply.flags ?? 0) | dnsPacket.TRUNCATED_RESPONSE };
}

/** Without an OPT, as from who has never heard of it. */
export function plain(reply: Packet): Packet {
  return { ...reply, additionals: [] };
}

export function record(name: string | undefined, type: string | undefined, data: string | undefined): dnsPacket.Answer {
  return { name, type, data, ttl: 60 } as dnsPacket.Answer;
}

/** Of the name asked for, whatever it is, and no data for other types. */
export function withAddress(reply: Packet, address: string): Packet {
  const question = reply.questions?.[0];
  const answers = question?.type === "A" ? [record(question.name, "A", address)] : [];
  return { ...empty(reply), flags: (reply.flags ?? 0) & ~0xf, answers };
}

/** Neither authoritative nor willing to recurse: name servers instead of an answer. */
export function referral(reply: Packet): Packet {
  const authorities = [{ type: "NS", name: "example", ttl: 60, data: "ns.elsewhere.example" }] as dnsPacket.Answer[];
  return { ...reply, flags: (reply.flags ?? 0) & ~(dnsPacket.RECURSION_AVAILABLE | 0xf), answers: [], authorities };
}

/** dns-packet writes any ttl as it is given. */
export function withTtl(reply: Packet, ttl: number): Packet {
  return { ...reply, answers: (reply.answers ?? []).map((answer) => ({ ...answer, ttl })) as dnsPacket.Answer[] };
}

export function withSoa(reply: Packet, changes: { ttl?: number; name?: string | undefined }): Packet {
  const authorities = reply.authorities?.map((each) => (each.type === "SOA" ? { ...each, ...changes } : each)) ?? [];
  return { ...reply, authorities: authorities as dnsPacket.Answer[] };
}

export function withOpt(reply: Packet, fields: object): Packet {
  const opt = { type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0, options: [], ...fields };
  return { ...reply, additionals: [opt as never] };
}

export function optIn(query: Packet): { options?: { code: number; data: Buffer }[] } | undefined {
  return query.additionals?.find(({ type }) => type === "OPT") as ReturnType<typeof optIn>;
}

/** RFC 7873: the client's eight bytes, then the server's own. */
export function withCookie(reply: Packet, query: Packet, text: string, clients = cookieIn(query)): Packet {
  if (clients === undefined || cookieIn(query) === undefined) return reply;
  const data = Buffer.concat([clients.subarray(0, 8), serverPart(text)]);
  return withOpt(reply, { ...optIn(reply), options: [{ code: COOKIE, data }] });
}

/** Over UDP, BADCOOKIE (RFC 7873 section 5.2.3) to who does not bring it. */
export function demanding(reply: Packet, query: Packet, way: string, text: string): Packet {
  const isBrought = cookieIn(query)?.subarray(8).equals(serverPart(text)) ?? false;
  if (way === "tcp" || isBrought) return withCookie(reply, query, text);
  const refusal = withCookie({ ...empty(reply), flags: ((reply.flags ?? 0) & ~0xf) | (BADCOOKIE & 0xf) }, query, text);
  return {
    ...refusal,
    additionals: refusal.additionals?.map((opt) => ({ ...opt, extendedRcode: BADCOOKIE >> 4 })) ?? [],
  };
}

function cookieIn(query: Packet): Buffer | undefined {
  return optIn(query)?.options?.find(({ code }) => code === COOKIE)?.data;
}

function serverPart(text: string): Buffer {
  return Buffer.from(text.padEnd(8, "-"));
}

/** What somebody would send who does not see the query: nearly right, and each with another address than the server's. */
export function blindForgeries(reply: Packet): Packet[] {
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

export function flood(reply: Packet): Packet[] {
  return Array.from({ length: 50 }, (_, i) => ({ ...forgery(reply), id: ((reply.id ?? 0) + 1 + i) & 0xffff }));
}

/** From who has guessed the id and the port. */
export function nearForgery(reply: Packet, lack: string): Packet | Buffer {
  const forged = forgery(reply);
  if (lack === "cookie") return withOpt(forged, {});
  if (lack === "cookie and cuts it short") return Buffer.from(dnsPacket.encode(withOpt(forged, {})).subarray(0, -14));
  if (lack === "question") return { ...plain(withRcode(reply, "FORMERR")), questions: [] };
  return { ...forged, questions: respelled(reply, invertCase) };
}

function forgery(reply: Packet): Packet {
  return { ...reply, answers: [record(reply.questions?.[0]?.name, "A", "203.0.113.66")] };
}

export function respelled(reply: Packet, change: (name: string) => string): dnsPacket.Question[] {
  return reply.questions?.map((each) => ({ ...each, name: change(each.name) })) ?? [];
}

function invertCase(name: string): string {
  return name.replace(/[a-z]/gi, (letter) => (letter < "a" ? letter.toLowerCase() : letter.toUpperCase()));
}
