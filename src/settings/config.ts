// The map of this folder: config.ts reads the environment, by values.ts what several settings accept, by rules.ts
// DNS_CACHE_RULES; resolvconf.ts reads and follows /etc/resolv.conf.
//
// The server's settings: one frozen value, read once from the environment. The table of docs/settings.md is tested against
// SETTINGS. A bad value is an error of one line that names the variable, the value and what is accepted.
import path from "node:path";
import { cleanEnv, makeValidator } from "envalid";
import { LOG_LEVELS, type LogLevel } from "../log.ts";
import { hostAndPort, type UpstreamAddress } from "../upstream/address.ts";
import type { Listing } from "../upstream/group.ts";
import type { Nameservers } from "./resolvconf.ts";
import { BUILT_IN_RULES, parseRules, type Rule, refusal } from "./rules.ts";
import {
  MAX_NEGATIVE_TTL,
  MAX_TTL,
  MIN_TTL,
  STALE,
  UPSTREAMS_MAX,
  upstreamList,
  type Value,
  wholeNumber,
} from "./values.ts";

export interface HttpAddress {
  readonly host: string;
  readonly port: number;
}

export interface Config {
  readonly directory: string;
  /** The client.so that programs load. */
  readonly libraryPath: string;
  /** None where /etc/resolv.conf is to name them and does not yet. */
  readonly upstreams: readonly UpstreamAddress[];
  /** Of those of /etc/resolv.conf, which count as long as they stand there; those of the environment are for good. */
  readonly listing: Listing | undefined;
  readonly entries: number;
  readonly minTtlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly maxNegativeTtlSeconds: number;
  /** Seconds past expiry; 0 is off. */
  readonly staleSeconds: number;
  /** The built-in ones included. */
  readonly rules: readonly Rule[];
  readonly prefetch: boolean;
  readonly sharedTable: boolean;
  /** That a name does not exist is final in every container, whichever nameservers its resolv.conf names. */
  readonly denialsAreFinal: boolean;
  /** For one whole question. */
  readonly timeoutMs: number;
  /** Of metrics, health and the status page; undefined: off. */
  readonly http: HttpAddress | undefined;
  /** Whether names of DNS are shown there. */
  readonly httpNames: boolean;
  /** Of the socket by which the server is told what to do; undefined: off. */
  readonly controlPath: string | undefined;
  readonly logLevel: LogLevel;
}

export class ConfigError extends Error {}

interface Setting<T> extends Value<T> {
  /** As written in the environment; undefined where the default is found elsewhere. */
  readonly default: string | undefined;
}

const SUN_PATH_BYTES = 108; // unix(7), the closing zero included
const CONTROL = "control.sock";
const LIBRARY = "client.so";
const DIRECTORY_BYTES_MAX = SUN_PATH_BYTES - 1 - "/dns.sock".length;

export const SETTINGS = {
  DNS_CACHE_DIR: {
    default: "/dns_cache",
    accepted: `an absolute path of at most ${DIRECTORY_BYTES_MAX} bytes`,
    read: (text) => (text.startsWith("/") && Buffer.byteLength(text) <= DIRECTORY_BYTES_MAX ? text : undefined),
  } satisfies Setting<string>,
  DNS_CACHE_LIBRARY: {
    default: undefined,
    accepted: "an absolute path without blanks and colons, which LD_PRELOAD takes for ends",
    read: (text) => (/^\/[^ :]*[^ :/]$/.test(text) ? text : undefined),
  } satisfies Setting<string>,
  DNS_CACHE_UPSTREAMS: {
    default: undefined,
    accepted: `1 to ${UPSTREAMS_MAX} addresses with commas between, such as 1.1.1.1, 10.0.0.2:5353, [2606:4700::1111]:53, fe80::1%eth0, tcp://10.0.0.2, tls://1.1.1.1#one.one.one.one or https://8.8.8.8/dns-query#dns.google`,
    read: upstreamList,
  } satisfies Setting<readonly UpstreamAddress[]>,
  DNS_CACHE_ENTRIES: { default: "65536", ...wholeNumber(8, 4_194_304, "entries") },
  DNS_CACHE_MIN_TTL: { default: "0", ...MIN_TTL },
  DNS_CACHE_MAX_TTL: { default: "3600", ...MAX_TTL },
  DNS_CACHE_MAX_NEGATIVE_TTL: { default: "30", ...MAX_NEGATIVE_TTL },
  DNS_CACHE_STALE: { default: "3600", ...STALE },
  DNS_CACHE_RULES: {
    default: BUILT_IN_RULES,
    accepted: "rules with ; between, such as corp.example upstream=10.0.0.2; lan bypass",
    read: ruleList,
  } satisfies Setting<readonly Rule[]>,
  DNS_CACHE_PREFETCH: onOff("on"),
  DNS_CACHE_SHARED_TABLE: onOff("on"),
  DNS_CACHE_DENIALS: {
    default: "same-servers",
    accepted: "same-servers or final",
    read: (text) => (text === "same-servers" || text === "final" ? text : undefined),
  } satisfies Setting<"same-servers" | "final">,
  DNS_CACHE_TIMEOUT_MS: { default: "2500", ...wholeNumber(100, 30_000, "milliseconds") },
  DNS_CACHE_HTTP: {
    default: "127.0.0.1:9953",
    accepted: "an address and port such as 127.0.0.1:9953 or [::1]:9953, or off",
    read: httpAddress,
  } satisfies Setting<HttpAddress | "off">,
  DNS_CACHE_HTTP_NAMES: onOff("off"),
  DNS_CACHE_CONTROL: {
    default: "control.sock",
    accepted: `control.sock, which is in the shared directory, an absolute path of at most ${SUN_PATH_BYTES - 1} bytes, or off`,
    read: (text) => (text === CONTROL || text === "off" || isSocketPath(text) ? text : undefined),
  } satisfies Setting<string>,
  DNS_CACHE_LOG_LEVEL: {
    default: "info",
    accepted: LOG_LEVELS.join(", "),
    read: (text) => LOG_LEVELS.find((level) => level === text),
  } satisfies Setting<LogLevel>,
};

