// Addresses of DNS servers as users write them.
import net from "node:net";
import os from "node:os";

export interface UpstreamAddress {
  readonly transport: "udp" | "tcp" | "tls" | "https";
  readonly host: string;
  readonly port: number;
  /** What the certificate has to be for, where that is not the address itself; tls and https only. */
  readonly name?: string;
  /** https only. */
  readonly path?: string;
}

const DNS_PORT = 53;
const PORTS = { udp: DNS_PORT, tcp: DNS_PORT, tls: 853, https: 443 }; // RFC 7858 section 3.1, RFC 8484 section 8.1
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]; // RFC 4291 section 2.5.5.2
const HTTPS_PATH = "/dns-query"; // RFC 8484 names none, all use this one
const NAME_BYTES_MAX = 253;
const TEXT = /^(?:(tcp|tls|https):\/\/)?([^/#]*)(\/[^#]*)?(?:#(.*))?$/;
const OF_A_LINK = /^(?:fe[89ab][0-9a-f]|ff[0-9a-f]2):/i;
const INTERFACE = /^[^:]{1,15}$/; // what follows a colon is an alias of old, or was meant for a port
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const PATH = /^\/[\w\-.~!$&'()*+;=:@%/?]{0,255}$/; // RFC 3986 section 3.3 and a query, no template's braces

/** Of a resolv.conf. */
export function nameserver(host: string, transport: "udp" | "tcp" = "udp"): UpstreamAddress {
  return { transport, host, port: DNS_PORT };
}

/**
 * The address as Node's sockets can connect to it, or undefined. They take a scope for the name of an interface, where
 * libc also takes its number, and no address of a link can be connected to without one. Any other has no use for it.
 */
export function connectable(host: string): string | undefined {
  const address = withoutScope(host);
  if (!OF_A_LINK.test(address)) return address;
  const scope = host.slice(address.length + 1);
  const scoped = `${address}%${/^\d+$/.test(scope) ? interfaceNamed(Number(scope)) : scope}`;
  return INTERFACE.test(scope) && net.isIPv6(scoped) ? scoped : undefined;
}

/** As others than this machine know it. */
export function withoutScope(host: string): string {
  return host.split("%", 1)[0] as string;
}

/** Empty where none has that number, and an address of a link. */
function interfaceNamed(index: number): string {
  const interfaces = Object.entries(os.networkInterfaces());
  const isIt = ([, addresses = []]: (typeof interfaces)[number]) =>
    addresses.some((each) => each.family === "IPv6" && each.scopeid === index);
  return interfaces.find(isIt)?.[0] ?? "";
}

/**
 * `1.1.1.1`, `10.0.0.2:5353`, `[2606:4700::1111]:53`, `tcp://…`, `tls://1.1.1.1#one.one.one.one`,
 * `https://8.8.8.8/dns-query#dns.google`; undefined where the text is none of them. The server itself is always named by
 * its address: a name would have to be asked for with what is being set up.
 */
export function upstreamAddress(text: string): UpstreamAddress | undefined {
  const match = TEXT.exec(text);
  if (match === null) return undefined;
  const [, scheme, server = "", path, name] = match;
  const transport = (scheme ?? "udp") as UpstreamAddress["transport"];
  const port = PORTS[transport];
  const address = net.isIPv6(server) ? { host: server, port } : hostAndPort(server, port);
  if (address === undefined) return undefined;
  const host = connectable(address.host);
  if (host === undefined) return undefined;
  if (path !== undefined && (transport !== "https" || !PATH.test(path))) return undefined;
  const isSecure = transport === "tls" || transport === "https";
  if (name !== undefined && !(isSecure && isHostName(name.toLowerCase()))) return undefined;
  return {
    transport,
    ...address,
    host,
    ...(name !== undefined && { name: name.toLowerCase() }),
    ...(transport === "https" && { path: path ?? HTTPS_PATH }),
  };
}

/** `udp 1.1.1.1:53`, `https 8.8.8.8:443/dns-query#dns.google`, for logs and for the table's header: different for each. */
export function upstreamText({ transport, host, port, name, path = "" }: UpstreamAddress): string {
  return `${transport} ${hostText(host)}:${port}${path}${name === undefined ? "" : `#${name}`}`;
}

/** Whether a resolv.conf that names this address means the same server. */
export function isAtOwnPort({ transport, port }: UpstreamAddress): boolean {
  return port === PORTS[transport];
}

/** 16 bytes, IPv4 mapped; a scope is left out. */
export function addressBytes(host: string): Buffer {
  const address = withoutScope(host);
  if (net.isIPv4(address)) return Buffer.from([...MAPPED_PREFIX, ...address.split(".").map(Number)]);
  const [head = "", tail = ""] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::"); // hexadecimal only
  const [front, back] = [head, tail].map((groups) => groups.split(":").filter((group) => group !== ""));
  const between = Array<string>(8 - (front as string[]).length - (back as string[]).length).fill("0");
  return Buffer.from(
    [front, between, back]
      .flat()
      .map((group) => (group as string).padStart(4, "0"))
      .join(""),
    "hex",
  );
}

/** As it stands before a port. */
export function hostText(host: string): string {
  return net.isIPv6(host) ? `[${host}]` : host;
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

/** What a certificate can be for; an address is none. */
function isHostName(text: string): boolean {
  const labels = text.split(".");
  return (
    text.length <= NAME_BYTES_MAX && labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1) ?? "")
  );
}
