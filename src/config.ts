// The server's settings: one frozen value, read once from the environment. The README's table is tested against
// SETTINGS. A bad value is an error of one line that names the variable, the value and what is accepted.
import { cleanEnv, makeValidator } from "envalid";
import { nameserversOf } from "./resolvconf.ts";
import { DNS_PORT, hostAndPort, type UpstreamAddress, upstreamAddress } from "./upstream/address.ts";

export interface HttpAddress {
  readonly host: string;
  readonly port: number;
}

export interface Config {
  readonly directory: string;
  readonly upstreams: readonly UpstreamAddress[];
  readonly entries: number;
  readonly minTtlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly maxNegativeTtlSeconds: number;
  /** Seconds past expiry; 0 is off. */
  readonly staleSeconds: number;
  readonly prefetch: boolean;
  readonly sharedTable: boolean;
  /** For one whole question. */
  readonly timeoutMs: number;
  readonly http: HttpAddress | undefined;
  readonly logLevel: LogLevel;
}

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export class ConfigError extends Error {}

interface Setting<T> {
  /** As written in the environment; undefined where the default is found elsewhere. */
  readonly default: string | undefined;
  readonly accepted: string;
  /** Undefined where the text is not accepted. */
  read(text: string): T | undefined;
}

const SUN_PATH_BYTES = 108; // unix(7), the closing zero included
const DIRECTORY_BYTES_MAX = SUN_PATH_BYTES - 1 - "/dns.sock".length;
const UPSTREAMS_MAX = 16;

export const SETTINGS = {
  DNS_CACHE_DIR: {
    default: "/dns_cache",
    accepted: `an absolute path of at most ${DIRECTORY_BYTES_MAX} bytes`,
    read: (text) => (text.startsWith("/") && Buffer.byteLength(text) <= DIRECTORY_BYTES_MAX ? text : undefined),
  } satisfies Setting<string>,
  DNS_CACHE_UPSTREAMS: {
    default: undefined,
    accepted: `1 to ${UPSTREAMS_MAX} addresses with commas between, such as 1.1.1.1, 10.0.0.2:5353, [2606:4700::1111]:53 or tcp://10.0.0.2`,
    read: upstreamList,
  } satisfies Setting<readonly UpstreamAddress[]>,
  DNS_CACHE_ENTRIES: integer("65536", 8, 4_194_304, "entries"),
  DNS_CACHE_MIN_TTL: integer("0", 0, 86_400, "seconds"),
  DNS_CACHE_MAX_TTL: integer("3600", 1, 604_800, "seconds"),
  DNS_CACHE_MAX_NEGATIVE_TTL: integer("30", 0, 10_800, "seconds"),
  DNS_CACHE_STALE: integer("3600", 0, 604_800, "seconds; 0 is off"),
  DNS_CACHE_PREFETCH: onOff("on"),
  DNS_CACHE_SHARED_TABLE: onOff("on"),
  DNS_CACHE_TIMEOUT_MS: integer("2500", 100, 30_000, "milliseconds"),
  DNS_CACHE_HTTP: {
    default: "127.0.0.1:9353",
    accepted: "an address and port such as 127.0.0.1:9353 or [::1]:9353, or off",
    read: httpAddress,
  } satisfies Setting<HttpAddress | "off">,
  DNS_CACHE_LOG_LEVEL: {
    default: "info",
    accepted: LOG_LEVELS.join(", "),
    read: (text) => LOG_LEVELS.find((level) => level === text),
  } satisfies Setting<LogLevel>,
};

