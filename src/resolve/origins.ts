// Where the answers to the last questions came from: for people who ask. It is numbers only: whatever a question leaves behind
// for the garbage collector to look at costs more than all other counting together.
import { hashOf } from "../hash.ts";
import type { Question } from "../table/cache.ts";

export interface Origin {
  readonly upstream: string;
  readonly transport: Transport;
  /** From the last query to the reply. */
  readonly seconds: number;
  /** Since the epoch. */
  readonly atMs: number;
}

type Transport = (typeof TRANSPORTS)[number];
type From = Pick<Origin, "upstream" | "transport"> & { readonly tookMs: number };

export interface Origins {
  add(question: Question, from: From, atMs: number): void;
  get(question: Question): Origin | undefined;
}

const PLACES = 8192; // a power of two
const TRANSPORTS = ["udp", "tcp", "tls", "https"] as const;
const UPSTREAMS_MAX = 255; // more come only with resolv.conf files that name others again and again: then all begins anew

/** Each question has one place, in which the latest stands, known by a hash. */
export function createOrigins(count = PLACES): Origins {
  const hashes = new Int32Array(count);
  const upstreamsAt = new Uint8Array(count); // 0: none
  const transportsAt = new Uint8Array(count);
  const tookMsAt = new Float64Array(count);
  const timesAt = new Float64Array(count);
  const start = Math.floor(Math.random() * 2 ** 32);
  let upstreams: string[] = [];

  function hashOfQuestion({ name, type }: Question): number {
    return hashOf(name, start ^ type);
  }

  function numberOf(upstream: string): number {
    const known = upstreams.indexOf(upstream);
    if (known >= 0) return known + 1;
    if (upstreams.length === UPSTREAMS_MAX) {
      upstreams = [];
      upstreamsAt.fill(0);
    }
    return upstreams.push(upstream);
  }

  return {
    add(question, { upstream, transport, tookMs }, atMs) {
      const hash = hashOfQuestion(question);
      const at = hash & (count - 1);
      hashes[at] = hash;
      upstreamsAt[at] = numberOf(upstream);
      transportsAt[at] = TRANSPORTS.indexOf(transport);
      tookMsAt[at] = tookMs;
      timesAt[at] = atMs;
    },
    get(question) {
      const hash = hashOfQuestion(question);
      const at = hash & (count - 1);
      const upstream = upstreams[(upstreamsAt[at] as number) - 1];
      if (upstream === undefined || hashes[at] !== hash) return undefined;
      const transport = TRANSPORTS[transportsAt[at] as number] as Transport;
      return { upstream, transport, seconds: (tookMsAt[at] as number) / 1000, atMs: timesAt[at] as number };
    },
  };
}
