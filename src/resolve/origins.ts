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

const ORIGINS_MAX = 4096;

/** A ring: to take a Map's first key out, over and over, costs a walk over all that were taken out before. */
export function createOrigins(originsMax = ORIGINS_MAX): Origins {
  const places = new Map<string, number>();
  const keys: string[] = [];
  const upstreams: string[] = [];
  const transports: Array<Origin["transport"]> = [];
  const tookMs = new Float64Array(originsMax);
  const atMs = new Float64Array(originsMax);
  let next = 0;
  return {
    add(key, from, now) {
      const last = keys[next];
      if (last !== undefined && places.get(last) === next) places.delete(last);
      keys[next] = key;
      upstreams[next] = from.upstream;
      transports[next] = from.transport;
      tookMs[next] = from.tookMs;
      atMs[next] = now;
      places.set(key, next);
      next = (next + 1) % originsMax;
    },
    get(key) {
      const place = places.get(key);
      if (place === undefined) return undefined;
      return {
        upstream: upstreams[place] as string,
        transport: transports[place] as Origin["transport"],
        seconds: (tookMs[place] as number) / 1000,
        atMs: atMs[place] as number,
      };
    },
  };
}
