// An authority of a test's own and certificates that it has signed, made by openssl in a directory that goes with it.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { vi } from "vitest";
import { toolMissing } from "./programs.ts";

export interface Authority {
  /** Of the authority's own certificate: what NODE_EXTRA_CA_CERTS is set to. */
  readonly path: string;
  readonly certificate: string;
  /** @param names as openssl has them, `DNS:dns.example` or `IP:127.0.0.1`: the certificate is for all of them */
  issue(names: readonly string[], options?: { readonly hasExpired?: boolean }): Certificate;
  close(): void;
}

export interface Certificate {
  readonly certPath: string;
  readonly keyPath: string;
  readonly cert: string;
  readonly key: string;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const SIGNING = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-copy_extensions", "copy"];

/** Why no certificates can be made here, or undefined. Tests skip with this reason, except under CI=true. */
export function opensslMissing(): string | undefined {
  return toolMissing("openssl", "openssl");
}

export function createAuthority(): Authority {
  const directory = mkdtempSync(join(tmpdir(), "namewell-authority-"));
  let issued = 0;
  openssl("req", [
    "-x509",
    ...NEW_KEY,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/CN=an authority",
  ]);
  return {
    path: join(directory, "ca.pem"),
    certificate: readFileSync(join(directory, "ca.pem"), "utf8"),
    issue(names, { hasExpired = false } = {}) {
      const base = `${++issued}`;
      const subject = ["-subj", "/CN=a server", "-addext", `subjectAltName=${names.join()}`];
      openssl("req", [...NEW_KEY, "-keyout", `${base}.key`, "-out", `${base}.csr`, ...subject]);
      const days = ["-days", hasExpired ? "-1" : "2"];
      openssl("x509", ["-req", "-in", `${base}.csr`, "-out", `${base}.pem`, ...days, ...SIGNING]);
      const [certPath, keyPath] = [join(directory, `${base}.pem`), join(directory, `${base}.key`)];
      return { certPath, keyPath, cert: readFileSync(certPath, "utf8"), key: readFileSync(keyPath, "utf8") };
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };

  function openssl(command: string, args: readonly string[]): void {
    const { status, stderr, error } = spawnSync("openssl", [command, ...args], { cwd: directory, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${command}: ${error?.message ?? stderr}`);
  }
}

/** From now on as if this process had been started with NODE_EXTRA_CA_CERTS=<the authority's certificate>. */
export function trust({ certificate }: Authority): void {
  const { connect } = tls;
  const ca = [...tls.rootCertificates, certificate];
  vi.spyOn(tls, "connect").mockImplementation(((options: tls.ConnectionOptions) =>
    connect({ ...options, ca })) as typeof tls.connect);
}
