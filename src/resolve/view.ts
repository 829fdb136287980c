// The server's view of DNS, for the table's header: its name, since a server that starts goes on with a table of the same
// view only, and whom it asks, since clients take its word for final only where they would have asked the same.
import { createHash } from "node:crypto";
import { SERVERS_MAX, UPSTREAMS_BYTES_MAX } from "../../assembly/layout.ts";
import { createRules, type Rule } from "../settings/rules.ts";
import type { TableView } from "../table/wasm.ts";
import { addressBytes, isAtOwnPort, type UpstreamAddress, upstreamText } from "../upstream/address.ts";
import type { Listing } from "../upstream/group.ts";

const NOBODY_OR_OF_A_LINK = /^(0{20}(0000|ffff)0{8}|fe[89ab].*)$/; // another server on each machine, on each link

/** @param listing where they are asked in their order, and not as equals */
export function tableView(upstreams: readonly UpstreamAddress[], rules: readonly Rule[], listing?: Listing): TableView {
  return { upstreams: viewText(upstreams, rules, listing), servers: namedServers(upstreams) };
}

/** The same for the same servers in another order, where that says nothing of the answers. Printable ASCII of at most UPSTREAMS_BYTES_MAX bytes; what cannot be shown whole ends with the SHA-256 of the whole. */
export function viewText(upstreams: readonly UpstreamAddress[], rules: readonly Rule[], listing?: Listing): string {
  const rulesText = createRules(rules).text();
  const texts = upstreams.map(upstreamText);
  const isOrdered = listing !== undefined && !listing.rotate;
  const whole =
    (isOrdered ? texts.join(" then ") : texts.sort().join(", ")) + (rulesText === "" ? "" : `; ${rulesText}`);
  const shown = whole.replace(/[^ -~]/g, "?");
  if (shown === whole && whole.length <= UPSTREAMS_BYTES_MAX) return whole;
  const ending = `... sha256 ${createHash("sha256").update(whole).digest("hex")}`;
  return shown.slice(0, UPSTREAMS_BYTES_MAX - ending.length) + ending;
}

/** The servers that a container's resolv.conf may name as well, 16 bytes each; the same for the same in another order. */
export function namedServers(upstreams: readonly UpstreamAddress[]): Buffer {
  const addresses = upstreams.filter(isAtOwnPort).map(({ host }) => addressBytes(host).toString("hex"));
  const named = new Set(addresses.filter((address) => !NOBODY_OR_OF_A_LINK.test(address)));
  return Buffer.from([...named].sort().slice(0, SERVERS_MAX).join(""), "hex");
}
