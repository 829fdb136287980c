// What people reach the server by: control.sock, and HTTP, behind which it may be another server or another program.
import http from "node:http";
import type { Config } from "../settings/config.ts";
import { VERSION } from "../version.ts";
import type { Findings } from "./doctorReport.ts";

const WAIT_MS = 2500;
const BYTES_MAX = 16 * 1024 * 1024;

export async function checkOperation(findings: Findings, { controlPath, http: address }: Config): Promise<void> {
  let own: About | undefined;
  if (controlPath === undefined) findings.note("DNS_CACHE_CONTROL is off");
  else {
    const status = await get({ socketPath: controlPath, path: "/status" });
    if (typeof status === "string") findings.found("NW-801", `${controlPath} is not to be reached: ${status}`);
    else {
      findings.fine(`${controlPath} answers`);
      own = aboutIn(status.text);
      checkVersion(findings, own);
    }
  }
  if (address === undefined) {
    findings.note("DNS_CACHE_HTTP is off");
    return;
  }
  const { host, port } = address;
  const place = `http://${host.includes(":") ? `[${host}]` : host}:${port}/`;
  const status = await get({ host, port, path: "/status" });
  if (typeof status === "string") {
    findings.found("NW-802", `${place} is not to be reached: ${status}`);
    return;
  }
  const there = aboutIn(status.text);
  if (status.code !== 200 || there?.startedAtMs === undefined) {
    findings.found("NW-802", `what answers on ${place} is no Namewell server (HTTP ${status.code})`);
  } else if (own !== undefined && (there.pid !== own.pid || there.startedAtMs !== own.startedAtMs)) {
    findings.found("NW-802", `what answers on ${place} is another server, of process ${there.pid}`);
  } else {
    findings.fine(`${place} answers`);
  }
}

interface About {
  readonly version?: string;
  readonly pid?: number;
  readonly startedAtMs?: number;
}

function checkVersion(findings: Findings, about: About | undefined): void {
  const version = about?.version;
  if (version === undefined) return;
  if (version === VERSION) findings.fine(`the server is of version ${version}, as this command`);
  else findings.found("NW-803", `the server is of version ${version}, and this command of ${VERSION}`);
}

/** What is not as it should be is left out. */
function aboutIn(text: string): About | undefined {
  try {
    const { version, pid, startedAtMs } = JSON.parse(text) as Record<string, unknown>;
    return {
      ...(typeof version === "string" && { version }),
      ...(typeof pid === "number" && { pid }),
      ...(typeof startedAtMs === "number" && { startedAtMs }),
    };
  } catch {
    return undefined;
  }
}

/** What was answered, or why nothing was. */
function get(where: http.RequestOptions): Promise<{ readonly code: number; readonly text: string } | string> {
  return new Promise((resolve) => {
    const request = http.get({ ...where, timeout: WAIT_MS, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
        if (text.length > BYTES_MAX) request.destroy();
      });
      response.on("end", () => resolve({ code: response.statusCode ?? 0, text }));
      response.on("error", (error) => resolve(error.message));
    });
    request.on("timeout", () => request.destroy(new Error(`nothing within ${WAIT_MS} ms`)));
    request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
