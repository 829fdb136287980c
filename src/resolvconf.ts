// The nameservers of a resolv.conf (resolv.conf(5)); what else stands there is the client's concern.
import net from "node:net";

export function nameserversOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => /^nameserver[ \t]+(\S+)/.exec(line)?.[1])
    .filter((address): address is string => address !== undefined && net.isIP(address) !== 0);
}
