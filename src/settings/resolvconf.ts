// The nameservers of a resolv.conf (resolv.conf(5)) as glibc asks them, now and as they change; what else stands there is
// the client's concern.
import fs from "node:fs";
import net from "node:net";
import { connectable, nameserver, type UpstreamAddress, upstreamText, withoutScope } from "../upstream/address.ts";
import type { Listing } from "../upstream/group.ts";

export const RESOLV_CONF = "/etc/resolv.conf";

export interface Nameservers {
  /** In the order in which they are asked; over TCP where an option says so. */
  readonly addresses: readonly UpstreamAddress[];
  readonly listing: Listing;
}

const NAMESERVERS_MAX = 3; // MAXNS; libc never asks those behind
const TIMEOUT_SECONDS_MAX = 30; // RES_MAXRETRANS
const ATTEMPTS_MAX = 5; // RES_MAXRETRY
const LOOK_MS = 2000;
const NUMBER = "(?:0x[0-9a-f]+|[0-9]+)";
const LOOSE_IPV4 = new RegExp(`^${NUMBER}(?:\\.${NUMBER}){0,3}$`, "i");

/** @param resOptions the environment variable RES_OPTIONS, which glibc reads behind the file */
export function nameserversOf(text: string, resOptions = ""): Nameservers {
  const lines = text.split("\n");
  const rest = (keyword: RegExp) => lines.map((line) => keyword.exec(line)?.[1]).filter((each) => each !== undefined);
  const options = optionsOf([...rest(/^options([ \t].*)/), resOptions]);
  const hosts = rest(/^nameserver[ \t]+([^ \t\r]+)/).map(addressOf);
  const asked = hosts.filter((host) => host !== undefined).slice(0, NAMESERVERS_MAX);
  // One that cannot be connected to has its place, as in libc, where it fails at once.
  const reached = new Set(asked.map(connectable).filter((host) => host !== undefined));
  return {
    addresses: [...reached].map((host) => nameserver(host, options.isOverTcp ? "tcp" : "udp")),
    listing: { rotate: options.rotate, timeoutMs: options.timeoutSeconds * 1000, attempts: options.attempts },
  };
}

/**
 * Calls `onChange` with the nameservers whenever they, their order or their options are others than before, at first than
 * `known`; never with none. The file is read each time: that also sees a rename onto it, a symlink's other target, a mount,
 * and a second write within one tick of the clock, each of which some way of watching misses. Returns a function that ends
 * it.
 */
export function followNameservers(
  read: () => Nameservers,
  onChange: (nameservers: Nameservers) => void,
  known: Nameservers = read(),
  everyMs = LOOK_MS,
): () => void {
  let current = textOf(known);
  let last = current;
  const timer = setInterval(() => {
    const nameservers = read();
    const seen = textOf(nameservers);
    // Seen twice, since a file that is being rewritten in place may hold the first of its lines only.
    const isSettled = seen === last;
    last = seen;
    if (nameservers.addresses.length === 0 || seen === current || !isSettled) return;
    current = seen;
    onChange(nameservers);
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** None where the file cannot be read: it is missing for a moment while it is replaced. */
export function nameserversAt(path: string, resOptions?: string): Nameservers {
  let text = "";
  try {
    text = fs.readFileSync(path, "utf8");
  } catch {}
  return nameserversOf(text, resOptions);
}

/** In glibc an option is known by how it begins, and the last of a kind counts. */
function optionsOf(texts: readonly string[]) {
  const options = { rotate: false, isOverTcp: false, timeoutSeconds: 5, attempts: 2 };
  const number = (text: string, most: number) => {
    const value = Number(/^\s*([+-]?\d+)/.exec(text)?.[1] ?? 0);
    return Math.min(Math.max(value, 1), most); // glibc waits for a second at least; without an attempt nothing is found
  };
  for (const text of texts) {
    for (const { index } of text.matchAll(/[^ \t]+/g)) {
      const option = text.slice(index);
      if (option.startsWith("rotate")) options.rotate = true;
      else if (option.startsWith("use-vc")) options.isOverTcp = true;
      else if (option.startsWith("timeout:")) options.timeoutSeconds = number(option.slice(8), TIMEOUT_SECONDS_MAX);
      else if (option.startsWith("attempts:")) options.attempts = number(option.slice(9), ATTEMPTS_MAX);
    }
  }
  return options;
}

/** IPv4 addresses in all the forms of inet_aton(3), written in the usual one. */
function addressOf(text: string): string | undefined {
  if (net.isIPv6(withoutScope(text))) return text;
  const url = `http://${text}`;
  return LOOSE_IPV4.test(text) && URL.canParse(url) ? new URL(url).hostname : undefined;
}

function textOf({ addresses, listing }: Nameservers): string {
  return JSON.stringify([addresses.map(upstreamText), listing]);
}
