// docs/commands.md, of the table of commands; tools/commands-doc.mjs puts it in its place.
import { COMMANDS, type Command, EXIT_CODES, type Option, optionsOf, SERVER_OPTIONS } from "./commands.ts";

const COMMON = new Set(SERVER_OPTIONS.map(({ flags }) => flags));

export function commandsDoc(): string {
  return `${[
    "# Commands",
    "Made of `src/cli/commands.ts` by `tools/commands-doc.mjs`; a test holds them together. `namewell COMMAND --help` says the same.",
    table(
      ["command", "what it does"],
      COMMANDS.map(({ name, summary }) => [`[\`${name}\`](#${name})`, summary]),
    ),
    "Without any argument `namewell` is the server. Commands ask it over `control.sock`, which only its own user and root may use; those that only read go over HTTP where that socket may not be used or is not there. Text of the server and of DNS is printed with controls made visible, and in colour on a terminal only, where `NO_COLOR` is not set.",
    "## Exit codes",
    table(["code", "meaning"], EXIT_CODES),
    "`doctor` has 0 for fine, 1 for problems, 2 where not all could be told; `run` ends as its program does.",
    "## Which server",
    "As the server's own settings in this environment say it: `DNS_CACHE_DIR`, `DNS_CACHE_CONTROL`, `DNS_CACHE_HTTP`. Options come before them:",
    optionTable(SERVER_OPTIONS),
    ...COMMANDS.flatMap(section),
  ].join("\n\n")}\n`;
}

function section(command: Command): string[] {
  const { name, description, arguments: words = [], examples } = command;
  const own = optionsOf(command).filter(({ flags }) => !COMMON.has(flags));
  const usage = ["namewell", name, "[options]", ...words.map((word) => word.name)].join(" ");
  return [
    `## ${name}`,
    `\`${usage}\``,
    ...description,
    ...(words.length === 0
      ? []
      : [
          table(
            ["argument", "what it is"],
            words.map((word) => [`\`${word.name}\``, withChoices(word.what, word.choices)]),
          ),
        ]),
    ...(own.length === 0 ? [] : [optionTable(own)]),
    ["```sh", ...examples, "```"].join("\n"),
  ];
}

function optionTable(options: readonly Option[]): string {
  return table(
    ["option", "what it is"],
    options.map(({ flags, what, choices, default: usual }) => [
      `\`${flags}\``,
      withChoices(what, choices) + (usual === undefined ? "" : `; ${usual} unless given`),
    ]),
  );
}

function withChoices(what: string, choices: readonly string[] | undefined): string {
  return choices === undefined ? what : `${what}: ${choices.map((choice) => `\`${choice}\``).join(", ")}`;
}

function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}
