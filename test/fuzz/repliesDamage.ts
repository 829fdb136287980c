// Damages replies, each by a random number of its own: one that is found again by its number alone.
import type { Seed } from "./repliesCorpus.ts";

export interface Damaged {
  readonly seed: Seed;
  /** Stays good until the next is made. */
  readonly message: Buffer;
}

export interface Random {
  /** From 0 on, below the limit. */
  below(limit: number): number;
}

const MESSAGE_BYTES_MAX = 65535;
const QUESTION_AT = 12;
const LARGE_EVERY = 512;
const TELLING_BYTES = [0, 1, 2, 5, 6, 10, 12, 16, 28, 41, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xff];
const TELLING_COUNTS = [0, 1, 2, 3, 16, 17, 255, 256, 6000, 65535];

/** Where in a message stand numbers that say where or how long others are. */
interface Places {
  readonly question: number; // its end
  readonly lengths: number[]; // of two bytes
  readonly heads: number[]; // of labels, and pointers
  readonly types: number[];
}

export function damager(corpus: readonly Seed[]): (number: number) => Damaged {
  const common = corpus.filter(({ isLarge }) => !isLarge);
  const large = corpus.filter(({ isLarge }) => isLarge);
  const places = new Map(corpus.map((seed) => [seed, placesOf(seed)]));
  const bytes = Buffer.alloc(MESSAGE_BYTES_MAX);

  return function damage(number) {
    const random = randomOf(number);
    const seed = pick(random.below(LARGE_EVERY) === 0 ? large : common, random);
    const known = places.get(seed) as Places;
    bytes.set(seed.message);
    let length = seed.message.length;
    for (let steps = 1 + random.below(4); steps > 0; steps--) {
      length = step(random, length, known);
    }
    return { seed, message: bytes.subarray(0, length) };
  };

  /** One change; gives the new length. What stands before the question's end is mostly left alone: else all is foreign. */
  function step(random: Random, length: number, known: Places): number {
    const start = random.below(8) === 0 ? 0 : known.question;
    if (length <= start) return length;
    const at = start + random.below(length - start);
    switch (random.below(11)) {
      case 0:
        bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
        return length;
      case 1:
        bytes[at] = random.below(256);
        return length;
      case 2:
        bytes[at] = pick(TELLING_BYTES, random);
        return length;
      case 3:
        return at;
      case 4:
        bytes.writeUInt16BE(pick(TELLING_COUNTS, random), 6 + 2 * random.below(3));
        return length;
      case 5: {
        const lengthAt = pick(known.lengths, random) ?? at;
        if (lengthAt + 2 > length) return length;
        const near = bytes.readUInt16BE(lengthAt) + random.below(9) - 4;
        bytes.writeUInt16BE((random.below(3) === 0 ? random.below(65536) : near) & 0xffff, lengthAt);
        return length;
      }
      case 6: {
        const headAt = pick(known.heads, random) ?? at;
        if (headAt + 2 > length) return length;
        if (random.below(2) === 0) {
          bytes[headAt] = pick(TELLING_BYTES, random);
        } else {
          const target = pick([random.below(length), headAt, 12, headAt - 1, headAt + 1], random);
          bytes.writeUInt16BE(0xc000 | (target & 0x3fff), headAt);
        }
        return length;
      }
      case 7: {
        const typeAt = pick(known.types, random) ?? at;
        if (typeAt + 2 <= length) bytes.writeUInt16BE(pick(TELLING_BYTES, random), typeAt);
        return length;
      }
      case 8:
        return insert(random, at, length);
      case 9: {
        const gone = 1 + random.below(Math.min(40, length - at));
        bytes.copyWithin(at, at + gone, length);
        return length - gone;
      }
      default:
        return splice(random, at);
    }
  }

  /** A part of the message once more, or noise. */
  function insert(random: Random, at: number, length: number): number {
    const from = random.below(length);
    const more = Math.min(1 + random.below(40), length - from, MESSAGE_BYTES_MAX - length);
    const part = Buffer.from(bytes.subarray(from, from + more));
    if (random.below(2) === 0) for (let i = 0; i < more; i++) part[i] = random.below(256);
    bytes.copyWithin(at + more, at, length);
    bytes.set(part, at);
    return length + more;
  }

  /** Goes on with the rest of another. */
  function splice(random: Random, at: number): number {
    const { message } = pick(common, random);
    const rest = message.subarray(random.below(message.length), message.length).subarray(0, MESSAGE_BYTES_MAX - at);
    bytes.set(rest, at);
    return at + rest.length;
  }
}

/** Mulberry32, begun by the number. */
function randomOf(number: number): Random {
  let state = Math.imul(number ^ 0x5bd1e995, 0x9e3779b1);
  return {
    below(limit) {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
    },
  };
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[random.below(from.length)] as T;
}

/** Walks a whole message; what is odd in a seed ends the walk. */
function placesOf({ message, query }: Seed): Places {
  const bytes = Buffer.from(message);
  const hasQuestion = bytes.readUInt16BE(4) === 1;
  const places = {
    question: QUESTION_AT + (hasQuestion ? query.question.length : 0),
    lengths: [],
    heads: [],
    types: [],
  } as Places;
  for (let at = places.question; at < bytes.length; ) {
    const fields = nameEnd(at);
    if (fields + 10 > bytes.length) break;
    places.types.push(fields);
    places.lengths.push(fields + 8);
    const data = fields + 10;
    const next = data + bytes.readUInt16BE(fields + 8);
    const type = bytes.readUInt16BE(fields);
    if (type === 5 || type === 12 || type === 2) nameEnd(data);
    if (type === 6 && next > data) nameEnd(nameEnd(data));
    if (type === 41) for (let option = data; option + 4 <= next; ) option += 4 + bytes.readUInt16BE(noted(option + 2));
    at = next;
  }
  return places;

  function noted(at: number): number {
    places.lengths.push(at);
    return at;
  }
  function nameEnd(start: number): number {
    for (let at = start; at < bytes.length; ) {
      const head = bytes[at] as number;
      places.heads.push(at);
      if (head >= 0xc0) return at + 2;
      if (head === 0) return at + 1;
      at += 1 + head;
    }
    return bytes.length;
  }
}
