// A real unbound on loopback that answers from data of the test's own, over TLS and over HTTPS.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Certificate } from "./certificates.ts";
import { toolMissing } from "./programs.ts";

export interface Unbound {
  readonly tlsPort: number;
  readonly httpsPort: number;
  close(): Promise<void>;
}

const UNBOUND = "/usr/sbin/unbound"; // where only root's PATH leads
const STARTS_MAX = 5; // a port that was free may have been taken meanwhile

/** Why there is none here, or undefined. Tests skip with this reason, except under CI=true. */
export function unboundMissing(): string | undefined {
  return toolMissing(UNBOUND, "unbound");
}

/** @param data records of `example.`, as unbound's local-data has them */
export async function startUnbound(certificate: Certificate, data: readonly string[]): Promise<Unbound> {
  for (let start = 1; ; start++) {
    const directory = mkdtempSync(join(tmpdir(), "namewell-unbound-"));
    const [tlsPort, httpsPort] = [await freePort(), await freePort()];
    writeFileSync(join(directory, "unbound.conf"), configuration(directory, certificate, data, tlsPort, httpsPort));
    const child = spawn(UNBOUND, ["-d", "-c", join(directory, "unbound.conf")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = once(child, "close");
    const close = async () => {
      child.kill("SIGKILL");
      await ended;
      rmSync(directory, { recursive: true, force: true });
    };
    try {
      await untilListening(child, [tlsPort, httpsPort]);
      return { tlsPort, httpsPort, close };
    } catch (error) {
      await close();
      if (start === STARTS_MAX) throw error;
    }
  }
}

function configuration(
  directory: string,
  { certPath, keyPath }: Certificate,
  data: readonly string[],
  tlsPort: number,
  httpsPort: number,
): string {
  return `server:
  directory: "${directory}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  num-threads: 1
  module-config: "iterator"
  interface: 127.0.0.1@${tlsPort}
  interface: 127.0.0.1@${httpsPort}
  tls-port: ${tlsPort}
  https-port: ${httpsPort}
  http-endpoint: "/dns-query"
  tls-service-pem: "${certPath}"
  tls-service-key: "${keyPath}"
  local-zone: "example." static
${data.map((record) => `  local-data: '${record}'\n`).join("")}`;
}

async function untilListening(child: ChildProcess, ports: readonly number[]): Promise<void> {
  let said = "";
  child.stderr?.on("data", (text) => {
    said += text;
  });
  const failed = new Promise<never>((_resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => reject(new Error(`unbound has ended: ${said}`)));
  });
  failed.catch(() => {});
  for (const port of ports) {
    while (!(await Promise.race([accepts(port), failed]))) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

async function freePort(): Promise<number> {
  const listener = net.createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as net.AddressInfo;
  listener.close();
  await once(listener, "close");
  return port;
}
