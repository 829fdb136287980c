// What the server says: one function per event, structured, on standard output.
import { isatty } from "node:tty";
import { type DestinationStream, pino } from "pino";
import { hasColours, logLine } from "./logline.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Event {
  /** Since the epoch. */
  readonly atMs: number;
  readonly level: EventLevel;
  /** Names and other text from outside may stand in it, with whatever bytes. */
  readonly text: string;
}
export type EventLevel = "info" | "warn" | "fatal";

export type Log = ReturnType<typeof createLog>;

const EVENTS_MAX = 100;

export function createLog(level: LogLevel, destination: DestinationStream = standardOutput()) {
  const pinoLogger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  const events: Event[] = [];

  /** What people look for afterwards is remembered, whatever the level. */
  function event(eventLevel: EventLevel) {
    return (fields: object | string, text = fields as string) => {
      const about = typeof fields === "object" && "upstream" in fields ? ` (${fields.upstream})` : "";
      events.push({ atMs: Date.now(), level: eventLevel, text: text + about });
      if (events.length > EVENTS_MAX) events.shift();
      if (typeof fields === "string") pinoLogger[eventLevel](fields);
      else pinoLogger[eventLevel](fields, text);
    };
  }

  const logger = {
    info: event("info"),
    warn: event("warn"),
    fatal: event("fatal"),
    debug: (fields: object | string, text?: string) =>
      typeof fields === "string" ? pinoLogger.debug(fields) : pinoLogger.debug(fields, text),
  };
  return {
    level: () => pinoLogger.level as LogLevel,
    setLevel(next: LogLevel) {
      pinoLogger.level = next;
      logger.info({ level: next }, `The log's level is ${next} from now on`);
    },
    /** The latest last. */
    events: (): readonly Event[] => events,
    listening: (socket: string, upstreams: readonly string[], entries: number) =>
      logger.info({ socket, upstreams, entries }, `Listening on ${socket}`),
    clientInstalled: (path: string) => logger.info({ path }, `Installed ${path}`),
    staleSocketReplaced: (socket: string) => logger.warn({ socket }, "Replaced the socket of a server that is gone"),
    directoryWritable: (directory: string) =>
      logger.warn({ directory }, "Others than the owner may write in the shared directory: they own everybody's DNS"),
    libraryNoexec: (path: string) =>
      logger.warn(
        { path },
        `No program can load ${path}: it lies on a volume that is mounted noexec. Install it elsewhere, and set DNS_CACHE_LIBRARY`,
      ),
    directorySmall: (directory: string) =>
      logger.warn(
        { directory },
        `${directory} has no room for a second table, which a restart or change of servers makes`,
      ),
    tableContinued: (entries: number, dropped: number) =>
      logger.info({ entries, dropped }, `Went on with ${entries} entries of the last table`),
    tableSetAside: (reason: string) => logger.info({ reason }, `Set the last table aside: ${reason}`),
    tableNotPublished: (reason: string) =>
      logger.warn({ reason }, `The table is not published, and hits go over the socket: ${reason}`),
    tablePublished: () => logger.info("The table is published again"),
    placeLost: (socket: string) =>
      logger.fatal(
        { socket },
        `Stopping, to be started anew: ${socket} is not this server's any more, so nobody reaches it`,
      ),
    stoodStill: (seconds: number) =>
      logger.warn(
        { seconds },
        `Forgot all answers: real time ran ${seconds} s ahead, so the machine slept or was restored, or its clock was set`,
      ),
    flushed: (what: string, entries: number) => logger.info({ what, entries }, `Flushed ${entries} entries`),
    gotMessage: (name: string) => logger.debug(`Got message: '${name}'`),
    cacheWarmup: (name: string, type: string) => logger.debug({ type }, `Cache warmup ${name}`),
    cacheHit: (name: string, type: string, hits = 1) => logger.debug({ type, hits }, `Cache hit ${name}`),
    cacheRefresh: (name: string, type: string) => logger.debug({ type }, `Cache refresh ${name}`),
    questionFailed: (name: string, type: string, reason: string) =>
      logger.debug({ type, reason }, `No upstream answered for ${name}`),
    cacheStale: (name: string, type: string) => logger.debug({ type }, `Cache stale ${name}`),
    upstreamWithoutEdns: (upstream: string) => logger.info({ upstream }, "Upstream does not speak EDNS"),
    upstreamWithoutCase: (upstream: string) =>
      logger.info({ upstream }, "Upstream does not repeat the spelling of names: one defence against forgers less"),
    upstreamUnreachable: (upstream: string, reason: string) =>
      logger.warn({ upstream, reason }, `Upstream cannot be reached: ${reason}`),
    upstreamSilent: (upstream: string) => logger.warn({ upstream }, "Upstream does not answer"),
    upstreamBack: (upstream: string) => logger.info({ upstream }, "Upstream answers again"),
    upstreamsMissing: () =>
      logger.warn("No nameserver stands in /etc/resolv.conf yet: until one does, lookups are left to libc"),
    upstreamsChanged: (upstreams: readonly string[]) =>
      logger.info({ upstreams }, "Other nameservers stand in /etc/resolv.conf"),
    frameRefused: (reason: string) => logger.debug({ reason }, "Refused a frame"),
    doorOpened: (where: string) => logger.info({ where }, `Serving numbers and health on ${where}`),
    doorRefused: (setting: string, reason: string) =>
      logger.warn({ setting, reason }, `Not serving what ${setting} says, which is tried again: ${reason}`),
    sideEnded: (reason: string, seconds: number) =>
      logger.warn(
        { reason, seconds },
        `The part that serves numbers and health has ended, and starts again in ${seconds} s: ${reason}`,
      ),
    stopping: (signal: string) => logger.info({ signal }, "Stopping"),
    /** @param numbers as a snapshot has them */
    stopped: (numbers: object) => logger.info(numbers, "Stopped"),
    crashed: (error: unknown) => logger.fatal({ err: error }, "Stopping on an error that should not happen"),
  };
}

/** A full disk or a reader that has gone costs lines, not the server. JSON, but where somebody reads it at a terminal. */
function standardOutput(): DestinationStream {
  const destination = pino.destination({ fd: 1, sync: true });
  destination.on("error", () => undefined);
  if (!isatty(1)) return destination;
  const hasColour = hasColours({ isTTY: true }, process.env);
  return { write: (json) => void destination.write(logLine(json, hasColour)) };
}
