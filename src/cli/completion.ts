// `namewell completion`: scripts made of the table of commands.
import { COMMANDS, type Command, type Option, optionsOf } from "./commands.ts";

export type Shell = "bash" | "zsh" | "fish";

/** What completes the value of an option, where it is no choice. */
const VALUES: Readonly<Record<string, "directory" | "file">> = { "--dir": "directory", "--control": "file" };
const HELP: Option = { flags: "--help", what: "print help" };

export function completionScript(shell: Shell): string {
  return { bash, zsh, fish }[shell]();
}

function bash(): string {
  const values = COMMANDS.flatMap((command) =>
    allOptions(command).flatMap(({ flags, choices }) =>
      choices === undefined ? [] : [`    "${command.name} ${long(flags)}") words="${choices.join(" ")}" ;;`],
    ),
  );
  const words = COMMANDS.map((command) => {
    const choices = [...choicesOf(command), ...allOptions(command).map(({ flags }) => long(flags))];
    return `        ${command.name}) words="${choices.join(" ")}" ;;`;
  });
  return `# bash completion of namewell: eval "$(namewell completion bash)"
_namewell() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "${COMMANDS.map(({ name }) => name).join(" ")} --help --version" -- "$word")
    return
  fi
  case "$command $before" in
${values.join("\n")}
    *" --dir") mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
    *" --control") mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    "run --") mapfile -t COMPREPLY < <(compgen -c -- "$word"); return ;;
    *)
      case "$command" in
${words.join("\n")}
      esac ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _namewell namewell
`;
}

function zsh(): string {
  const cases = COMMANDS.map((command) => {
    const options = allOptions(command).map(
      (option) => `'${long(option.flags)}${inBrackets(option.what)}${zshValue(option)}'`,
    );
    const choices = choicesOf(command);
    const words = command.passesOn
      ? ["'*:::command:_normal'"]
      : (command.arguments ?? []).map(
          ({ what }) => `':${plain(what)}:${choices.length > 0 ? `(${choices.join(" ")})` : " "}'`,
        );
    return `    ${command.name}) _arguments ${[...options, ...words].join(" ")} ;;`;
  });
  return `#compdef namewell
# zsh completion of namewell: eval "$(namewell completion zsh)", or as _namewell in a folder of fpath
_namewell() {
  local -a commands=(
${COMMANDS.map(({ name, summary }) => `    '${name}:${plain(summary)}'`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == _namewell ]]; then
  _namewell "$@"
else
  compdef _namewell namewell
fi
`;
}

function fish(): string {
  const lines = COMMANDS.flatMap((command) => {
    const seen = `complete -c namewell -n '__fish_seen_subcommand_from ${command.name}'`;
    const choices = choicesOf(command);
    return [
      `complete -c namewell -n __fish_use_subcommand -a ${command.name} -d '${plain(command.summary)}'`,
      ...(choices.length > 0 ? [`${seen} -a '${choices.join(" ")}'`] : []),
      ...allOptions(command).map(
        (option) => `${seen} -l ${long(option.flags).slice(2)}${fishValue(option)} -d '${plain(option.what)}'`,
      ),
      ...(command.passesOn ? [`${seen} -a '(__fish_complete_subcommand)'`] : []),
    ];
  });
  return `# fish completion of namewell: namewell completion fish > ~/.config/fish/completions/namewell.fish
complete -c namewell -f
complete -c namewell -n __fish_use_subcommand -l version -d 'print the version'
complete -c namewell -n __fish_use_subcommand -l help -d 'print help'
${lines.join("\n")}
`;
}

function allOptions(command: Command): readonly Option[] {
  return [...optionsOf(command), HELP];
}

/** Of its argument. */
function choicesOf(command: Command): readonly string[] {
  return command.arguments?.flatMap(({ choices = [] }) => choices) ?? [];
}

function long(flags: string): string {
  return flags.split(" ", 1)[0] as string;
}

function hasValue(flags: string): boolean {
  return flags.includes("<");
}

function zshValue({ flags, choices }: Option): string {
  if (!hasValue(flags)) return "";
  const kind = VALUES[long(flags)];
  if (choices !== undefined) return `:value:(${choices.join(" ")})`;
  return `:value:${kind === "directory" ? "_directories" : kind === "file" ? "_files" : " "}`;
}

function fishValue({ flags, choices }: Option): string {
  if (!hasValue(flags)) return "";
  const kind = VALUES[long(flags)];
  if (choices !== undefined) return ` -x -a '${choices.join(" ")}'`;
  return kind === "directory" ? " -x -a '(__fish_complete_directories)'" : kind === "file" ? " -r -F" : " -x";
}

/** Within quotes, and where colons and brackets have a meaning. */
function plain(text: string): string {
  return text.replaceAll("'", "’").replaceAll(":", ",").replaceAll(/[[\]]/g, "");
}

function inBrackets(text: string): string {
  return `[${plain(text)}]`;
}
