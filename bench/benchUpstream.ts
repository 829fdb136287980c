// `node dist/benchUpstream.js HOST`: a DNS server on port 53 that knows addresses by rule, so that a million names need
// no zone and a reply costs little: it shares the machine with what is measured. Over UDP and TCP; writes `ready` when it is.
//   n7.bench.example    one address per family: 10.0.0.7 and 2001:db8::a00:7
//   m8.bench.example    four, counting up from its number's
//   o9.bench.example    one of IPv4, none of IPv6
//   n7.far.bench.example    the same, FAR_MS later; n7.distant.bench.example, DISTANT_MS later
// Names that do not end in bench.example do not exist; a search list has such candidates. Denials of those that begin with o
// come without a SOA.
import dgram from "node:dgram";
import net from "node:net";

const LATE_MS: Readonly<Record<string, number>> = { far: 5, distant: 100 };
const ZONE_WIRE = Buffer.from("\x05bench\x07example\0", "latin1");
const NEGATIVE_SECONDS = 60;
const TTL_SECONDS = 86_400; // no entry ends, or is refreshed, during a run
const HEADER_BYTES = 12;
const A = 1;
const AAAA = 28;
const RECORD_BYTES_MAX = 28;
const ADDRESSES: Record<string, number> = { n: 1, m: 4, o: 1 };
const V4_BASE = 0x0a000000;
const V6_PREFIX = Buffer.from("20010db80000000000000000", "hex");

const socket = dgram.createSocket({ type: "udp4", recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
socket.on("message", (query, from) => {
  const reply = replyTo(query);
  if (reply === undefined) return;
  const send = () => socket.send(reply.bytes, from.port, from.address);
  if (reply.lateMs > 0) setTimeout(send, reply.lateMs);
  else send();
});
const HOST = process.argv[2] ?? "127.0.0.1";
const tcp = net.createServer((connection) => {
  let received: Buffer = Buffer.alloc(0);
  connection.on("error", () => connection.destroy());
  connection.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const reply = replyTo(received.subarray(2, end));
      received = received.subarray(end);
      if (reply === undefined) continue;
      const { bytes, lateMs } = reply;
      const framed = Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
      if (lateMs > 0) setTimeout(() => connection.write(framed), lateMs);
      else connection.write(framed);
    }
  });
});
tcp.listen(53, HOST, () => socket.bind(53, HOST, () => console.log("ready")));

function replyTo(query: Buffer): { bytes: Buffer; lateMs: number } | undefined {
  const nameEnd = query.indexOf(0, HEADER_BYTES);
  if (nameEnd < 0 || query.length < nameEnd + 5) return undefined;
  const questionEnd = nameEnd + 5;
  const type = query.readUInt16BE(nameEnd + 1);
  const firstEnd = HEADER_BYTES + 1 + (query[HEADER_BYTES] as number);
  const second = query.toString("latin1", firstEnd + 1, firstEnd + 1 + (query[firstEnd] as number)).toLowerCase();
  const lateMs = LATE_MS[second] ?? 0;
  const zone = query.toString("latin1", nameEnd + 1 - ZONE_WIRE.length, nameEnd + 1).toLowerCase();
  const match = /^([nmo])(\d+)$/i.exec(query.toString("latin1", HEADER_BYTES + 1, firstEnd));
  const label = match?.[1]?.toLowerCase() ?? "";
  if (zone !== ZONE_WIRE.toString("latin1")) {
    const bytes = negativeReply(query.subarray(0, questionEnd));
    return { bytes: label === "o" ? withoutSoa(bytes, questionEnd) : bytes, lateMs };
  }
  const isHere = type === A || (type === AAAA && label !== "o");
  const count = isHere ? (ADDRESSES[label] ?? 0) : 0;
  const number = Number(match?.[2]);

  const bytes = Buffer.alloc(questionEnd + count * RECORD_BYTES_MAX);
  query.copy(bytes, 0, 0, questionEnd);
  bytes.writeUInt16BE(match === null ? 0x8183 : 0x8180, 2);
  bytes.writeUInt16BE(count, 6);
  bytes.writeUInt32BE(0, 8);
  let at = questionEnd;
  for (let i = 0; i < count; i++) at = writeRecord(bytes, at, type, number + i);
  return { bytes: bytes.subarray(0, at), lateMs };
}

/** NXDOMAIN with the SOA by which it may be kept (RFC 2308). */
function negativeReply(queried: Buffer): Buffer {
  const soa = Buffer.alloc(1 + 10 + 22); // the root's, with two root names and five numbers
  soa.writeUInt16BE(6, 1);
  soa.writeUInt16BE(1, 3);
  soa.writeUInt32BE(NEGATIVE_SECONDS, 5);
  soa.writeUInt16BE(22, 9);
  soa.writeUInt32BE(NEGATIVE_SECONDS, soa.length - 4);
  const bytes = Buffer.concat([queried, soa]);
  bytes.writeUInt16BE(0x8183, 2);
  bytes.writeUInt16BE(0, 6);
  bytes.writeUInt16BE(1, 8);
  bytes.writeUInt16BE(0, 10);
  return bytes;
}

function withoutSoa(reply: Buffer, questionEnd: number): Buffer {
  reply.writeUInt16BE(0, 8);
  return reply.subarray(0, questionEnd);
}

function writeRecord(bytes: Buffer, from: number, type: number, number: number): number {
  let at = bytes.writeUInt16BE(0xc000 | HEADER_BYTES, from);
  at = bytes.writeUInt16BE(type, at);
  at = bytes.writeUInt16BE(1, at);
  at = bytes.writeUInt32BE(TTL_SECONDS, at);
  at = bytes.writeUInt16BE(type === A ? 4 : 16, at);
  if (type === AAAA) at += V6_PREFIX.copy(bytes, at);
  return bytes.writeUInt32BE(V4_BASE + number, at);
}
