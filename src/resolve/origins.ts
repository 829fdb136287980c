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
  add(key: string, origin: Origin): void;
  get(key: string): Origin | undefined;
}

const ORIGINS_MAX = 4096;

export function createOrigins(): Origins {
  const origins = new Map<string, Origin>(); // oldest first
  return {
    add(key, origin) {
      origins.delete(key);
      origins.set(key, origin);
      if (origins.size <= ORIGINS_MAX) return;
      for (const oldest of origins.keys()) {
        origins.delete(oldest);
        return;
      }
    },
    get: (key) => origins.get(key),
  };
}
