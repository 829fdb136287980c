// The names that a program on this machine would ask for, as client.so forms them (shim/eligible.c, shim/resolvconf.c): by
// libc's search list and ndots. What client.so leaves to libc is told in words. Not looked at: nsswitch.conf and host.conf,
// and what an application sets for itself (res_init); doctor looks at the first.
import fs from "node:fs";
import os from "node:os";

export type Libc = "glibc" | "musl";

export interface SearchPlan {
  /** In their order. */
  readonly names: readonly string[];
  readonly ndots: number;
  readonly domains: readonly string[];
  /** Why a program's lookup goes to libc without the cache; undefined where it does not. */
  readonly leftToLibc: string | undefined;
}

export interface SearchFiles {
  readonly resolvConf: string;
  readonly hosts: string;
  readonly hostname: string;
  readonly env: { readonly RES_OPTIONS?: string | undefined; readonly LOCALDOMAIN?: string | undefined };
}

const NDOTS_MAX = 15; // RES_MAXNDOTS
const NAME_MAX = 253;
const ODD_OPTIONS = new Set(["inet6", "no-tld-query", "no_tld_query"]);

export function readSearchFiles(): SearchFiles {
  const { RES_OPTIONS, LOCALDOMAIN } = process.env;
  const env = { RES_OPTIONS, LOCALDOMAIN };
  return { resolvConf: textAt("/etc/resolv.conf"), hosts: textAt("/etc/hosts"), hostname: os.hostname(), env };
}

export function searchPlan(text: string, libc: Libc, files: SearchFiles): SearchPlan {
  const isAbsolute = text.endsWith(".");
  const name = (isAbsolute ? text.slice(0, -1) : text).toLowerCase();
  const { domains, ndots } = libc === "glibc" ? glibcSearch(files) : muslSearch(files);
  const isAsIsFirst = name.split(".").length - 1 >= ndots;
  const searched = domains.map((domain) => `${name}.${domain}`).filter(({ length }) => length <= NAME_MAX);
  const names =
    isAbsolute || (isAsIsFirst && libc === "musl") ? [name] : isAsIsFirst ? [name, ...searched] : [...searched, name];
  return { names, ndots, domains, leftToLibc: leftToLibc(name, files) };
}

/** The last line wins; without one, the domain of the machine's name counts. */
function glibcSearch({ resolvConf, hostname, env }: SearchFiles) {
  const own = hostname.split(".").slice(1).join(".");
  let domains = own === "" ? [] : [own];
  let ndots = 1;
  for (const [keyword, ...words] of linesOf(resolvConf)) {
    if (keyword === "search" && words.length > 0) domains = words;
    if (keyword === "domain" && words.length > 0) domains = words.slice(0, 1);
    if (keyword === "options") ndots = ndotsIn(words) ?? ndots;
  }
  ndots = ndotsIn(wordsOf(env.RES_OPTIONS ?? "")) ?? ndots;
  if (env.LOCALDOMAIN !== undefined) domains = wordsOf(env.LOCALDOMAIN);
  return { domains: domains.map(domainOf), ndots };
}

function muslSearch({ resolvConf }: SearchFiles) {
  let domains: string[] = [];
  let ndots = 1;
  for (const [keyword, ...words] of linesOf(resolvConf)) {
    if (keyword === "search" || keyword === "domain") domains = words;
    if (keyword === "options") ndots = ndotsIn(words) ?? ndots;
  }
  return { domains: domains.map(domainOf), ndots };
}

/** As inet_aton(3) takes it: one to four numbers, the last for all bytes that are left. */
const ATON = /^(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+)){0,3}$/;

/** As shim/eligible.c has it. */
function leftToLibc(name: string, { hosts, resolvConf, hostname, env }: SearchFiles): string | undefined {
  const isUnder = (suffix: string) => name === suffix || name.endsWith(`.${suffix}`);
  if (isUnder("localhost") || isUnder("localdomain")) return "it is this machine itself";
  if (isUnder("local") && !isUnder("cluster.local")) return "names under .local are for mDNS";
  if (/^_[^.]*$/.test(name) || name.startsWith("-")) return "it is no host's name";
  if (ATON.test(name)) return "it reads it as an address";
  const own = hostname.toLowerCase();
  if (name === own || name === own.split(".", 1)[0]) return "it is this machine's own name";
  if (namesIn(hosts).has(name)) return "it stands in /etc/hosts";
  const options = linesOf(resolvConf).flatMap(([keyword, ...words]) => (keyword === "options" ? words : []));
  const odd = [...options, ...wordsOf(env.RES_OPTIONS ?? "")].find((option) => ODD_OPTIONS.has(option));
  if (odd !== undefined) return `resolv.conf's option ${odd} changes answers`;
  return /^sortlist\b/m.test(resolvConf) ? "resolv.conf has a sortlist" : undefined;
}

function namesIn(hosts: string): Set<string> {
  const lines = hosts.split("\n").map((line) => wordsOf(line.replace(/#.*/, "")).slice(1));
  return new Set(lines.flat().map((name) => name.toLowerCase()));
}

function ndotsIn(options: readonly string[]): number | undefined {
  const last = options.findLast((option) => /^ndots:\d/.test(option));
  return last === undefined ? undefined : Math.min(Number.parseInt(last.slice(6), 10), NDOTS_MAX);
}

/** The keyword has to stand at the line's start. */
function linesOf(text: string): string[][] {
  return text.split("\n").flatMap((line) => (/^[a-z]/.test(line) ? [wordsOf(line)] : []));
}

function wordsOf(text: string): string[] {
  return text.split(/[ \t\r]+/).filter((word) => word !== "");
}

function domainOf(text: string): string {
  return text.replace(/\.$/, "").toLowerCase();
}

function textAt(path: string): string {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
