// `node dist/server.js` takes no arguments: its settings are environment variables. What it says to who gives some.
import { SETTINGS } from "../settings/config.ts";
import { VERSION } from "../version.ts";

export interface Said {
  readonly text: string;
  readonly exitCode: 0 | 1;
}

/** Undefined where there are none, and the server is to start. */
export function saidTo(args: readonly string[]): Said | undefined {
  const [first] = args;
  if (first === undefined) return undefined;
  if (first === "--help" || first === "-h") return { text: serverHelp(), exitCode: 0 };
  if (first === "--version" || first === "-V") return { text: VERSION, exitCode: 0 };
  const what = JSON.stringify(first).slice(1, -1);
  return {
    text: `'${what}' is not accepted: the server takes no arguments, see --help; namewell has commands`,
    exitCode: 1,
  };
}

export function settingsText(): string {
  const lines = Object.entries(SETTINGS).map(([name, { default: usual, accepted }]) => {
    const isShort = usual !== undefined && usual !== "";
    return `  ${name}${isShort ? ` (${usual})` : ""}\n      ${accepted}`;
  });
  return ["Settings, which are environment variables (docs/settings.md says more):", ...lines].join("\n");
}

function serverHelp(): string {
  return [
    "Usage: node dist/server.js",
    "",
    "Runs the cache server until SIGTERM or SIGINT. `namewell --help` tells of the commands that ask it.",
    "",
    "Options:",
    "  -V, --version  print the version",
    "  -h, --help     print help",
    "",
    settingsText(),
  ].join("\n");
}
