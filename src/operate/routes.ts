// What the HTTP side answers, without HTTP: a request's parts in, a reply out. Over TCP only for reading, and no names of DNS
// unless they may be shown; on control.sock, which only the server's own user can open, all.
import type { Aged, Asker } from "./asker.ts";
import { type Body, bodyOf, flushOf, levelOf } from "./bodies.ts";
import type { Exposition } from "./exposition.ts";
import { type History, samplesOf } from "./history.ts";
import { PAGE_CSS, PAGE_POLICY, PAGE_SCRIPT } from "./page/assets.ts";
import type { Looked } from "./page/names.ts";
import { renderPage } from "./page/page.ts";
import { problemsOf } from "./page/state.ts";
import type { Door, SideState } from "./sidestate.ts";
import type { Snapshot } from "./snapshot.ts";

export interface Request {
  readonly door: Door;
  readonly method: string;
  readonly url: string;
  readonly body: Buffer;
}
export interface Reply {
  readonly status: 200 | 400 | 403 | 404 | 405 | 500 | 503;
  readonly type: string;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RoutesOptions {
  readonly asker: Asker;
  readonly exposition: Exposition;
  readonly history: () => History;
  /** Over TCP. */
  readonly areNamesShown: boolean;
  readonly sideState: (snapshotAgeMs: number) => SideState;
  /** Whether the main thread's event loop turns, and dns.sock listens. */
  readonly isLive: () => boolean;
}
interface Asked {
  readonly door: Door;
  readonly query: URLSearchParams;
  readonly body: Buffer;
}
type Answer = (asked: Asked) => Reply | Promise<Reply>;

const TEXT = "text/plain; charset=utf-8";
const HTML = "text/html; charset=utf-8";
const CSS = "text/css; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";
const JSON_TYPE = "application/json; charset=utf-8";
const SILENT = "the server's main thread does not answer";
const NAMES_OFF = "names of DNS are not shown here: DNS_CACHE_HTTP_NAMES is off";
const DEFAULT_TYPES = ["A", "AAAA"];
const STALE_MS = 1000; // numbers this old are not those of now

export function createRoutes(options: RoutesOptions): (request: Request) => Promise<Reply> {
  const { asker, exposition, history, areNamesShown, sideState, isLive } = options;
  const areNames = (door: Door) => door === "control" || areNamesShown;

  const reading: Readonly<Record<string, Answer>> = {
    "/metrics": () =>
      withSnapshot(async ({ value: snapshot, ageMs }) => {
        const text = await exposition.text({ snapshot, side: sideState(ageMs) });
        return { status: 200, type: exposition.contentType, text };
      }),
    "/livez": () => health(isLive(), "the event loop does not turn, or dns.sock does not listen"),
    "/readyz": () =>
      withSnapshot(({ value: { isListening, table }, ageMs }) => {
        if (!isLive() || ageMs >= STALE_MS) return health(false, SILENT);
        if (!isListening) return health(false, "dns.sock does not listen");
        const isThere = table.state === "published" || table.state === "off";
        return health(isThere, `the table is not published: ${table.reason ?? table.state}`);
      }),
    "/status": () =>
      withSnapshot(({ value }) => json(200, { ...value, problems: problemsOf(value, samplesOf(value, history())) })),
    "/names": async ({ door }) => {
      if (!areNames(door)) return failure(403, NAMES_OFF);
      const names = await asker.names();
      return names === undefined ? failure(503, SILENT) : json(200, names.value);
    },
    "/lookup": async ({ door, query }) => {
      if (!areNames(door)) return failure(403, NAMES_OFF);
      const name = query.get("name");
      if (name === null) return failure(400, "a name is missing: /lookup?name=www.example");
      return given(await lookUp(name, query, door === "control" && query.get("ask") === "1"));
    },
    "/": ({ door, query }) =>
      withSnapshot(async ({ value: snapshot }) => {
        const names = areNames(door) ? await asker.names() : undefined;
        const looked = areNames(door) ? await lookedUp(query.get("name") ?? "", query) : undefined;
        const text = renderPage({ snapshot, history: history(), names: names?.value, looked });
        return { status: 200, type: HTML, text, headers: { "Content-Security-Policy": PAGE_POLICY } };
      }),
    "/page.css": () => ({ status: 200, type: CSS, text: PAGE_CSS }),
    "/page.js": () => ({ status: 200, type: SCRIPT, text: PAGE_SCRIPT }),
  };
  const control: Readonly<Record<string, Answer>> = {
    "POST /flush": ({ body }) =>
      withBody(flushOf(bodyOf(body)), async (flush) => given(await asker.ask({ ask: "flush", flush }))),
    "GET /log-level": async () => given(await asker.ask({ ask: "logLevel", level: undefined })),
    "PUT /log-level": ({ body }) =>
      withBody(levelOf(bodyOf(body)), async (level) => given(await asker.ask({ ask: "logLevel", level }))),
  };

  return async ({ door, method, url, body }) => {
    if (!URL.canParse(url, "http://localhost")) return failure(400, "the path cannot be read");
    const { pathname, searchParams: query } = new URL(url, "http://localhost");
    const verb = method === "HEAD" ? "GET" : method;
    const answer = verb === "GET" && Object.hasOwn(reading, pathname) ? reading[pathname] : undefined;
    const key = `${verb} ${pathname}`;
    const changing = door === "control" && Object.hasOwn(control, key) ? control[key] : undefined;
    const found = answer ?? changing;
    if (found !== undefined) return await found({ door, query, body });
    const allowed = allowedFor(door, pathname);
    if (allowed.length === 0) return failure(404, "there is nothing here");
    return { ...failure(405, `${method} is not allowed here`), headers: { Allow: allowed.join(", ") } };
  };

  function allowedFor(door: Door, pathname: string): readonly string[] {
    if (Object.hasOwn(reading, pathname)) return ["GET", "HEAD"];
    if (door === "tcp") return [];
    return Object.keys(control).flatMap((key) => (key.endsWith(` ${pathname}`) ? [key.split(" ")[0] as string] : []));
  }

  async function withSnapshot(use: (seen: Aged<Snapshot>) => Reply | Promise<Reply>): Promise<Reply> {
    const seen = await asker.snapshot();
    return seen === undefined ? failure(503, SILENT) : await use(seen);
  }

  async function lookedUp(name: string, query: URLSearchParams): Promise<Looked | undefined> {
    if (name === "") return undefined;
    const looked = (await lookUp(name, query, false)) ?? { error: SILENT };
    return { name, found: "reports" in looked ? looked.reports : looked };
  }

  function lookUp(name: string, query: URLSearchParams, mayAsk: boolean) {
    const types = [...new Set(query.getAll("type"))];
    return asker.ask({ ask: "lookup", name, types: types.length === 0 ? DEFAULT_TYPES : types, mayAsk });
  }
}

function withBody<T>(read: Body<T>, use: (value: T) => Promise<Reply>): Reply | Promise<Reply> {
  return "error" in read ? failure(400, read.error) : use(read.value);
}

function given(answer: object | undefined): Reply {
  if (answer === undefined) return failure(503, `${SILENT}, or too much was asked at once`);
  return json("error" in answer ? 400 : 200, answer);
}

function health(isFine: boolean, reason: string): Reply {
  return isFine ? { status: 200, type: TEXT, text: "ok\n" } : { status: 503, type: TEXT, text: `${reason}\n` };
}

/** Of one line. */
export function failure(status: Exclude<Reply["status"], 200>, error: string): Reply {
  return json(status, { error });
}

function json(status: Reply["status"], value: object): Reply {
  return { status, type: JSON_TYPE, text: `${JSON.stringify(value)}\n` };
}
