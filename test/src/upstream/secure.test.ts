import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { networkInterfaces } from "node:os";
import tls from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { UpstreamAddress } from "../../../src/upstream/address.ts";
import { createHttpsTransport } from "../../../src/upstream/https.ts";
import { createStreamTransport } from "../../../src/upstream/stream.ts";
import {
  type Authority,
  type Certificate,
  createAuthority,
  opensslMissing,
  trust,
} from "../../support/certificates.ts";
import { PRINTS_ADDRESS, transportProgram } from "../../support/transportProcess.ts";
import { addressIn, framed, replyTo, send } from "../../support/transports.ts";

const TRANSPORTS = ["tls", "https"] as const;
type Secure = (typeof TRANSPORTS)[number];

const missing = opensslMissing();
const hasIPv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === "::1"));
const endings: Array<() => void> = [];
let authority: Authority;

beforeAll(() => {
  if (missing !== undefined) return;
  authority = createAuthority();
  trust(authority);
});
afterEach(() => {
  for (const end of endings.splice(0)) end();
});
afterAll(() => {
  vi.restoreAllMocks();
  authority?.close();
});

interface Handshake {
  readonly protocol: string | false | null;
  readonly name: string | false | null;
  readonly isResumed: boolean;
}

/** Answers every query. */
async function server(transport: Secure, { cert, key }: Certificate, options: tls.TlsOptions = {}, host?: string) {
  const handshakes: Handshake[] = [];
  const authorities: unknown[] = [];
  const sockets = new Set<tls.TLSSocket>();
  const listener =
    transport === "tls" ? tls.createServer({ cert, key, ...options }) : http2.createSecureServer({ cert, key });
  listener.on("secureConnection", (socket: tls.TLSSocket) => {
    sockets.add(socket);
    const name = (socket as tls.TLSSocket & { servername: string | false | null }).servername;
    handshakes.push({ protocol: socket.alpnProtocol, name, isResumed: socket.isSessionReused() });
    socket.on("error", () => {});
    if (transport === "tls") socket.on("data", (query: Buffer) => socket.write(framed(replyTo(query.subarray(2)))));
  });
  listener.on("stream", (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    authorities.push(headers[":authority"]);
    stream.on("data", (query: Buffer) => {
      stream.respond({ ":status": 200, "content-type": "application/dns-message" });
      stream.end(replyTo(query));
    });
  });
  return { handshakes, sockets, authorities, port: await listening(listener, sockets, host) };
}

