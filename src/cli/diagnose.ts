// `namewell doctor`
import { ConfigError, readConfig } from "../settings/config.ts";
import { nameserversAt, RESOLV_CONF } from "../settings/resolvconf.ts";
import { doctor, exitCodeOf, reportText } from "./doctor.ts";
import { type ServerOptions, settingsOf } from "./doors.ts";
import { CliError } from "./failures.ts";
import type { Session } from "./session.ts";

export async function diagnose(session: Session, name: string | undefined, options: ServerOptions): Promise<number> {
  const report = await doctor({ config: configOf(session.doors.directory, options), name });
  session.give(report, () => [reportText(report).trimEnd()]);
  return exitCodeOf(report);
}

function configOf(directory: string, options: ServerOptions) {
  const env = { ...process.env, ...settingsOf(options), DNS_CACHE_DIR: directory };
  try {
    return readConfig(env, () => nameserversAt(RESOLV_CONF, process.env.RES_OPTIONS));
  } catch (error) {
    throw error instanceof ConfigError ? new CliError(error.message) : error;
  }
}
