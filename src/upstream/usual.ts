// What the upstreams usually take for a whole question: a smoothed mean, so that a refresh can begin early enough.

export interface Usual {
  /** A question was answered. */
  took(ms: number): void;
  /** 0 before the first answer. */
  ms(): number;
}

const GAIN = 1 / 8; // RFC 6298 section 2.3

export function createUsual(): Usual {
  let mean: number | undefined;
  return {
    took(ms) {
      mean = mean === undefined ? ms : mean + (ms - mean) * GAIN;
    },
    ms: () => mean ?? 0,
  };
}
