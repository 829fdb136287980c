// The nameservers of a resolv.conf (resolv.conf(5)), now and as they change; what else stands there is the client's concern.
import fs from "node:fs";
import net from "node:net";

export const RESOLV_CONF = "/etc/resolv.conf";

const NAMESERVERS_MAX = 16;
const LOOK_MS = 2000;

/** Addresses that Node's sockets can connect to, a scope's interface included: `fe80::1%eth0`. */
export function nameserversOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => /^nameserver[ \t]+([^\s;#]+)/.exec(line)?.[1]) // a comment may follow at once, as in glibc
    .filter((address): address is string => address !== undefined && isConnectable(address))
    .slice(0, NAMESERVERS_MAX);
}

/**
 * Calls `onChange` with the nameservers whenever they are others than before, at first than `known`; never with none.
 * The file is read each time: that also sees a rename onto it, a symlink's other target, a mount, and a second write
 * within one tick of the clock, each of which some way of watching misses. Returns a function that ends it.
 */
export function followResolvConf(
  path: string,
  onChange: (nameservers: string[]) => void,
  everyMs = LOOK_MS,
  known: readonly string[] = nameserversAt(path),
): () => void {
  let current = known.join();
  let last = current;
  const timer = setInterval(() => {
    const nameservers = nameserversAt(path);
    const seen = nameservers.join();
    // Seen twice, since a file that is being rewritten in place may hold the first of its lines only.
    const isSettled = seen === last;
    last = seen;
    if (nameservers.length === 0 || seen === current || !isSettled) return;
    current = seen;
    onChange(nameservers);
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** None where the file cannot be read: it is missing for a moment while it is replaced. */
export function nameserversAt(path: string): string[] {
  try {
    return nameserversOf(fs.readFileSync(path, "utf8"));
  } catch {
    return [];
  }
}

/**
 * Node takes a scope for the name of an interface, where libc also takes its number, and no address of a link can be
 * connected to without one.
 */
function isConnectable(address: string): boolean {
  const [, scope] = address.split("%");
  const isOfLink = /^fe[89ab][0-9a-f]:/i.test(address);
  return net.isIP(address) !== 0 && (!isOfLink || (scope !== undefined && !/^\d+$/.test(scope)));
}
