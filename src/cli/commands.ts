// All commands of `namewell`, once: its help (program.ts), docs/commands.md (commandsDoc.ts) and the completion scripts
// (completion.ts) are made of this.

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  /** As commander writes them: `<needed>`, `[optional]`, `<many...>`. */
  readonly arguments?: readonly Argument[];
  readonly options?: readonly Option[];
  /** Takes none of its own: all from there on is a command of others. */
  readonly passesOn?: true;
  /** What it has to say has no JSON. */
  readonly hasNoJson?: true;
  /** Reads and writes no server. */
  readonly isAlone?: true;
  /** Nor has it to do with where one is. */
  readonly isWithoutServer?: true;
  readonly examples: readonly string[];
}
export interface Argument {
  readonly name: string;
  readonly what: string;
  readonly choices?: readonly string[];
}
export interface Option {
  /** As commander writes them: `--all`, `--suffix <suffix>`. */
  readonly flags: string;
  readonly what: string;
  readonly choices?: readonly string[];
  readonly default?: string;
}

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

export const DIRECTORY_OPTION: Option = {
  flags: "--dir <directory>",
  what: "the shared directory, instead of DNS_CACHE_DIR, or /dns_cache, or where nothing is there /run/namewell",
};
export const SERVER_OPTIONS: readonly Option[] = [
  DIRECTORY_OPTION,
  { flags: "--control <socket>", what: "the server's control.sock, instead of DNS_CACHE_CONTROL" },
  { flags: "--http <address>", what: "the server's address of metrics and page, instead of DNS_CACHE_HTTP" },
];
export const JSON_OPTION: Option = { flags: "--json", what: "print JSON, for programs" };

export const EXIT_CODES: ReadonlyArray<readonly [string, string]> = [
  ["0", "fine"],
  ["1", "an error, of which a line on standard error tells"],
  ["3", "no server is running there"],
];

