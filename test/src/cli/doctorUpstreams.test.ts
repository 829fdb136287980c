// The doctor and upstreams over TLS and HTTPS: a real unbound.
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createReport } from "../../../src/cli/doctorReport.ts";
import { checkUpstreams } from "../../../src/cli/doctorUpstreams.ts";
import { upstreamAddress } from "../../../src/upstream/address.ts";
import { type Authority, createAuthority, opensslMissing, trust } from "../../support/certificates.ts";
import { startUnbound, type Unbound, unboundMissing } from "../../support/unbound.ts";

const missing = unboundMissing() ?? opensslMissing();

describe.skipIf(missing)(`the doctor on the node${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let authority: Authority;
  let unbound: Unbound;

  beforeAll(async () => {
    authority = createAuthority();
    trust(authority);
    unbound = await startUnbound(authority.issue(["DNS:dns.example", "IP:127.0.0.1"]), [". 60 NS ns.example."]);
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    await unbound?.close();
    authority?.close();
  });

  it.each(["tls", "https"] as const)(
    "asks over %s, and finds a certificate that is for another name",
    async (scheme) => {
      const port = scheme === "tls" ? unbound.tlsPort : unbound.httpsPort;
      const servers = ["dns.example", "other.example"].map((name) =>
        upstreamAddress(`${scheme}://127.0.0.1:${port}#${name}`),
      );
      const report = createReport();
      await checkUpstreams(
        report.group("upstreams"),
        servers.filter((address) => address !== undefined),
      );
      const [good, bad, ...rest] = report.end().groups.flatMap(({ checks }) => checks);
      expect(good).toMatchObject({ level: "ok", text: expect.stringMatching(/#dns\.example answers within \d+ ms$/) });
      expect(bad).toMatchObject({
        code: "NW-702",
        text: expect.stringMatching(/#other\.example does not answer: .*certificate/),
      });
      expect(rest).toEqual([]);
    },
  );
});
