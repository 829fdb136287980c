// Writes DNS messages byte by byte, with name compression (dns-packet has none) and with whatever a test wants wrong.

export type Name = string | readonly string[]; // text, or labels where these hold what text cannot

export interface Rr {
  name: Name;
  type: number;
  class?: number;
  ttl?: number;
  /** Bytes as they are, a name, or a SOA. */
  data: Uint8Array | { name: Name } | { soa: { minimum: number } };
}

export interface MessageParts {
  id?: number;
  flags?: number; // with the rcode
  questions?: { name: Name; type: number; class?: number }[];
  answers?: Rr[];
  authorities?: Rr[];
  additionals?: Rr[];
}

export const REPLY = 0x8180; // a reply by a recursive server
export const NOERROR = 0;
export const NXDOMAIN = 3;
export const NS = 2;
export const SOA = 6;
export const CNAME = 5;
export const PTR = 12;
export const A = 1;
export const AAAA = 28;
export const OPT = 41;

export function labelsOf(name: Name): readonly string[] {
  if (typeof name !== "string") return name;
  return name === "" ? [] : name.split(".");
}

export function ipv4(text: string): Uint8Array {
  return Uint8Array.from(text.split("."), Number);
}

export function a(name: Name, address: string, ttl = 60): Rr {
  return { name, type: A, ttl, data: ipv4(address) };
}

export function cname(name: Name, target: Name, ttl = 60): Rr {
  return { name, type: CNAME, ttl, data: { name: target } };
}

export function soa(name: Name, ttl: number, minimum: number): Rr {
  return { name, type: SOA, ttl, data: { soa: { minimum } } };
}

export type Option = { code: number; data: Uint8Array };

export function opt(extendedRcode = 0, options: readonly Option[] = []): Rr {
  const data = options.flatMap(({ code, data }) => [
    code >> 8,
    code & 255,
    data.length >> 8,
    data.length & 255,
    ...data,
  ]);
  return { name: "", type: OPT, class: 1232, ttl: extendedRcode * 0x1000000, data: Uint8Array.from(data) };
}

export function questionSection(name: Name, type: number, qclass = 1): Uint8Array {
  return encodeMessage({ questions: [{ name, type, class: qclass }] }).subarray(12);
}

export function encodeMessage(parts: MessageParts, compress = true): Uint8Array {
  const bytes: number[] = [];
  const seen = new Map<string, number>();
  const u16 = (value: number) => bytes.push((value >>> 8) & 255, value & 255);
  const u32 = (value: number) => {
    u16(value >>> 16);
    u16(value);
  };
  const writeName = (name: Name) => {
    const labels = labelsOf(name);
    for (let i = 0; i < labels.length; i++) {
      const rest = JSON.stringify(labels.slice(i)).toLowerCase();
      const target = compress ? seen.get(rest) : undefined;
      if (target !== undefined) return u16(0xc000 | target);
      if (bytes.length < 0x4000 && !seen.has(rest)) seen.set(rest, bytes.length);
      const label = Buffer.from(labels[i] as string, "latin1");
      bytes.push(label.length, ...label);
    }
    return bytes.push(0);
  };
  const writeRr = (rr: Rr) => {
    writeName(rr.name);
    u16(rr.type);
    u16(rr.class ?? 1);
    u32(rr.ttl ?? 60);
    const lengthAt = bytes.length;
    u16(0);
    if (rr.data instanceof Uint8Array) bytes.push(...rr.data);
    else if ("name" in rr.data) writeName(rr.data.name);
    else {
      writeName(["ns", "example"]);
      writeName(["hostmaster", "example"]);
      for (const value of [1, 7200, 900, 86400, rr.data.soa.minimum]) u32(value);
    }
    const length = bytes.length - lengthAt - 2;
    bytes[lengthAt] = length >>> 8;
    bytes[lengthAt + 1] = length & 255;
  };
  const { questions = [], answers = [], authorities = [], additionals = [] } = parts;
  for (const value of [parts.id ?? 0, parts.flags ?? REPLY]) u16(value);
  for (const section of [questions, answers, authorities, additionals]) u16(section.length);
  for (const question of questions) {
    writeName(question.name);
    u16(question.type);
    u16(question.class ?? 1);
  }
  for (const rr of [...answers, ...authorities, ...additionals]) writeRr(rr);
  return Uint8Array.from(bytes);
}
