// The reply parser once more, in plain TypeScript and with no care for speed: the rules of assembly/message.ts read twice.

import type { Query, Reply } from "../../src/table/message.ts";

export interface Expected {
  verdict: Reply["verdict"];
  serverCookie?: string | undefined; // hexadecimal
  rcode?: number;
  why?: string;
  outcome?: "data" | "no data" | "no name" | "unfit" | undefined;
  names?: string[];
  data?: string[]; // hexadecimal for addresses, text for names
  ttl?: number;
}

interface Rr {
  owner: string[];
  type: number;
  class: number;
  ttl: number;
  at: number;
  bytes: number;
}

class Malformed extends Error {}

const A = 1;
const NS = 2;
const CNAME = 5;
const SOA = 6;
const PTR = 12;
const AAAA = 28;
const OPT = 41;

export function referenceReply(message: Uint8Array, query: Query): Expected {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (message.length < 12) return { verdict: "foreign" };
  const flags = view.getUint16(2);
  const rcode = flags & 15;
  const counts = [4, 6, 8, 10].map((at) => view.getUint16(at)) as [number, number, number, number];
  if (view.getUint16(0) !== query.id || !(flags & 0x8000) || (flags & 0x7800) !== 0) return { verdict: "foreign" };
  const isUnread = rcode === 1 || rcode === 4;
  const isWithoutQuestion = isUnread && counts[0] === 0;
  const echo = isWithoutQuestion ? new Uint8Array(0) : message.subarray(12, 12 + query.question.length);
  const [given, sent] = [hex(echo), hex(query.question)];
  if (!isWithoutQuestion) {
    const isLike = lowerName(echo) === lowerName(query.question) && given.slice(-8) === sent.slice(-8);
    if (counts[0] !== 1 || !isLike) return { verdict: "foreign" };
  }
  const { options, isOdd, extended } = optOf(message, 12 + echo.length, counts);
  const cookie = query.cookie && options.find(({ code }) => code === 10)?.data;
  const isCookie = cookie && (cookie.length === 8 || (cookie.length >= 16 && cookie.length <= 40));
  if (isCookie && hex(cookie.subarray(0, 8)) !== hex(query.cookie ?? [])) {
    return { verdict: given === sent && !isWithoutQuestion ? "other-cookie" : "foreign" };
  }
  const serverCookie = isCookie ? hex(cookie.subarray(8)) : undefined;
  const verdict = judgeAll();
  return serverCookie === undefined ? verdict : { ...verdict, serverCookie };

  function judgeAll(): Expected {
    if (!isWithoutQuestion && given !== sent) return { verdict: "wrong-case" };
    if (cookie && !isCookie) return { verdict: "malformed" };
    if (isWithoutQuestion) return { verdict: "unread" };
    if (flags & 0x0200) return { verdict: "truncated" };
    const whole = extended * 16 + rcode;
    if (isUnread || whole === 16) return { verdict: "no-edns" };
    if (whole === 23 && serverCookie) return { verdict: "bad-cookie" };
    const why = whole === 2 ? "SERVFAIL" : whole === 5 ? "REFUSED" : `rcode ${whole}`;
    if (whole !== 0 && whole !== 3) return { verdict: "failure", rcode: whole, why };
    if (isOdd) return { verdict: "malformed" };
    try {
      return judge(message, view, flags, rcode, counts);
    } catch (error) {
      if (error instanceof Malformed) return { verdict: "malformed" };
      throw error;
    }
  }
}

/** The first OPT of the additional section, wherever its owner points to, if the sections can be walked up to it. */
function optOf(message: Uint8Array, start: number, [, answers, authorities, additionals]: number[]) {
  const bytes = Buffer.from(message);
  const none = { options: [] as { code: number; data: Buffer }[], isOdd: false, extended: 0 };
  const others = (answers ?? 0) + (authorities ?? 0);
  let at = start;
  for (let index = 0; index < others + (additionals ?? 0); index++) {
    for (let head = bytes[at]; head !== 0; head = bytes[at]) {
      if (head === undefined || (head > 63 && head < 0xc0)) return none;
      if (head >= 0xc0) {
        at += 1;
        break;
      }
      at += 1 + head;
    }
    at += 1;
    if (at + 10 > bytes.length) return none;
    const data = bytes.subarray(at + 10, at + 10 + bytes.readUInt16BE(at + 8));
    if (data.length < bytes.readUInt16BE(at + 8)) return none;
    if (index >= others && bytes.readUInt16BE(at) === OPT) {
      return { ...optionsOf(data), extended: bytes[at + 4] as number };
    }
    at += 10 + data.length;
  }
  return none;
}

function optionsOf(data: Buffer) {
  const options: { code: number; data: Buffer }[] = [];
  for (let at = 0; at < data.length; ) {
    if (at + 4 > data.length || at + 4 + data.readUInt16BE(at + 2) > data.length) return { options, isOdd: true };
    const next = at + 4 + data.readUInt16BE(at + 2);
    options.push({ code: data.readUInt16BE(at), data: data.subarray(at + 4, next) });
    at = next;
  }
  return { options, isOdd: false };
}

