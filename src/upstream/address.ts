// Addresses of DNS servers as users write them.
import net from "node:net";

export interface UpstreamAddress {
  readonly transport: "udp" | "tcp" | "tls" | "https";
  readonly host: string;
  readonly port: number;
  /** What the certificate has to be for, where that is not the address itself; tls and https only. */
  readonly name?: string;
  /** https only. */
  readonly path?: string;
}

export const DNS_PORT = 53;

/** `1.1.1.1`, `10.0.0.2:5353`, `[2606:4700::1111]:53`, `tcp://…`; undefined where the text is none of them. */
export function upstreamAddress(text: string): UpstreamAddress | undefined {
  const isTcp = text.startsWith("tcp://");
  const rest = isTcp ? text.slice("tcp://".length) : text;
  const address = net.isIPv6(rest) ? { host: rest, port: DNS_PORT } : hostAndPort(rest, DNS_PORT);
  return address && { transport: isTcp ? "tcp" : "udp", ...address };
}

/** `udp 1.1.1.1:53`, for logs and for the table's header. */
export function upstreamText({ transport, host, port }: UpstreamAddress): string {
  return `${transport} ${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
}

export function hostAndPort(
  text: string,
  defaultPort: number | undefined,
): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, plain, portText] = match;
  const host = bracketed ?? plain ?? "";
  if (bracketed === undefined ? !net.isIPv4(host) : !net.isIPv6(host)) return undefined;
  const port = portText === undefined ? defaultPort : Number(portText);
  return port !== undefined && port >= 1 && port <= 65535 ? { host, port } : undefined;
}