/** @param readResolvConf gives the text of /etc/resolv.conf; asked only where DNS_CACHE_UPSTREAMS is not set. */
export function readConfig(env: NodeJS.ProcessEnv, readResolvConf: () => string): Config {
  const values = readAll(env);
  if (values.DNS_CACHE_MIN_TTL > values.DNS_CACHE_MAX_TTL) {
    throw new ConfigError(
      `DNS_CACHE_MIN_TTL: '${values.DNS_CACHE_MIN_TTL}' is not accepted; accepted: at most DNS_CACHE_MAX_TTL, which is ${values.DNS_CACHE_MAX_TTL}`,
    );
  }
  return Object.freeze({
    directory: values.DNS_CACHE_DIR.replace(/(?<=.)\/+$/, ""),
    upstreams: values.DNS_CACHE_UPSTREAMS ?? upstreamsOfSystem(readResolvConf),
    entries: values.DNS_CACHE_ENTRIES,
    minTtlSeconds: values.DNS_CACHE_MIN_TTL,
    maxTtlSeconds: values.DNS_CACHE_MAX_TTL,
    maxNegativeTtlSeconds: values.DNS_CACHE_MAX_NEGATIVE_TTL,
    staleSeconds: values.DNS_CACHE_STALE,
    prefetch: values.DNS_CACHE_PREFETCH,
    sharedTable: values.DNS_CACHE_SHARED_TABLE,
    timeoutMs: values.DNS_CACHE_TIMEOUT_MS,
    http: values.DNS_CACHE_HTTP === "off" ? undefined : values.DNS_CACHE_HTTP,
    logLevel: values.DNS_CACHE_LOG_LEVEL,
  });
}

function upstreamsOfSystem(readResolvConf: () => string): UpstreamAddress[] {
  const hosts = nameserversOf(readResolvConf()).slice(0, UPSTREAMS_MAX);
  if (hosts.length === 0) {
    throw new ConfigError(
      `DNS_CACHE_UPSTREAMS: not set, and /etc/resolv.conf names no nameserver; accepted: ${SETTINGS.DNS_CACHE_UPSTREAMS.accepted}`,
    );
  }
  return hosts.map((host) => ({ transport: "udp", host, port: DNS_PORT }));
}

type Values = { [K in keyof typeof SETTINGS]: NonNullable<ReturnType<(typeof SETTINGS)[K]["read"]>> };
type Settled = Omit<Values, "DNS_CACHE_UPSTREAMS"> & Partial<Pick<Values, "DNS_CACHE_UPSTREAMS">>;

/** An empty variable counts as not set: compose files pass variables on that way. */
function readAll(env: NodeJS.ProcessEnv): Settled {
  const set = Object.fromEntries(Object.entries(env).filter(([, text]) => text !== ""));
  const specs = Object.fromEntries(
    Object.entries(SETTINGS).map(([name, setting]) => [name, validatorOf(name, setting)({ default: undefined })]),
  );
  const values = cleanEnv(set, specs, {
    reporter: ({ errors }) => {
      const messages = Object.values(errors).map((error) => (error as Error).message);
      if (messages.length > 0) throw new ConfigError(messages.join("\n"));
    },
  });
  const settled = Object.entries(SETTINGS).map(([name, setting]) => [
    name,
    values[name] ?? (setting.default === undefined ? undefined : setting.read(setting.default)),
  ]);
  return Object.fromEntries(settled) as Settled;
}

function validatorOf(name: string, setting: Setting<unknown>) {
  return makeValidator<unknown>((text) => {
    const value = setting.read(text);
    if (value === undefined)
      throw new Error(`${name}: '${printable(text)}' is not accepted; accepted: ${setting.accepted}`);
    return value;
  });
}

/** On one line, whatever stands in it. */
function printable(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function integer(byDefault: string, min: number, max: number, unit: string): Setting<number> {
  return {
    default: byDefault,
    accepted: `a whole number from ${min} to ${max} (${unit})`,
    read(text) {
      const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

function onOff(byDefault: "on" | "off"): Setting<boolean> {
  return {
    default: byDefault,
    accepted: "on or off",
    read: (text) => (text === "on" ? true : text === "off" ? false : undefined),
  };
}

function upstreamList(text: string): readonly UpstreamAddress[] | undefined {
  const upstreams = text.split(",").map((item) => upstreamAddress(item.trim()));
  if (upstreams.length > UPSTREAMS_MAX || upstreams.includes(undefined)) return undefined;
  return upstreams as UpstreamAddress[];
}

function httpAddress(text: string): HttpAddress | "off" | undefined {
  return text === "off" ? "off" : hostAndPort(text, undefined);
}
