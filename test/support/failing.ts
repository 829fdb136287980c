// How a zone's server fails, the same for the one that libc asks and the one that the cache asks: SERVFAIL for all names
// under `broken.`, for AAAA under `halfbroken.`, and for the names of 198.51.100.0/24.
import type { UpstreamOptions } from "../../demo/upstream.ts";

export const BROKEN_ADDRESS = "198.51.100.66";
const BROKEN_ZONE = ".100.51.198.in-addr.arpa";

export const failing: NonNullable<UpstreamOptions["tamper"]> = (reply, _query, { name, type }) => {
  const fails = name.endsWith("broken.example") && (type === "AAAA" || !name.endsWith("halfbroken.example"));
  if (!fails && !name.endsWith(BROKEN_ZONE)) return reply;
  return { ...reply, answers: [], authorities: [], flags: ((reply.flags ?? 0) & ~0xf) | 2 };
};