export const COMMANDS: readonly Command[] = [
  {
    name: "serve",
    summary: "run the server (also without any command)",
    description: [
      "Runs the cache server in this process until SIGTERM or SIGINT. Its settings are environment variables, which docs/settings.md lists.",
    ],
    hasNoJson: true,
    examples: ["namewell serve --dir /run/namewell", "DNS_CACHE_UPSTREAMS=1.1.1.1,8.8.8.8 namewell"],
  },
  {
    name: "status",
    summary: "how the server is, and what is wrong",
    description: ["Says whether all is well, what to do where it is not, and the numbers since the server's start."],
    examples: ["namewell status", "namewell status --json | jq .counts.misses"],
  },
  {
    name: "lookup",
    summary: "how a name is answered, and where the answer comes from",
    description: [
      "Forms the names that a program on this machine would ask for (resolv.conf's search list and ndots), and for each, until one ends the search: its rule and servers, what is held of it (slot, rest of its ttl, hits), who gave the answer and how long that took, and the records. What is not held is asked for, as a program's question would be; over HTTP it is not.",
    ],
    arguments: [{ name: "<name>", what: "a host name, with a dot at its end to have no search list, or an address" }],
    options: [
      { flags: "--type <type>", what: "of the records; A and AAAA unless given", choices: ["A", "AAAA", "PTR"] },
      { flags: "--libc <libc>", what: "whose search", choices: ["glibc", "musl"], default: "glibc" },
      { flags: "--no-ask", what: "only tell what is held" },
    ],
    examples: ["namewell lookup www.example.com", "namewell lookup db --libc musl", "namewell lookup 192.0.2.1"],
  },
  {
    name: "flush",
    summary: "forget a name, all under a suffix, denials, or everything",
    description: [
      "The next lookup of any program asks the DNS servers anew. Aliases that lead to the name go with it. Says how many entries went.",
    ],
    arguments: [{ name: "[name]", what: "the name, whole: no search list is gone through" }],
    options: [
      { flags: "--suffix <suffix>", what: "this name and all that end in it" },
      { flags: "--negative", what: "all that says that there is no such name or record" },
      { flags: "--all", what: "everything" },
    ],
    examples: ["namewell flush www.example.com", "namewell flush --suffix corp.example", "namewell flush --negative"],
  },
  {
    name: "top",
    summary: "the names most asked for, failing most, and slowest",
    description: [
      "Counts since the server's start; of names in use all the time programs tell late, so that they may lag. Names are told over control.sock, or over HTTP where the server has DNS_CACHE_HTTP_NAMES=on.",
    ],
    options: [{ flags: "--count <number>", what: "names a list, at most 100", default: "10" }],
    examples: ["namewell top", "namewell top --count 50 --json"],
  },
  {
    name: "watch",
    summary: "a line a second, of what goes on, until Ctrl-C",
    description: [
      "Lookups a second, the share that the cache answered, and what the others cost. JSON: an object a line.",
    ],
    options: [
      { flags: "--interval <seconds>", what: "between two lines, 1 to 3600", default: "1" },
      { flags: "--count <number>", what: "end after so many lines" },
    ],
    examples: ["namewell watch", "namewell watch --interval 10 --count 6"],
  },
  {
    name: "upstreams",
    summary: "the DNS servers: state, time, queries and how they ended",
    description: [
      "A line a server and transport. A server that is aside was silent a moment ago, and others come first.",
    ],
    examples: ["namewell upstreams"],
  },
  {
    name: "doctor",
    summary: "what keeps lookups from the cache, and what to do",
    description: [
      "Looks at the directory, the server, the table, each DNS server and what reaches it; with a name, asks for it. Exit code: 0 fine, 1 problems, 2 not all could be told. Within a container, where there is no Node, the program /dns_cache/doctor says the rest.",
    ],
    arguments: [{ name: "[name]", what: "to be asked for over dns.sock" }],
    examples: ["namewell doctor", "namewell doctor www.example.com"],
  },
  {
    name: "env",
    summary: "what to set so that programs use the cache",
    description: [
      "For the shell, the line keeps an LD_PRELOAD that is set; containers have their image's own, which theirs replaces: name both then.",
    ],
    options: [
      {
        flags: "--format <format>",
        what: "for whom",
        choices: ["shell", "docker", "compose", "kubernetes"],
        default: "shell",
      },
    ],
    isAlone: true,
    examples: [
      'eval "$(namewell env)"',
      "docker run $(namewell env --format docker) IMAGE",
      "namewell env --format compose",
    ],
  },
  {
    name: "run",
    summary: "start a program that uses the cache",
    description: [
      "Puts client.so behind what LD_PRELOAD has already, and starts the program with this one's files; signals are passed on, and its end is this one's: exit code or signal. 126: it cannot be run; 127: it is not there.",
    ],
    arguments: [{ name: "<command...>", what: "the program and its arguments" }],
    passesOn: true,
    hasNoJson: true,
    isAlone: true,
    examples: ["namewell run -- curl https://www.example.com", "namewell run --dir /run/namewell -- python3 app.py"],
  },
  {
    name: "install",
    summary: "put client.so and the doctor into a folder",
    description: [
      "The server puts both into its own directory. Where that is mounted noexec, or programs start before it, they may lie in any other folder, from which client.so finds /run/namewell by itself (another directory of the server's by DNS_CACHE_DIR). Each file comes by one rename, and one that is the same stays, so that running programs may have it loaded. The folder is made where it is not there.",
    ],
    arguments: [{ name: "<folder>", what: "where to" }],
    hasNoJson: true,
    isWithoutServer: true,
    examples: ["namewell install /opt/namewell"],
  },
  {
    name: "log-level",
    summary: "show the server's log level, or change it until it ends",
    description: ["The level of the next start is DNS_CACHE_LOG_LEVEL's."],
    arguments: [{ name: "[level]", what: "from then on; debug shows each question", choices: LEVELS }],
    examples: ["namewell log-level", "namewell log-level debug"],
  },
  {
    name: "completion",
    summary: "print a completion script for a shell",
    description: ["Completes commands, options and their values; of names it knows nothing."],
    arguments: [{ name: "<shell>", what: "the shell", choices: ["bash", "zsh", "fish"] }],
    hasNoJson: true,
    isWithoutServer: true,
    examples: [
      'eval "$(namewell completion bash)"',
      "namewell completion zsh > /usr/local/share/zsh/site-functions/_namewell",
      "namewell completion fish > ~/.config/fish/completions/namewell.fish",
    ],
  },
];

/** Those that a command takes, --help apart. */
export function optionsOf({ options = [], hasNoJson, isAlone, isWithoutServer }: Command): readonly Option[] {
  if (isWithoutServer) return options;
  const where = isAlone ? [DIRECTORY_OPTION] : SERVER_OPTIONS;
  return [...options, ...(hasNoJson ? [] : [JSON_OPTION]), ...where];
}
