// When a record ends. Times are milliseconds of CLOCK_MONOTONIC, given by the caller.

import {
  OUTCOME_DATA,
  OUTCOME_NO_DATA,
  OUTCOME_NO_NAME,
  RECORD_EXPIRES_AT_MS,
  RECORD_GENERATION,
  RECORD_OUTCOME,
  RECORD_REFRESH_AT_MS,
  RECORD_TTL_SECONDS,
} from "./layout";
import { RECORD } from "./memory";

const REFRESH_MS_PER_SECOND: u64 = 100; // the last tenth of the ttl
const USUAL_TIMES: f64 = 2;

let minTtlSeconds: u32 = 0;
let maxTtlSeconds: u32 = 0;
let maxNegativeTtlSeconds: u32 = 0;

export function setLimits(minimumSeconds: u32, maximumSeconds: u32, maximumNegativeSeconds: u32): void {
  minTtlSeconds = minimumSeconds;
  maxTtlSeconds = maximumSeconds;
  maxNegativeTtlSeconds = maximumNegativeSeconds;
}

/**
 * Clamps the ttl of the record in RECORD and writes it with the times that follow from it. `usualMs` is what the upstreams
 * usually take for a question: a refresh begins early enough for twice that, but not before half of the ttl: else slow
 * upstreams would have each look cause the next refresh.
 */
export function settle(nowMs: f64, usualMs: f64): void {
  const ttl = clamp(load<u8>(RECORD, RECORD_OUTCOME), load<u32>(RECORD, RECORD_TTL_SECONDS));
  const lifeMs = <u64>ttl * 1000;
  const expiresAtMs = <u64>nowMs + lifeMs;
  const leadMs = max(<u64>ttl * REFRESH_MS_PER_SECOND, <u64>(usualMs * USUAL_TIMES));
  store<u32>(RECORD, 0, RECORD_GENERATION);
  store<u32>(RECORD, ttl, RECORD_TTL_SECONDS);
  store<u64>(RECORD, expiresAtMs, RECORD_EXPIRES_AT_MS);
  store<u64>(RECORD, expiresAtMs - min(leadMs, lifeMs / 2), RECORD_REFRESH_AT_MS);
}

export function isFresh(record: usize, nowMs: f64): bool {
  return load<u64>(record, RECORD_EXPIRES_AT_MS) > <u64>nowMs;
}

/** False where it would last longer than a record of its kind that is settled now. */
export function endsInTime(record: usize, nowMs: f64): bool {
  const longestMs = <u64>longestSeconds(load<u8>(record, RECORD_OUTCOME)) * 1000;
  return load<u64>(record, RECORD_EXPIRES_AT_MS) <= <u64>nowMs + longestMs;
}

/** The minimum lengthens no negative answer: a name that comes into being must be seen as its SOA promises. */
function clamp(outcome: u32, ttlSeconds: u32): u32 {
  return outcome == OUTCOME_DATA
    ? min(max(ttlSeconds, minTtlSeconds), maxTtlSeconds)
    : min(ttlSeconds, longestSeconds(outcome));
}

function longestSeconds(outcome: u32): u32 {
  if (outcome == OUTCOME_DATA) return maxTtlSeconds;
  if (outcome == OUTCOME_NO_DATA || outcome == OUTCOME_NO_NAME) return min(maxTtlSeconds, maxNegativeTtlSeconds);
  return 0;
}