/** @param systemNameservers gives those of /etc/resolv.conf; asked only where DNS_CACHE_UPSTREAMS is not set. */
export function readConfig(env: NodeJS.ProcessEnv, systemNameservers: () => Nameservers): Config {
  const values = readAll(env);
  if (values.DNS_CACHE_MIN_TTL > values.DNS_CACHE_MAX_TTL) {
    throw new ConfigError(
      `DNS_CACHE_MIN_TTL: '${values.DNS_CACHE_MIN_TTL}' is not accepted; accepted: at most DNS_CACHE_MAX_TTL, which is ${values.DNS_CACHE_MAX_TTL}`,
    );
  }
  for (const rule of values.DNS_CACHE_RULES) refuseCrossedTtls(rule, values);
  const { DNS_CACHE_UPSTREAMS: given } = values;
  const { addresses, listing } = given === undefined ? systemNameservers() : { addresses: given, listing: undefined };
  const directory = values.DNS_CACHE_DIR.replace(/(?<=.)\/+$/, "");
  return Object.freeze({
    directory,
    libraryPath: values.DNS_CACHE_LIBRARY ?? path.join(directory, LIBRARY),
    upstreams: addresses,
    listing,
    entries: values.DNS_CACHE_ENTRIES,
    minTtlSeconds: values.DNS_CACHE_MIN_TTL,
    maxTtlSeconds: values.DNS_CACHE_MAX_TTL,
    maxNegativeTtlSeconds: values.DNS_CACHE_MAX_NEGATIVE_TTL,
    staleSeconds: values.DNS_CACHE_STALE,
    rules: values.DNS_CACHE_RULES,
    prefetch: values.DNS_CACHE_PREFETCH,
    sharedTable: values.DNS_CACHE_SHARED_TABLE,
    denialsAreFinal: values.DNS_CACHE_DENIALS === "final",
    timeoutMs: values.DNS_CACHE_TIMEOUT_MS,
    http: values.DNS_CACHE_HTTP === "off" ? undefined : values.DNS_CACHE_HTTP,
    httpNames: values.DNS_CACHE_HTTP_NAMES,
    controlPath: controlPath(values.DNS_CACHE_CONTROL, directory),
    logLevel: values.DNS_CACHE_LOG_LEVEL,
  });
}

/** Within a rule they have been compared already; here one of the two is the global one. */
function refuseCrossedTtls({ suffix, minTtlSeconds: min, maxTtlSeconds: max }: Rule, values: Settled): void {
  const { DNS_CACHE_MIN_TTL: globalMin, DNS_CACHE_MAX_TTL: globalMax } = values;
  if (min !== undefined && max === undefined && min > globalMax) {
    throw refusedRule(
      `${suffix} min-ttl=${min}`,
      `at most DNS_CACHE_MAX_TTL, which is ${globalMax}, or a max-ttl= as well`,
    );
  }
  if (max !== undefined && min === undefined && max < globalMin) {
    throw refusedRule(
      `${suffix} max-ttl=${max}`,
      `at least DNS_CACHE_MIN_TTL, which is ${globalMin}, or a min-ttl= as well`,
    );
  }
}

function refusedRule(what: string, accepted: string): ConfigError {
  return new ConfigError(`DNS_CACHE_RULES: ${refusal(what, accepted)}`);
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

function onOff(byDefault: "on" | "off"): Setting<boolean> {
  return {
    default: byDefault,
    accepted: "on or off",
    read: (text) => (text === "on" ? true : text === "off" ? false : undefined),
  };
}

/** Says which rule and word are wrong, and so throws. */
function ruleList(text: string): readonly Rule[] {
  const rules = parseRules(text);
  if (typeof rules === "string") throw new ConfigError(`DNS_CACHE_RULES: ${printable(rules)}`);
  return rules;
}

function isSocketPath(text: string): boolean {
  return text.startsWith("/") && !text.endsWith("/") && Buffer.byteLength(text) < SUN_PATH_BYTES;
}

function controlPath(text: string, directory: string): string | undefined {
  if (text === "off") return undefined;
  return text === CONTROL ? path.join(directory, CONTROL) : text;
}

function httpAddress(text: string): HttpAddress | "off" | undefined {
  return text === "off" ? "off" : hostAndPort(text, undefined);
}
