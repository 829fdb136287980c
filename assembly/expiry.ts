// When a record ends. Times are milliseconds of CLOCK_MONOTONIC, given by the caller.

import {
  OUTCOME_DATA,
  OUTCOME_NO_DATA,
  OUTCOME_NO_NAME,
  RECORD_EXPIRES_AT_MS,
  RECORD_OUTCOME,
  RECORD_REFRESH_AT_MS,
  RECORD_STALE_MS,
  RECORD_TTL_SECONDS,
  STALE_FOR_MS,
} from "./layout";
import { RECORD } from "./memory";

const REFRESH_MS_PER_SECOND: u64 = 100; // the last tenth of the ttl
const USUAL_TIMES: f64 = 2;

// What is read back ends by these. A question's limits of its own may have let it last longer: then it is lost.
let maxTtlSeconds: u32 = 0;
let maxNegativeTtlSeconds: u32 = 0;

export function setLimits(maxSeconds: u32, maxNegativeSeconds: u32): void {
  maxTtlSeconds = maxSeconds;
  maxNegativeTtlSeconds = maxNegativeSeconds;
}

/**
 * Clamps the ttl of the record in RECORD to limits, and writes it with the times that follow from it. `usualMs` is what the
 * upstreams usually take for a question: a refresh begins early enough for twice that, but not before half of the ttl: else
 * slow upstreams would have each look cause the next refresh.
 *
 * The minimum lengthens no negative answer: a name that comes into being must be seen as its SOA promises.
 */
export function settle(nowMs: f64, usualMs: f64, minSeconds: u32, maxSeconds: u32, maxNegativeSeconds: u32): void {
  const outcome = <u32>load<u8>(RECORD, RECORD_OUTCOME);
  const given = load<u32>(RECORD, RECORD_TTL_SECONDS);
  const ttl = min(
    outcome == OUTCOME_DATA ? max(given, minSeconds) : given,
    longest(outcome, maxSeconds, maxNegativeSeconds),
  );
  const lifeMs = <u64>ttl * 1000;
  const expiresAtMs = <u64>nowMs + lifeMs;
  const leadMs = max(<u64>ttl * REFRESH_MS_PER_SECOND, <u64>(usualMs * USUAL_TIMES));
  store<u32>(RECORD, 0, RECORD_STALE_MS);
  store<u32>(RECORD, ttl, RECORD_TTL_SECONDS);
  store<u64>(RECORD, expiresAtMs, RECORD_EXPIRES_AT_MS);
  store<u64>(RECORD, expiresAtMs - min(leadMs, lifeMs / 2), RECORD_REFRESH_AT_MS);
}

export function isFresh(record: usize, nowMs: f64): bool {
  return load<u64>(record, RECORD_EXPIRES_AT_MS) > <u64>nowMs;
}

/** Whether the record in RECORD may be given out, although it may have expired up to `staleSeconds` ago. */
export function isInReach(nowMs: f64, staleSeconds: u32): bool {
  if (load<u8>(RECORD, RECORD_OUTCOME) != OUTCOME_DATA) return false;
  return isFresh(RECORD, nowMs) || staleEndMs(staleSeconds) > <u64>nowMs;
}

/**
 * Has the record in RECORD, which is in reach, last STALE_FOR_MS from now, but no longer than `staleSeconds` past its own
 * end; to be refreshed in the last tenth of that. False where it lasts as long already.
 */
export function extend(nowMs: f64, staleSeconds: u32): bool {
  const now = <u64>nowMs;
  const expiresAtMs = load<u64>(RECORD, RECORD_EXPIRES_AT_MS);
  const untilMs = min(now + STALE_FOR_MS, staleEndMs(staleSeconds));
  if (untilMs <= expiresAtMs) return false;
  store<u32>(RECORD, load<u32>(RECORD, RECORD_STALE_MS) + <u32>(untilMs - expiresAtMs), RECORD_STALE_MS);
  store<u64>(RECORD, untilMs, RECORD_EXPIRES_AT_MS);
  store<u64>(RECORD, max(now, untilMs - STALE_FOR_MS / 10), RECORD_REFRESH_AT_MS);
  return true;
}

/** False where it would last longer than a record of its kind that is settled or extended now. */
export function endsInTime(record: usize, nowMs: f64): bool {
  const longestMs = <u64>longest(load<u8>(record, RECORD_OUTCOME), maxTtlSeconds, maxNegativeTtlSeconds) * 1000;
  const expiresAtMs = load<u64>(record, RECORD_EXPIRES_AT_MS);
  const staleMs = <u64>load<u32>(record, RECORD_STALE_MS);
  if (staleMs > 0 && expiresAtMs > <u64>nowMs + STALE_FOR_MS) return false;
  return expiresAtMs - staleMs <= <u64>nowMs + longestMs;
}

function staleEndMs(staleSeconds: u32): u64 {
  const ownEndMs = load<u64>(RECORD, RECORD_EXPIRES_AT_MS) - load<u32>(RECORD, RECORD_STALE_MS);
  return ownEndMs + min(<u64>staleSeconds * 1000, u32.MAX_VALUE);
}

function longest(outcome: u32, maxSeconds: u32, maxNegativeSeconds: u32): u32 {
  if (outcome == OUTCOME_DATA) return maxSeconds;
  if (outcome == OUTCOME_NO_DATA || outcome == OUTCOME_NO_NAME) return min(maxSeconds, maxNegativeSeconds);
  return 0;
}
