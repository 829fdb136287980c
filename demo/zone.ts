// The zone of the example upstream: names that exist nowhere else, so that an answer proves where it came from.
// google.com and github.com stand here too because the demo, like the compose page, asks for them by those names;
// their addresses are from the documentation ranges (RFC 5737, RFC 3849).
import type { Zone } from "./upstream.ts";

export const EXAMPLE_ZONE: Zone = {
  "google.com": { ttl: 600, A: ["192.0.2.10"], AAAA: ["2001:db8::10"] },
  "github.com": { ttl: 600, A: ["192.0.2.20"] },
  "api.namewell.example": { ttl: 30, A: ["192.0.2.31", "192.0.2.32", "192.0.2.33"], AAAA: ["2001:db8::31"] },
  "www.namewell.example": { ttl: 120, CNAME: "edge.cdn.namewell.example" },
  "edge.cdn.namewell.example": { ttl: 20, A: ["192.0.2.41"], AAAA: ["2001:db8::41"] },
  "v4only.namewell.example": { ttl: 60, A: ["192.0.2.51"] },
  "v6only.namewell.example": { ttl: 60, AAAA: ["2001:db8::61"] },
};