async function listening(listener: net.Server, sockets: Set<net.Socket> = new Set(), host?: string): Promise<number> {
  listener.on("connection", (socket) => sockets.add(socket));
  listener.listen(0, host ?? "127.0.0.1");
  await once(listener, "listening");
  endings.push(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  return (listener.address() as net.AddressInfo).port;
}

function transportTo(transport: Secure, port: number, name?: string, host = "127.0.0.1") {
  const address: UpstreamAddress = {
    transport,
    host,
    port,
    ...(name !== undefined && { name }),
    ...(transport === "https" && { path: "/dns-query" }),
  };
  const made = transport === "https" ? createHttpsTransport(address) : createStreamTransport(address);
  endings.push(() => made.close());
  return made;
}

const outcome = (transport: Secure, port: number, name?: string, host?: string) =>
  send(transportTo(transport, port, name, host), "a.example").reply.then(addressIn, (error: NodeJS.ErrnoException) => ({
    code: error.code,
    message: error.message,
  }));

describe.skipIf(missing).each(TRANSPORTS)("%s", (transport) => {
  const offered = transport === "tls" ? "dot" : "h2";

  it("offers its protocol, and names the server where a name is given", async () => {
    const certificate = authority.issue(["IP:127.0.0.1", "DNS:dns.example"]);
    const { port, handshakes } = await server(transport, certificate, { ALPNProtocols: ["dot"] });
    expect(await outcome(transport, port, "dns.example")).toBe("192.0.2.1");
    expect(await outcome(transport, port)).toBe("192.0.2.1");
    expect(handshakes.map(({ protocol }) => protocol)).toEqual([offered, offered]);
    expect(handshakes.map(({ name }) => name)).toEqual(["dns.example", false]);
  });

  it("checks the certificate against the name where one is given, else against the address", async () => {
    const ofAddress = await server(transport, authority.issue(["IP:127.0.0.1"]));
    const ofName = await server(transport, authority.issue(["DNS:dns.example"]));
    expect(await outcome(transport, ofAddress.port)).toBe("192.0.2.1");
    expect(await outcome(transport, ofName.port, "dns.example")).toBe("192.0.2.1");
    const path = transport === "https" ? "/dns-query" : "";
    expect(await outcome(transport, ofAddress.port, "dns.example")).toEqual({
      code: undefined,
      message: expect.stringMatching(
        `^certificate of ${transport} 127.0.0.1:${ofAddress.port}${path}#dns.example refused: .*Host: dns.example. is not cert's`,
      ),
    });
    expect(await outcome(transport, ofName.port)).toEqual({
      code: undefined,
      message: expect.stringMatching(
        `^certificate of ${transport} 127.0.0.1:${ofName.port}${path} refused: .*127.0.0.1`,
      ),
    });
  });

  it.skipIf(!hasIPv6)("knows a server's address without its zone", async () => {
    const { port, authorities } = await server(transport, authority.issue(["IP:::1"]), {}, "::1");
    expect(await outcome(transport, port, undefined, "::1%lo")).toBe("192.0.2.1");
    if (transport === "https") expect(authorities).toEqual([`[::1]:${port}`]);
  });

  it("throws on no name that a user may give", async () => {
    const { port } = await server(transport, authority.issue(["IP:127.0.0.1"]));
    for (const name of ["xn--a.example", "a.0x1"]) {
      expect(await outcome(transport, port, name)).toMatchObject({ message: expect.stringContaining("refused") });
    }
  });

  it("checks it whatever NODE_TLS_REJECT_UNAUTHORIZED says", async () => {
    const unknown = createAuthority();
    endings.push(unknown.close);
    const { port } = await server(transport, unknown.issue(["IP:127.0.0.1"]));
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    const refused = await outcome(transport, port);
    vi.unstubAllEnvs();
    expect(refused).toMatchObject({
      message: expect.stringContaining("refused: unable to verify the first certificate"),
    });
  });

  it("resumes the last session when it connects again, unless a name is not the certificate's", async () => {
    const { port, handshakes, sockets } = await server(transport, authority.issue(["DNS:dns.example"]));
    const made = transportTo(transport, port, "dns.example");
    await send(made, "a.example").reply;
    await send(made, "a.example").reply; // the session has come by now
    for (const socket of sockets) socket.destroy();
    await send(made, "a.example").reply;
    expect(handshakes.map(({ isResumed }) => isResumed)).toEqual([false, true]);
    expect(await outcome(transport, port, "other.example")).toMatchObject({
      message: expect.stringContaining("refused"),
    });
  });

  it("fails with an error's code where the server does not speak TLS", async () => {
    const port = await listening(net.createServer((socket) => socket.on("error", () => {}).end("220 hello\r\n")));
    expect(await outcome(transport, port)).toMatchObject({
      code: expect.stringMatching(/^(EPROTO|ERR_SSL_WRONG_VERSION_NUMBER)$/),
    });
  });

  it("fails where the server hangs up during the handshake", async () => {
    const port = await listening(net.createServer((socket) => socket.on("error", () => {}).destroy()));
    expect(await outcome(transport, port)).toMatchObject({
      message: expect.stringMatching(/disconnected before secure|closed before it answered/),
    });
  });
});

describe.skipIf(missing)("https", () => {
  it("says so where the server speaks another protocol over TLS", async () => {
    const { port } = await server("tls", authority.issue(["IP:127.0.0.1"]));
    expect(await outcome("https", port)).toMatchObject({ message: "does not speak HTTP/2" });
  });
});

describe.skipIf(missing).each(TRANSPORTS)("a process with %s", (transport) => {
  const env = () => ({ NODE_EXTRA_CA_CERTS: authority.path });

  it("sees what a receiver throws as an uncaught exception", async () => {
    const { port } = await server(transport, authority.issue(["IP:127.0.0.1"]));
    const program = await transportProgram(`
      process.on("uncaughtException", (error) => { console.log("uncaught", error.message); process.exit(7); });
      transport.send(query, { receive() { throw new Error("trap"); }, fail() { console.log("failed"); } });`);
    endings.push(program.close);
    expect(await program.run(`${transport}://127.0.0.1:${port}`, env())).toEqual({ code: 7, output: "uncaught trap" });
  });

  it("ends while its connection is idle, though the server keeps it open", async () => {
    const { port } = await server(transport, authority.issue(["IP:127.0.0.1"]));
    const program = await transportProgram(PRINTS_ADDRESS);
    endings.push(program.close);
    expect(await program.run(`${transport}://127.0.0.1:${port}`, env())).toEqual({ code: 0, output: "192.0.2.1" });
  });
});
