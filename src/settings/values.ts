// Values that settings and rules have in common: whole numbers within bounds, and lists of DNS servers.
import { type UpstreamAddress, upstreamAddress } from "../upstream/address.ts";

export interface Value<T> {
  /** In words, for who has written something else. */
  readonly accepted: string;
  /** Undefined where the text is not accepted. */
  read(text: string): T | undefined;
}

export const UPSTREAMS_MAX = 16;

export const MIN_TTL = wholeNumber(0, 86_400, "seconds");
export const MAX_TTL = wholeNumber(1, 604_800, "seconds");
export const MAX_NEGATIVE_TTL = wholeNumber(0, 10_800, "seconds");
export const STALE = wholeNumber(0, 604_800, "seconds; 0 is off");

export function wholeNumber(min: number, max: number, unit: string): Value<number> {
  return {
    accepted: `a whole number from ${min} to ${max} (${unit})`,
    read(text) {
      const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

export function upstreamList(text: string): readonly UpstreamAddress[] | undefined {
  const upstreams = text.split(",").map((item) => upstreamAddress(item.trim()));
  if (upstreams.length > UPSTREAMS_MAX || upstreams.includes(undefined)) return undefined;
  return upstreams as UpstreamAddress[];
}
