// Reads a command line by the table of commands.
import { Argument, Command, Option } from "commander";
import { VERSION } from "../version.ts";
import * as table from "./commands.ts";
import type { ServerOptions } from "./doors.ts";
import { settingsText } from "./serverArguments.ts";

export interface Given {
  readonly command: string;
  readonly words: readonly string[];
  readonly options: ServerOptions & Readonly<Record<string, unknown>>;
}

export function createProgram() {
  let given: Given | undefined;
  const program = new Command("namewell")
    .description("A DNS cache for a whole node: the server, and all that tells of it or tells it what to do.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .usage("[command] [options]")
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError("(namewell --help tells what there is)");
  program.addHelpText(
    "after",
    `\nExit codes:\n${table.EXIT_CODES.map(([code, what]) => `  ${code}  ${what}`).join("\n")}`,
  );
  for (const each of table.COMMANDS) {
    program.addCommand(
      commandOf(each, (words, options) => {
        given = { command: each.name, words, options };
      }),
    );
  }
  return {
    /** Throws commander's error where it cannot be read, or help was asked for, when all has been said. */
    read(args: readonly string[]): Given {
      program.parse(args, { from: "user" });
      return given as Given;
    },
  };
}

function commandOf(row: table.Command, take: (words: string[], options: Given["options"]) => void): Command {
  const { name, summary, description, examples } = row;
  const command = new Command(name)
    .summary(summary)
    .description(description.join("\n\n"))
    .helpOption("-h, --help", "print help")
    .allowExcessArguments(false)
    .exitOverride()
    .showHelpAfterError(`(namewell ${name} --help tells how)`)
    .addHelpText("after", `\nExamples:\n${examples.map((example) => `  ${example}`).join("\n")}`);
  if (name === "serve") command.addHelpText("after", `\n${settingsText()}`);
  if (row.passesOn) command.passThroughOptions();
  for (const { name: word, what, choices } of row.arguments ?? []) {
    const argument = new Argument(word, what);
    command.addArgument(choices === undefined ? argument : argument.choices(choices));
  }
  for (const option of table.optionsOf(row)) command.addOption(optionOf(option));
  command.action(() => take([...command.args], command.opts()));
  return command;
}

function optionOf({ flags, what, choices, default: usual }: table.Option): Option {
  const option = new Option(flags, what);
  if (choices !== undefined) {
    option.choices(choices);
    const check = option.parseArg;
    const isUpper = choices.every((choice) => choice === choice.toUpperCase());
    if (isUpper && check !== undefined) option.argParser((text: string, last) => check(text.toUpperCase(), last));
  }
  return usual === undefined ? option : option.default(usual);
}
