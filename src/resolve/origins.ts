// Where the answers to the last questions came from: for people who ask.

export interface Origin {
  readonly upstream: string;
  readonly transport: "udp" | "tcp" | "tls" | "https";
  /** From the last query to the reply. */
  readonly seconds: number;
  /** Since the epoch. */
  readonly atMs: number;
}

type From = Pick<Origin, "upstream" | "transport"> & { readonly tookMs: number };

export interface Origins {
  add(key: string, from: From, atMs: number): void;
  get(key: string): Origin | undefined;
}

interface Place {
  readonly key: string;
  readonly from: From;
  readonly atMs: number;
}

const PLACES = 8192; // a power of two

/** Each question has one place, in which the latest stands: to find out costs next to nothing, which each miss pays for. */
export function createOrigins(count = PLACES): Origins {
  const places: (Place | undefined)[] = new Array(count).fill(undefined);

  return {
    add(key, from, atMs) {
      places[hashOf(key) & (count - 1)] = { key, from, atMs };
    },
    get(key) {
      const place = places[hashOf(key) & (count - 1)];
      if (place?.key !== key) return undefined;
      const { from, atMs } = place;
      return { upstream: from.upstream, transport: from.transport, seconds: from.tookMs / 1000, atMs };
    },
  };
}

/** FNV-1a: whoever makes names collide takes nothing from anybody but where an answer came from. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash ^ (hash >>> 15);
}
