// DNS queries as they go out. One is built per attempt, since each attempt has an id of its own.
import { randomInt } from "node:crypto";
import dnsPacket from "dns-packet";
import { TYPE_A, TYPE_AAAA } from "../../assembly/layout.ts";
import type { Question } from "../cache.ts";
import type { Query } from "../message.ts";

const HEADER_BYTES = 12; // RFC 1035 section 4.1.1
const LENGTH_BYTES = 2; // RFC 1035 section 4.2.2, before a message over TCP
const UDP_PAYLOAD_BYTES = 1232; // fits every path's packet: DNS flag day 2020

export interface BuiltQuery extends Query {
  /** As sent over UDP. */
  readonly datagram: Uint8Array;
  /** As sent over TCP: the same with its length before it. */
  readonly stream: Uint8Array;
}

export function buildQuery(question: Question, withEdns: boolean): BuiltQuery {
  const id = randomInt(0x10000);
  const packet: dnsPacket.Packet = {
    type: "query",
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name: question.name, type: typeName(question.type) }],
    additionals: withEdns ? [OPT_RECORD] : [],
  };
  const stream = dnsPacket.streamEncode(packet);
  const datagram = stream.subarray(LENGTH_BYTES);
  const nameBytes = question.name.length + 2; // each dot's place holds a length; one length and the root are added
  return { id, question: datagram.subarray(HEADER_BYTES, HEADER_BYTES + nameBytes + 4), datagram, stream };
}

export function typeName(type: number): "A" | "AAAA" | "PTR" {
  return type === TYPE_A ? "A" : type === TYPE_AAAA ? "AAAA" : "PTR";
}

// @types/dns-packet wants all of OptAnswer's fields; the encoder fills in what is missing.
const OPT_RECORD = { type: "OPT", name: ".", udpPayloadSize: UDP_PAYLOAD_BYTES, flags: 0, options: [] } as never;
