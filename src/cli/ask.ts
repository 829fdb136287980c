// Asks the server over control.sock; what only reads, over HTTP where that socket may not be used or is not there. Each
// failure is an error that says what to do.
import net from "node:net";
import path from "node:path";
import { SNAPSHOT_SCHEMA } from "../operate/snapshot.ts";
import { type Doors, httpText } from "./doors.ts";
import { exchange, PATIENCE_MS, type Place, type Reply, type Request, watched } from "./exchange.ts";
import { CliError, NotRunning } from "./failures.ts";

export interface Answer<T> {
  readonly value: T;
  /** Undefined: over control.sock. */
  readonly http: string | undefined;
}

/** What each reply has at least: another service may listen there, or another version of this one. */
const SHAPES: Readonly<Record<string, Readonly<Record<string, "array" | "object" | "number" | "string">>>> = {
  "/status": {
    schema: "number",
    counts: "object",
    groups: "array",
    table: "object",
    directory: "object",
    events: "array",
    problems: "array",
  },
  "/names": { top: "array", failing: "array", slow: "array" },
  "/lookup": { reports: "array" },
  "/flush": { table: "number", beside: "number", failures: "number", underWay: "number" },
  "/log-level": { level: "string" },
};
const NOT_THERE = ["ENOENT", "ENOTDIR", "ECONNREFUSED"];
const NOT_PERMITTED = ["EACCES", "EPERM"];

/** @param patienceMs for the whole answer */
export async function ask<T>(doors: Doors, request: Request, patienceMs?: number): Promise<Answer<T>> {
  const { http: address } = doors;
  const controlPath = doors.isHttpAlone ? undefined : doors.controlPath;
  if (doors.isHttpAlone && request.method !== "GET") {
    throw new CliError("Over HTTP a server is told nothing: --dir or --control says where its control.sock is");
  }
  const refused =
    controlPath === undefined
      ? undefined
      : await attempt({ socketPath: controlPath }, controlPath, request, patienceMs);
  if (refused !== undefined && "status" in refused)
    return { value: valueIn<T>(request, refused, controlPath as string), http: undefined };

  const why = refused?.code;
  const isPermitted = why === undefined || !NOT_PERMITTED.includes(why);
  if (request.method !== "GET" || address === undefined || (isPermitted && doors.isHttpDoubtful && why !== undefined)) {
    throw await unreached(doors, why);
  }
  const where = httpText(address);
  const reply = await attempt(address, where, { ...request, path: request.path.replace("&ask=1", "") }, patienceMs);
  if ("status" in reply) return { value: valueIn<T>(request, reply, where), http: where };
  throw await unreached(doors, why, where);
}

/** A code where nobody could be asked there. */
async function attempt(
  place: Place,
  where: string,
  request: Request,
  ms = PATIENCE_MS,
): Promise<Reply | { code: string }> {
  try {
    return await (request.path.includes("ask=1") ? watched(place, request) : exchange(place, request, ms));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "TIMEOUT") {
      const patience = (error as { afterMs?: number }).afterMs ?? ms;
      throw new CliError(
        `The server on ${where} does not answer within ${patience / 1000} s: it hangs, or has too much to do`,
      );
    }
    if (code === "HANGS") {
      throw new CliError(`The server on ${where} hangs: ${message}`);
    }
    if (code?.startsWith("HPE_")) throw new CliError(`What listens on ${where} is no Namewell server`);
    if (code === "ECONNRESET") throw new CliError(`The server on ${where} ended before its answer`);
    if (code !== undefined) return { code };
    throw new CliError(`${where}: ${message}`);
  }
}

function valueIn<T>(request: Request, { status, text }: Reply, where: string): T {
  const value = parsed(text);
  const isKnown =
    typeof value === "object" && value !== null && (status === 200 ? isOurs(request, value) : isError(value));
  if (!isKnown) {
    throw new CliError(`What listens on ${where} is no Namewell server, or another version of it (HTTP ${status})`);
  }
  if (status === 200) return value as T;
  const { error } = value as { error: string };
  if (status === 403) {
    throw new CliError(`${error} (${where}). Ask as the server's own user or as root, over its control.sock`);
  }
  throw new CliError(error);
}

function isOurs({ path: target }: Request, value: object): boolean {
  const shape = SHAPES[target.split("?", 1)[0] as string] ?? {};
  const given = value as Readonly<Record<string, unknown>>;
  const kindOf = (each: unknown) => (Array.isArray(each) ? "array" : each === null ? "null" : typeof each);
  const hasShape = Object.entries(shape).every(([key, kind]) => kindOf(given[key]) === kind);
  return hasShape && (given.schema === undefined || given.schema === SNAPSHOT_SCHEMA);
}

function isError(value: object): boolean {
  return "error" in value && typeof value.error === "string";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function unreached(doors: Doors, why: string | undefined, where?: string): Promise<CliError> {
  const { controlPath, directory } = doors;
  const beside = where === undefined ? "" : `, and nobody listens on ${where}`;
  const socketPath = path.join(directory, "dns.sock");
  if (why !== undefined && NOT_PERMITTED.includes(why)) {
    return new CliError(
      `${controlPath} may be used by the server's own user and root alone${beside}. Run this as one of them (sudo, docker exec)`,
    );
  }
  if (why !== undefined && !NOT_THERE.includes(why))
    return new CliError(`${controlPath} cannot be connected to: ${why}${beside}`);
  const isServing = await isListenedOn(socketPath);
  if (isServing) {
    return new CliError(
      why === undefined
        ? `control.sock is off in this environment (DNS_CACHE_CONTROL)${beside}, though a server listens on ${socketPath}. --control or --http says where to ask it`
        : `A server listens on ${socketPath}, but nobody on ${controlPath}${beside}. Is its DNS_CACHE_CONTROL off or elsewhere? --control or --http says where to ask it`,
    );
  }
  const looked = why === undefined ? "control.sock is off here" : `nobody listens on ${controlPath}`;
  return new NotRunning(
    `No server is running: ${looked}${beside}. Another directory is said by --dir or DNS_CACHE_DIR`,
  );
}

function isListenedOn(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code !== undefined && !NOT_THERE.includes(code)));
  });
}
