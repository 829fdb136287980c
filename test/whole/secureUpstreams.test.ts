// DNS over TLS and over HTTPS with a real unbound, whose certificate is of an authority that a process knows, or does not,
// by NODE_EXTRA_CA_CERTS.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { createHttpsTransport } from "../../src/upstream/https.ts";
import { createStreamTransport } from "../../src/upstream/stream.ts";
import { type Authority, createAuthority, opensslMissing, trust } from "../support/certificates.ts";
import { connectTo } from "../support/frames.ts";
import { PRINTS_ADDRESS, type TransportProgram, transportProgram } from "../support/transportProcess.ts";
import { addressIn, send } from "../support/transports.ts";
import { startUnbound, type Unbound, unboundMissing } from "../support/unbound.ts";

const QUERIES = 1000;
const DATA = [
  "a.example. 60 A 192.0.2.1",
  ...Array.from({ length: QUERIES }, (_, i) => `n${i}.example. 60 A 10.0.${i >> 8}.${i & 255}`),
];

const missing = unboundMissing() ?? opensslMissing();
let authority: Authority;
let good: Unbound;
let expired: Unbound;
let program: TransportProgram;

beforeAll(async () => {
  if (missing !== undefined) return;
  authority = createAuthority();
  trust(authority);
  const names = ["DNS:dns.example", "IP:127.0.0.1"];
  good = await startUnbound(authority.issue(names), DATA);
  expired = await startUnbound(authority.issue(names, { hasExpired: true }), DATA);
  program = await transportProgram(PRINTS_ADDRESS);
});
afterAll(async () => {
  vi.restoreAllMocks();
  program?.close();
  await Promise.all([good?.close(), expired?.close()]);
  authority?.close();
});

const port = (unbound: Unbound, scheme: "tls" | "https") => (scheme === "tls" ? unbound.tlsPort : unbound.httpsPort);

describe.skipIf(missing).each([
  ["tls", ""],
  ["https", "/dns-query"],
] as const)(`%s with unbound${missing === undefined ? "" : ` (${missing})`}`, (scheme, path) => {
  async function printed(unbound: Unbound, name: string, env: NodeJS.ProcessEnv) {
    const upstream = `127.0.0.1:${port(unbound, scheme)}${path}${name}`;
    const { output } = await program.run(`${scheme}://${upstream}`, env);
    return output.replace(`certificate of ${scheme} ${upstream} refused`, "refused");
  }
  const known = () => ({ NODE_EXTRA_CA_CERTS: authority.path });

  it.each(["", "#dns.example"])(
    "answers where the certificate is of a known authority and for the right name%s",
    async (name) => {
      expect(await printed(good, name, known())).toBe("192.0.2.1");
    },
  );

  it("refuses a certificate for another name", async () => {
    expect(await printed(good, "#other.example", known())).toMatch(
      /^refused: Hostname\/IP does not match.*other\.example/,
    );
  });

  it("refuses a certificate of an unknown authority", async () => {
    expect(await printed(good, "#dns.example", {})).toBe("refused: unable to verify the first certificate");
  });

  it("refuses a certificate that has expired", async () => {
    expect(await printed(expired, "#dns.example", known())).toBe("refused: certificate has expired");
  });

  it(`puts ${QUERIES} queries at once`, async () => {
    const address = { transport: scheme, host: "127.0.0.1", port: port(good, scheme), path };
    const transport = scheme === "tls" ? createStreamTransport(address) : createHttpsTransport(address);
    const replies = Array.from({ length: QUERIES }, (_, i) => send(transport, `n${i}.example`).reply);
    const addresses = (await Promise.all(replies)).map(addressIn);
    transport.close();
    expect(addresses).toEqual(Array.from({ length: QUERIES }, (_, i) => `10.0.${i >> 8}.${i & 255}`));
  });
});

describe.skipIf(missing)("https with unbound", () => {
  it("says the status where the path is not the server's", async () => {
    const { output } = await program.run(`https://127.0.0.1:${good.httpsPort}/other`, {
      NODE_EXTRA_CA_CERTS: authority.path,
    });
    expect(output).toBe("HTTP status 404");
  });
});

describe.skipIf(missing)("the server", () => {
  let directory: string;
  let server: ServerProcess | undefined;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "namewell-test-"));
  });
  afterEach(async () => {
    await server?.stopped("SIGTERM");
    server = undefined;
    rmSync(directory, { recursive: true, force: true });
  });

  async function start(upstreams: string): Promise<ServerProcess> {
    server = startServer({
      DNS_CACHE_DIR: directory,
      DNS_CACHE_UPSTREAMS: upstreams,
      DNS_CACHE_HTTP: "off",
      NODE_EXTRA_CA_CERTS: authority.path,
    });
    await server.seen("Listening");
    return server;
  }
  async function asked(name: string): Promise<string> {
    const client = await connectTo(join(directory, "dns.sock"));
    client.socket.end(`${name}\n`);
    return (await client.ended()).toString();
  }

  it("answers from an upstream over TLS, and ends at once when it is told to", async () => {
    const { stopped } = await start(`tls://127.0.0.1:${good.tlsPort}#dns.example`);
    expect(await asked("a.example")).toBe("192.0.2.1\n");
    expect(await asked("none.example")).toBe("none.example: no such name\n");
    expect(await stopped("SIGTERM")).toBe(0);
  });

  it("answers from an upstream over HTTPS", async () => {
    await start(`https://127.0.0.1:${good.httpsPort}/dns-query#dns.example`);
    expect(await asked("a.example")).toBe("192.0.2.1\n");
    expect(await asked("none.example")).toBe("none.example: no such name\n");
  });

  it.each(["tls", "https"] as const)(
    "says why it refuses a certificate over %s, and asks the next server",
    async (scheme) => {
      const { seen } = await start(
        `${scheme}://127.0.0.1:${port(expired, scheme)}#dns.example,tls://127.0.0.1:${good.tlsPort}#dns.example`,
      );
      expect(await asked("a.example")).toBe("192.0.2.1\n");
      const { reason } = await seen("Upstream cannot be reached");
      expect(reason).toMatch(
        new RegExp(`^certificate of ${scheme} .*#dns\\.example refused: certificate has expired$`),
      );
    },
  );

  it("gives a temporary failure where the only upstream's certificate is for another name", async () => {
    await start(`tls://127.0.0.1:${good.tlsPort}#other.example`);
    expect(await asked("a.example")).toBe("a.example: temporary failure\n");
  });
});
