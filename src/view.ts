// The name of the server's view of DNS, for the table's header: a server that starts goes on with a table of the same view
// only, since the answers of another's upstreams or rules may be others.
import { createHash } from "node:crypto";
import { UPSTREAMS_BYTES_MAX } from "../assembly/layout.ts";
import { createRules, type Rule } from "./rules.ts";
import { type UpstreamAddress, upstreamText } from "./upstream/address.ts";

/** The same for the same servers in another order. Printable ASCII of at most UPSTREAMS_BYTES_MAX bytes; what cannot be shown whole ends with the SHA-256 of the whole. */
export function viewText(upstreams: readonly UpstreamAddress[], rules: readonly Rule[]): string {
  const rulesText = createRules(rules).text();
  const whole = upstreams.map(upstreamText).sort().join(", ") + (rulesText === "" ? "" : `; ${rulesText}`);
  const shown = whole.replace(/[^ -~]/g, "?");
  if (shown === whole && whole.length <= UPSTREAMS_BYTES_MAX) return whole;
  const ending = `... sha256 ${createHash("sha256").update(whole).digest("hex")}`;
  return shown.slice(0, UPSTREAMS_BYTES_MAX - ending.length) + ending;
}