function judge(
  message: Uint8Array,
  view: DataView,
  flags: number,
  rcode: number,
  counts: [number, number, number, number],
): Expected {
  const question = readName(message, 12);
  const asked = view.getUint16(question.next);
  let at = question.next + 4;
  const section = (count: number) =>
    Array.from({ length: count }, () => {
      const { rr, next } = readRr(message, view, at);
      at = next;
      return rr;
    });
  const answers = section(counts[1]);
  const authorities = section(counts[2]);
  const additionals = section(counts[3]);

  if ([...answers, ...authorities].some((rr) => rr.type === OPT)) throw new Malformed();
  const opts = additionals.filter((rr) => rr.type === OPT);
  if (opts.length > 1 || opts.some((rr) => rr.owner.length > 0)) throw new Malformed();
  const wanted = answers.filter((rr) => rr.class === 1 && rr.type === asked);
  if (wanted.some((rr) => (asked === A && rr.bytes !== 4) || (asked === AAAA && rr.bytes !== 16)))
    throw new Malformed();
  const soas = authorities
    .filter((rr) => rr.class === 1 && rr.type === SOA)
    .map((rr) => ({ ...rr, minimum: readMinimum(message, view, rr) }));

  const chain = [question.labels];
  const ttls: number[] = [];
  let end = question.labels;
  for (;;) {
    const link = answers.find((rr) => rr.class === 1 && rr.type === CNAME && same(rr.owner, end));
    if (!link) break;
    if (chain.length > 16) {
      return { verdict: "failure", rcode, why: "a chain of CNAMEs that is too long or a loop" };
    }
    end = readWhole(message, link);
    chain.push(end);
    ttls.push(link.ttl);
  }
  const used = rcode === 3 ? [] : wanted.filter((rr) => same(rr.owner, end));
  const data = used.map((rr) => (asked === PTR ? readWhole(message, rr) : rr));
  const isLame =
    rcode === 0 && counts[1] === 0 && authorities.some((rr) => rr.class === 1 && rr.type === NS) && soas.length === 0;
  if (isLame && !(flags & 0x0480)) return { verdict: "failure", rcode, why: "a referral (lame)" };

  const isSupported = [A, AAAA, PTR].includes(asked);
  const isFitting =
    isSupported &&
    isText(question.labels) &&
    chain.slice(1).every(asked === PTR ? isText : isHost) &&
    data.every((item) => !Array.isArray(item) || isHost(item));
  const names = chain.map((labels) => labels.join("."));
  if (!isFitting) return { verdict: "answer", outcome: "unfit", names: names.slice(0, 1), data: [], ttl: 0 };
  if (used.length > 0) {
    const ttl = Math.min(...ttls, ...used.map((rr) => rr.ttl));
    const texts = data.map((item) =>
      Array.isArray(item)
        ? item.join(".")
        : Buffer.from(message.subarray(item.at, item.at + item.bytes)).toString("hex"),
    );
    return { verdict: "answer", outcome: "data", names, data: texts, ttl };
  }
  const own = soas.find(
    (rr) => same(rr.owner, end.slice(end.length - rr.owner.length)) && rr.owner.length <= end.length,
  );
  const ttl = Math.min(...(own ? [own.ttl, own.minimum] : [5]), ...ttls);
  return { verdict: "answer", outcome: rcode === 3 ? "no name" : "no data", names, data: [], ttl };
}

function readName(message: Uint8Array, start: number): { labels: string[]; next: number } {
  const labels: string[] = [];
  let next = 0;
  let segment = start;
  let bytes = 1;
  for (let at = start; ; ) {
    const head = message[at];
    if (head === undefined) throw new Malformed();
    if (head === 0) return { labels, next: next || at + 1 };
    if (head >= 0xc0) {
      const low = message[at + 1];
      if (low === undefined) throw new Malformed();
      next ||= at + 2;
      const target = (head & 63) * 256 + low;
      if (target >= segment) throw new Malformed();
      segment = at = target;
    } else {
      bytes += head + 1;
      if (head > 63 || bytes > 255 || at + 1 + head > message.length) throw new Malformed();
      labels.push(
        Buffer.from(message.subarray(at + 1, at + 1 + head))
          .toString("latin1")
          .replace(/[A-Z]/g, lower),
      );
      at += head + 1;
    }
  }
}

function readRr(message: Uint8Array, view: DataView, start: number): { rr: Rr; next: number } {
  const { labels: owner, next: at } = readName(message, start);
  if (at + 10 > message.length) throw new Malformed();
  const rawTtl = view.getUint32(at + 4);
  const bytes = view.getUint16(at + 8);
  const next = at + 10 + bytes;
  if (next > message.length) throw new Malformed();
  const ttl = rawTtl > 0x7fffffff ? 0 : rawTtl;
  return {
    rr: { owner, type: view.getUint16(at), class: view.getUint16(at + 2), ttl, at: at + 10, bytes },
    next,
  };
}

function readWhole(message: Uint8Array, rr: Rr): string[] {
  const { labels, next } = readName(message, rr.at);
  if (next !== rr.at + rr.bytes) throw new Malformed();
  return labels;
}

function readMinimum(message: Uint8Array, view: DataView, rr: Rr): number {
  const { next } = readName(message, readName(message, rr.at).next);
  if (next + 20 !== rr.at + rr.bytes) throw new Malformed();
  const minimum = view.getUint32(next + 16);
  return minimum > 0x7fffffff ? 0 : minimum;
}

const hex = (bytes: ArrayLike<number>) => Buffer.from(Uint8Array.from(bytes)).toString("hex");
const lowerName = (question: Uint8Array) =>
  Buffer.from(question.subarray(0, -4))
    .toString("latin1")
    .replace(/[A-Z]/g, (letter) => lower(letter));
const lower = (letter: string) => letter.toLowerCase();
const same = (one: string[], other: string[]) => JSON.stringify(one) === JSON.stringify(other);
const isText = (labels: string[]) =>
  labels.length > 0 && labels.every((label) => /^[!-~]+$/.test(label) && !/[.\\]/.test(label));
const isHost = (labels: string[]) =>
  labels.length > 0 && labels.every((l) => /^[a-z0-9_-]+$/.test(l)) && labels[0]?.[0] !== "-";
