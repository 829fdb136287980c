// One request over HTTP, and how long it is waited for. Errors have a code: HTTP's and the kernel's own, TIMEOUT, or HANGS.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface Request {
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Once, where the answer takes its time. */
  readonly onWait?: () => void;
}
export interface Reply {
  readonly status: number;
  readonly text: string;
}
export type Place = { readonly socketPath: string } | { readonly host: string; readonly port: number };

const SUN_PATH_BYTES = 108; // unix(7), the closing zero included
export const PATIENCE_MS = 5000;
const ASKING_MS = 40_000; // DNS_CACHE_TIMEOUT_MS at its most, and what the server gives itself beside it
const WATCHED_AFTER_MS = 2000;
const ALIVE_MS = PATIENCE_MS - WATCHED_AFTER_MS;
const REPLY_BYTES_MAX = 64 * 1024 * 1024;

export function exchange(place: Place, { method, path: target, body, signal }: Request, ms: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      Connection: "close",
      ...(body && { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(sent) }),
    };
    const request = http.request(
      { ...reachable(place), method, path: target, headers, agent: false, ...(signal && { signal }) },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          length += chunk.length;
          if (length > REPLY_BYTES_MAX) request.destroy(codeError("HPE_TOO_LONG"));
        });
        response.on("end", () =>
          end(() => resolve({ status: response.statusCode ?? 0, text: `${Buffer.concat(chunks)}` })),
        );
        response.on("error", (error) => end(() => reject(error)));
      },
    );
    const timer = setTimeout(() => request.destroy(codeError("TIMEOUT")), ms);
    function end(settle: () => void): void {
      clearTimeout(timer);
      settle();
    }
    request.on("error", (error) => end(() => reject(error)));
    request.end(sent);
  });
}

/** For what DNS servers may be asked for, as long as DNS_CACHE_TIMEOUT_MS says: waited for only while the server is alive. */
export async function watched(place: Place, request: Request): Promise<Reply> {
  const ended = new AbortController();
  const answer = exchange(place, { ...request, signal: ended.signal }, ASKING_MS);
  try {
    return await Promise.race([answer, untilDead(place, request, ended.signal)]);
  } finally {
    ended.abort();
  }
}

async function untilDead(place: Place, { onWait }: Request, signal: AbortSignal): Promise<never> {
  for (let turn = 1; ; turn++) {
    await sleep(WATCHED_AFTER_MS, undefined, { signal });
    if (turn === 1) onWait?.();
    const health = await exchange(place, { method: "GET", path: "/livez", signal }, ALIVE_MS).catch((error) => {
      if (error.code === "TIMEOUT") error.afterMs = turn * WATCHED_AFTER_MS + ALIVE_MS;
      throw error;
    });
    if (health.status !== 200) throw codeError("HANGS", health.text.trim());
  }
}

let openFolder: number | undefined; // of the only such socket that a command asks

/** A socket's path may be longer than the kernel takes, where the server has it by a shorter name first. */
function reachable(place: Place): Place {
  if (!("socketPath" in place) || Buffer.byteLength(place.socketPath) < SUN_PATH_BYTES) return place;
  openFolder ??= fs.openSync(path.dirname(place.socketPath), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  return { socketPath: `/proc/self/fd/${openFolder}/${path.basename(place.socketPath)}` };
}

function codeError(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}
