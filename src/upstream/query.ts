// DNS queries as they go out. One is built per attempt, since each attempt has an id and a spelling of its own.
import { randomFillSync } from "node:crypto";
import dnsPacket from "dns-packet";
import type { Question } from "../table/cache.ts";
import type { Query } from "../table/message.ts";
import { typeName } from "../type.ts";

export interface QueryForm {
  /** The largest datagram that the server may reply with, told by EDNS; undefined is no EDNS, and 512 (RFC 1035 section 2.3.4). */
  readonly ednsBytes: number | undefined;
  /** The client's cookie and, where it is known, the server's (RFC 7873); needs EDNS. */
  readonly cookie?: Uint8Array | undefined;
  /** Letters in upper and lower case at random, which only who sees the query can repeat. */
  readonly mixedCase: boolean;
  /** To a multiple of 128 bytes (RFC 8467), for transports that hide all but the length; needs EDNS. */
  readonly padded: boolean;
}

export interface BuiltQuery extends Query {
  id: number;
  /** Some of its letters are in upper case. */
  readonly hasMixedCase: boolean;
  /** As sent over UDP. */
  readonly datagram: Buffer;
  /** As sent over TCP: the same with its length before it. */
  readonly stream: Buffer;
}

const HEADER_BYTES = 12; // RFC 1035 section 4.1.1
const ROOT_QUESTION_BYTES = 5; // an empty name, type and class
const LENGTH_BYTES = 2; // RFC 1035 section 4.2.2, before a message over TCP
const COOKIE_OPTION = 10; // RFC 7873 section 4
const PADDING_OPTION = 12; // RFC 7830
const OPTION_HEADER_BYTES = 4;
const PADDED_BLOCK_BYTES = 128; // RFC 8467 section 4.1
const CASE_BIT = 0x20;

/** With the id 0: transports give it one. */
export function buildQuery(question: Question, form: QueryForm): BuiltQuery {
  const options: Option[] = form.cookie === undefined ? [] : [{ code: COOKIE_OPTION, data: Buffer.from(form.cookie) }];
  const { ednsBytes } = form;
  const type = typeName(question.type);
  let stream = encode(question.name, type, ednsBytes, options);
  if (ednsBytes !== undefined && form.padded) {
    const over = (stream.length - LENGTH_BYTES + OPTION_HEADER_BYTES) % PADDED_BLOCK_BYTES;
    const padding = Buffer.alloc(over === 0 ? 0 : PADDED_BLOCK_BYTES - over);
    stream = encode(question.name, type, ednsBytes, [...options, { code: PADDING_OPTION, data: padding }]);
  }
  const datagram = stream.subarray(LENGTH_BYTES);
  const nameBytes = question.name.length + 2; // each dot's place holds a length; one length and the root are added
  const asked = datagram.subarray(HEADER_BYTES, HEADER_BYTES + nameBytes + 4);
  const hasMixedCase = form.mixedCase && mixCase(asked.subarray(0, nameBytes));
  const cookie = ednsBytes === undefined ? undefined : form.cookie?.subarray(0, 8);
  return { id: 0, question: asked, cookie, hasMixedCase, datagram, stream };
}

/** `. NS`: what every resolver knows, and nobody's name. Without EDNS where it is not said how many bytes are taken. */
export function buildProbe(ednsBytes?: number): BuiltQuery {
  const stream = encode(".", "NS", ednsBytes, []);
  const datagram = stream.subarray(LENGTH_BYTES);
  return {
    id: 0,
    question: datagram.subarray(HEADER_BYTES, HEADER_BYTES + ROOT_QUESTION_BYTES),
    hasMixedCase: false,
    datagram,
    stream,
  };
}

export function stampId(query: BuiltQuery, id: number): void {
  query.id = id;
  query.datagram.writeUInt16BE(id, 0);
}

const random = Buffer.alloc(4096);
let randomAt = random.length;

/** A random id, from the system's generator by the thousand bytes. */
export function randomId(): number {
  if (randomAt + 2 > random.length) refill();
  randomAt += 2;
  return random.readUInt16LE(randomAt - 2);
}

/** Lengths and digits have no case: only letters change. */
function mixCase(name: Buffer): boolean {
  const letters = name.length;
  let changed = 0;
  if (randomAt + letters > random.length) refill();
  for (let i = 0; i < letters; i++) {
    const byte = name[i] as number;
    const isLetter = byte >= 0x61 && byte <= 0x7a;
    const bit = (random[randomAt + i] as number) & CASE_BIT;
    if (isLetter) {
      name[i] = byte ^ bit;
      changed |= bit;
    }
  }
  randomAt += letters;
  return changed !== 0;
}

function refill(): void {
  randomFillSync(random);
  randomAt = 0;
}

type Option = { code: number; data: Buffer };

function encode(
  name: string,
  type: "A" | "AAAA" | "PTR" | "NS",
  ednsBytes: number | undefined,
  options: readonly Option[],
): Buffer {
  return dnsPacket.streamEncode({
    type: "query",
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type }],
    additionals: ednsBytes === undefined ? [] : [optRecord(ednsBytes, options)],
  });
}

/** @types/dns-packet wants all of OptAnswer's fields; the encoder fills in what is missing. */
function optRecord(udpPayloadSize: number, options: readonly Option[]) {
  return { type: "OPT", name: ".", udpPayloadSize, flags: 0, options } as never;
}
