// Counts of how long things took, in buckets that double: 0.25 ms up to 8.192 s, as CoreDNS has them.

export interface Durations {
  /** One count a bucket, each value in one; the last is for what is above all bounds. */
  readonly buckets: readonly number[];
  readonly sumSeconds: number;
}

export interface DurationCounter extends Durations {
  count(ms: number): void;
}

const FIRST_MS = 0.25;
const BOUNDS = 16;

/** Upper bounds in seconds. */
export const BOUND_SECONDS: readonly number[] = Array.from({ length: BOUNDS }, (_, i) => (FIRST_MS * 2 ** i) / 1000);

export function createDurations(): DurationCounter {
  const buckets = new Array<number>(BOUNDS + 1).fill(0);
  let sumMs = 0;
  return {
    buckets,
    get sumSeconds() {
      return sumMs / 1000;
    },
    count(ms) {
      sumMs += ms;
      const steps = Math.ceil(ms / FIRST_MS);
      const bucket = steps <= 1 ? 0 : 32 - Math.clz32(steps - 1);
      buckets[Math.min(bucket, BOUNDS)] = (buckets[Math.min(bucket, BOUNDS)] as number) + 1;
    },
  };
}

/** As plain data. */
export function durationsOf({ buckets, sumSeconds }: Durations): Durations {
  return { buckets: [...buckets], sumSeconds };
}
