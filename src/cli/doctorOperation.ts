// What people reach the server by: control.sock, and HTTP. Of the latter the answer itself is no matter here.
import http from "node:http";
import type { Config } from "../settings/config.ts";
import { VERSION } from "../version.ts";
import type { Findings } from "./doctorReport.ts";

const WAIT_MS = 2500;
const BYTES_MAX = 16 * 1024 * 1024;

export async function checkOperation(findings: Findings, { controlPath, http: address }: Config): Promise<void> {
  if (controlPath === undefined) findings.note("DNS_CACHE_CONTROL is off");
  else {
    const status = await get({ socketPath: controlPath, path: "/status" });
    if (typeof status === "string") findings.found("NW-801", `${controlPath} is not to be reached: ${status}`);
    else {
      findings.fine(`${controlPath} answers`);
      checkVersion(findings, status.text);
    }
  }
  if (address === undefined) {
    findings.note("DNS_CACHE_HTTP is off");
    return;
  }
  const { host, port } = address;
  const alive = await get({ host, port, path: "/livez" });
  const text = `http://${host.includes(":") ? `[${host}]` : host}:${port}/livez`;
  if (typeof alive === "string") findings.found("NW-802", `${text} is not to be reached: ${alive}`);
  else if (alive.code !== 200) findings.found("NW-802", `${text} says ${alive.code}`);
  else findings.fine(`${text} answers`);
}

function checkVersion(findings: Findings, text: string): void {
  const version = versionIn(text);
  if (version === undefined) return;
  if (version === VERSION) findings.fine(`the server is of version ${version}, as this command`);
  else findings.found("NW-803", `the server is of version ${version}, and this command of ${VERSION}`);
}

function versionIn(text: string): string | undefined {
  try {
    const status = JSON.parse(text) as { version?: unknown };
    return typeof status?.version === "string" ? status.version : undefined;
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
