// Which server is meant: as the server's own settings in this environment say it, or options.
import fs from "node:fs";
import path from "node:path";
import { ConfigError, type HttpAddress, readConfig, SETTINGS } from "../settings/config.ts";
import { CliError } from "./failures.ts";

/** As they were typed. */
export interface ServerOptions {
  readonly dir?: string;
  readonly control?: string;
  readonly http?: string;
}

export interface Doors {
  readonly directory: string;
  readonly libraryPath: string;
  /** Undefined: off. */
  readonly controlPath: string | undefined;
  readonly http: HttpAddress | undefined;
  /** Somebody has said that server's address and no more: control.sock here may be another's. */
  readonly isHttpAlone: boolean;
  /** Somebody has said where the server is, and not its HTTP address: who listens on the usual one may be another. */
  readonly isHttpDoubtful: boolean;
}

const NOBODY = { addresses: [], listing: { rotate: false, timeoutMs: 5000, attempts: 2 } };
const INSTALLED = "/run/namewell";
const VARIABLES = { dir: "DNS_CACHE_DIR", control: "DNS_CACHE_CONTROL", http: "DNS_CACHE_HTTP" } as const;

export function doorsOf(options: ServerOptions, env: NodeJS.ProcessEnv): Doors {
  const given = settingsOf(options);
  const meant = Object.values(VARIABLES).map((name) => [name, given[name] ?? env[name] ?? ""]);
  const library = options.dir === undefined ? (env.DNS_CACHE_LIBRARY ?? "") : "";
  const settings: Record<string, string> = { ...Object.fromEntries(meant), DNS_CACHE_LIBRARY: library };
  const isNamed = settings.DNS_CACHE_DIR !== "" || settings.DNS_CACHE_CONTROL !== "";
  if (!isNamed) settings.DNS_CACHE_DIR = usualDirectory();
  const { directory, libraryPath, controlPath, http } = readSettings(settings, given);
  const isHttpAlone = options.http !== undefined && options.control === undefined && options.dir === undefined;
  return {
    directory,
    libraryPath,
    controlPath,
    http,
    isHttpAlone,
    isHttpDoubtful: isNamed && settings.DNS_CACHE_HTTP === "",
  };
}

/** Where servers are that somebody has installed as docs/packages.md says; as client.so looks, the default comes first. */
function usualDirectory(): string {
  const holdsAny = (directory: string) =>
    ["dns.sock", "cache.table"].some((name) => fs.existsSync(path.join(directory, name)));
  return !holdsAny(SETTINGS.DNS_CACHE_DIR.default) && holdsAny(INSTALLED) ? INSTALLED : "";
}

/** The variables that say the same to a server. */
export function settingsOf({ dir, control, http }: ServerOptions): Record<string, string> {
  return {
    ...(dir !== undefined && { DNS_CACHE_DIR: path.resolve(dir) }),
    ...(control !== undefined && { DNS_CACHE_CONTROL: control === "off" ? control : path.resolve(control) }),
    ...(http !== undefined && {
      DNS_CACHE_HTTP: http.replace(/^http:\/\/|\/+$/g, "").replace(/^localhost(?=:)/, "127.0.0.1"),
    }),
  };
}

function readSettings(settings: Record<string, string>, given: Record<string, string>) {
  try {
    return readConfig(settings, () => NOBODY);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const option = Object.entries(VARIABLES).find(([, name]) => name in given && error.message.startsWith(name));
    throw new CliError(option === undefined ? error.message : error.message.replace(option[1], `--${option[0]}`));
  }
}

export function httpText({ host, port }: HttpAddress): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}/`;
}
