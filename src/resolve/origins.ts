// Where the answers to the last questions came from: for people who ask.

export interface Origin {
  readonly upstream: string;
  readonly transport: "udp" | "tcp" | "tls" | "https";
  /** From the last query to the reply. */
  readonly seconds: number;
  /** Since the epoch. */
  readonly atMs: number;
}

export interface Origins {
  add(key: string, from: Pick<Origin, "upstream" | "transport"> & { readonly tookMs: number }, atMs: number): void;
  get(key: string): Origin | undefined;
}

const PLACES = 8192; // a power of two

/** Each question has one place, in which the latest stands: to find out costs next to nothing, which each miss pays for. */
export function createOrigins(places = PLACES): Origins {
  const keys: string[] = new Array(places).fill("");
  const upstreams: string[] = new Array(places).fill("");
  const transports = new Array<Origin["transport"]>(places).fill("udp");
  const tookMs = new Float64Array(places);
  const atMs = new Float64Array(places);

  return {
    add(key, from, now) {
      const place = hashOf(key) & (places - 1);
      keys[place] = key;
      upstreams[place] = from.upstream;
      transports[place] = from.transport;
      tookMs[place] = from.tookMs;
      atMs[place] = now;
    },
    get(key) {
      const place = hashOf(key) & (places - 1);
      if (keys[place] !== key) return undefined;
      return {
        upstream: upstreams[place] as string,
        transport: transports[place] as Origin["transport"],
        seconds: (tookMs[place] as number) / 1000,
        atMs: atMs[place] as number,
      };
    },
  };
}

/** FNV-1a: whoever makes names collide takes nothing from anybody but where an answer came from. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash ^ (hash >>> 15);
}
