// A small real DNS server for a zone given as an object: the demo's example upstream, and the tests' fake one.
// It keeps a list of what it was asked, which is how a test proves that the cache answered.
import net from "node:net";
import { DgramAsPromised } from "dgram-as-promised";
import dnsPacket from "dns-packet";

export interface ZoneEntry {
  readonly ttl?: number;
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  readonly PTR?: readonly string[];
  readonly CNAME?: string;
}
export type Zone = Readonly<Record<string, ZoneEntry>>;

export type Transport = "udp" | "tcp";
export interface Asked {
  readonly name: string;
  readonly type: string;
  readonly transport: Transport;
}

export interface UpstreamOptions {
  readonly zone: Zone;
  readonly host?: string;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  readonly delayMs?: number;
  /** Minimum of the SOA that negative replies carry, in seconds; undefined leaves the SOA out. */
  readonly soaMinimum?: number | undefined;
  readonly onAsked?: (asked: Asked) => void;
  /** Looks at a reply before it is sent: gives another, or raw bytes, or undefined for silence. */
  readonly tamper?: (reply: dnsPacket.Packet, query: dnsPacket.Packet, asked: Asked) => Tampered;
}
export type Tampered = dnsPacket.Packet | Buffer | undefined;

export interface Upstream {
  readonly host: string;
  readonly port: number;
  readonly asked: Asked[];
  /** How often a name was asked for with a type. */
  count(name: string, type: string): number;
  close(): Promise<void>;
}

const DEFAULT_TTL = 300;
const CHAIN_MAX = 32;
const PLAIN_UDP_BYTES = 512; // RFC 1035 section 2.3.4

export async function startUpstream(options: UpstreamOptions): Promise<Upstream> {
  const host = options.host ?? "127.0.0.1";
  const asked: Asked[] = [];
  const sockets = new Set<net.Socket>();
  const delayed = new Set<NodeJS.Timeout>();

  function respond(message: Buffer, transport: Transport, send: (reply: Buffer) => void): void {
    const query = decode(message);
    const question = query?.questions?.[0];
    if (query === undefined || question === undefined) return;
    const entry = { name: question.name.toLowerCase(), type: question.type, transport };
    asked.push(entry);
    options.onAsked?.(entry);
    const honest = replyTo(query, question, options);
    const reply = options.tamper === undefined ? honest : options.tamper(honest, query, entry);
    if (reply === undefined) return;
    const bytes = Buffer.isBuffer(reply) ? reply : encode(reply, query, transport);
    if (options.delayMs === undefined) {
      send(bytes);
      return;
    }
    const late = setTimeout(() => {
      delayed.delete(late);
      send(bytes);
    }, options.delayMs);
    delayed.add(late);
  }

  const tcp = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let pending = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0);
        const message = pending.subarray(2, end);
        pending = pending.subarray(end);
        respond(message, "tcp", (reply) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          if (!socket.destroyed) socket.write(Buffer.concat([length, reply]));
        });
      }
    });
  });
  const { udp, port } = await bindBoth(tcp, host, options.port ?? 0);
  udp.socket.on("message", (message, from) =>
    respond(message, "udp", (reply) => udp.socket.send(reply, from.port, from.address, () => undefined)),
  );

  return {
    host,
    port,
    asked,
    count: (name, type) => asked.filter((entry) => entry.name === name && entry.type === type).length,
    async close() {
      for (const late of delayed) clearTimeout(late);
      for (const socket of sockets) socket.destroy();
      await Promise.all([udp.close(), new Promise((resolve) => tcp.close(resolve))]);
    },
  };
}

/** UDP and TCP on one port number: a free UDP port may be taken for TCP, so a chosen one is tried again. */
async function bindBoth(tcp: net.Server, host: string, port: number) {
  for (let attempt = 0; ; attempt++) {
    const udp = DgramAsPromised.createSocket(net.isIPv6(host) ? "udp6" : "udp4");
    const bound = await udp.bind({ address: host, port });
    try {
      await new Promise<void>((resolve, reject) => {
        tcp.once("error", reject);
        tcp.listen(bound.port, host, () => {
          tcp.off("error", reject);
          resolve();
        });
      });
      return { udp, port: bound.port };
    } catch (error) {
      await udp.close();
      if (port !== 0 || attempt === 10) throw error;
    }
  }
}

function decode(message: Buffer): dnsPacket.DecodedPacket | undefined {
  try {
    return dnsPacket.decode(message);
  } catch {
    return undefined;
  }
}

/** The honest reply. */
export function replyTo(
  query: dnsPacket.Packet,
  question: dnsPacket.Question,
  options: Pick<UpstreamOptions, "zone" | "soaMinimum">,
): dnsPacket.Packet {
  const answers: dnsPacket.Answer[] = [];
  let owner = question.name;
  let entry = options.zone[owner.toLowerCase()];
  while (entry?.CNAME !== undefined && question.type !== "CNAME" && answers.length < CHAIN_MAX) {
    answers.push({ type: "CNAME", name: owner, ttl: entry.ttl ?? DEFAULT_TTL, data: entry.CNAME });
    owner = entry.CNAME;
    entry = options.zone[owner.toLowerCase()];
  }
  const ttl = entry?.ttl ?? DEFAULT_TTL;
  const type = question.type as "A" | "AAAA" | "PTR";
  const data = entry?.[type] ?? [];
  for (const item of data) answers.push({ type, name: owner, ttl, data: item });
  const reply: dnsPacket.Packet = {
    type: "response",
    id: query.id ?? 0,
    flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | (entry === undefined ? 3 : 0),
    questions: [question],
    answers,
    additionals: isEdns(query) ? [optRecord()] : [],
  };
  const minimum = "soaMinimum" in options ? options.soaMinimum : 10;
  if (data.length === 0 && minimum !== undefined) reply.authorities = [soaRecord(owner, minimum)];
  return reply;
}

/** Truncated where it is too long for a datagram of the size that the query allows. */
export function encode(reply: dnsPacket.Packet, query: dnsPacket.Packet, transport: Transport): Buffer {
  const bytes = dnsPacket.encode(reply);
  if (transport === "tcp" || bytes.length <= udpLimit(query)) return bytes;
  return dnsPacket.encode({
    ...reply,
    flags: (reply.flags ?? 0) | dnsPacket.TRUNCATED_RESPONSE,
    answers: [],
    authorities: [],
  });
}

function optOf(query: dnsPacket.Packet) {
  return query.additionals?.find((record) => record.type === "OPT");
}
function isEdns(query: dnsPacket.Packet): boolean {
  return optOf(query) !== undefined;
}
function udpLimit(query: dnsPacket.Packet): number {
  const opt = optOf(query);
  return Math.max(PLAIN_UDP_BYTES, opt?.type === "OPT" ? opt.udpPayloadSize : 0);
}
function optRecord(): dnsPacket.Answer {
  return { type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0, options: [] } as unknown as dnsPacket.Answer;
}
/** Of the top-level zone. */
function soaRecord(owner: string, minimum: number): dnsPacket.Answer {
  const data = { mname: "ns.example", rname: "hostmaster.example", serial: 1, refresh: 60, retry: 60, expire: 60 };
  return {
    type: "SOA",
    name: owner.slice(owner.lastIndexOf(".") + 1) || ".",
    ttl: minimum,
    data: { ...data, minimum },
  };
}
