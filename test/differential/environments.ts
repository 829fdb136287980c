// Where it is called: the machine's addresses, the files of /etc and the variables that libc heeds.
import * as calls from "./calls.ts";
import { IS_FULL } from "./size.ts";
import { LONG } from "./zone.ts";

export type Libc = "glibc" | "musl";

export interface Network {
  readonly title: string;
  readonly addresses: string[];
  readonly routes: string[];
}

export interface Environment {
  readonly title: string;
  readonly network: Network;
  /** Put before the nameserver's line; with `nameserver`, all of the file. */
  readonly resolvConf?: string;
  readonly hosts?: string;
  readonly nsswitch?: string;
  readonly hostConf?: string;
  readonly gaiConf?: string;
  readonly hostname?: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly calls: readonly (() => string[])[];
  /** libc waits a second for each name that is not there. */
  readonly isSlow?: boolean;
}

/** Any address will do that is no machine's own: what libc thinks of the nameserver's must not change the rest. */
const NAMESERVER = "203.0.113.253";
const TO_NAMESERVER = `route add local ${NAMESERVER}/32 dev lo`;
export const HOSTS = `127.0.0.1 localhost
::1 localhost
192.0.2.99 hosted.example other # one.example
192.0.2.98 ninety-eight.example
`;
export const NSSWITCH = "passwd: files\nhosts: files dns\nservices: files\n";
export const ALIASES_FILE = "/etc/host.aliases";
export const ALIASES = "short www.example\nSHOUTED one.example\nother app.corp.example\n";

export function resolvConfOf({ resolvConf = "" }: Environment): string {
  if (resolvConf.startsWith("-")) return "-";
  if (/^\s*nameserver|^# nothing/m.test(resolvConf)) return resolvConf;
  return `${resolvConf}nameserver ${NAMESERVER}\noptions timeout:1 attempts:1\n`;
}

const V4: Network = { title: "IPv4 only", addresses: ["192.0.2.200/24"], routes: [TO_NAMESERVER] };
const BOTH: Network = {
  title: "IPv4 and IPv6",
  addresses: ["192.0.2.200/24", "2001:db8::200/64"],
  routes: [TO_NAMESERVER],
};
const OUT: Network = {
  title: "with ways out",
  addresses: ["192.0.2.200/24", "2001:db8::200/64", "fd00:1::200/64", "fe80::200/64"],
  routes: [TO_NAMESERVER, "route add default dev lo", "-6 route add default dev lo"],
};
const V6: Network = { title: "IPv6 only", addresses: ["2001:db8::200/64"], routes: [TO_NAMESERVER] };
const NONE: Network = { title: "loopback addresses only", addresses: [], routes: [TO_NAMESERVER] };

const {
  names,
  flags,
  services,
  sizes,
  searches,
  brokenNames,
  brokenSearches,
  rootSearches,
  hosted,
  reverse,
  brokenReverse,
  few,
} = calls;

const NETWORKS: Environment[] = [
  { title: V4.title, network: V4, calls: [names] },
  { title: BOTH.title, network: BOTH, calls: [names, brokenNames, flags, services, sizes, reverse, brokenReverse] },
  { title: OUT.title, network: OUT, calls: [names] },
  { title: V6.title, network: V6, calls: [names] },
  { title: NONE.title, network: NONE, calls: [names] },
];

const ONE = "search corp.example\n";
const FOUR = "search none.example corp.example two.example seven.example\n";
const SEVEN =
  "search one.none.example two.none.example three.none.example four.none.example five.none.example two.example seven.example\n";
const CLUSTER = "search default.svc.cluster.local svc.cluster.local cluster.local corp.example\noptions ndots:5\n";

const RESOLV_CONFS: Record<string, string> = {
  "a search list of one": ONE,
  "a search list of four": FOUR,
  "a search list of seven": SEVEN,
  "a search list as Kubernetes writes it": CLUSTER,
  "a domain line": "domain corp.example\n",
  "a domain line with two names": "domain corp.example two.example\n",
  "search, then domain": "search two.example seven.example\ndomain corp.example\n",
  "domain, then search": "domain corp.example\nsearch two.example seven.example\n",
  "two search lines": `search none.example\n${FOUR}`,
  "a search list in mixed case with final dots": "search Corp.EXAMPLE. TWO.example\n",
  "a search list with the root": "search . corp.example\n",
  "an empty search line": "search\n",
  "a search list of what is no domain": "search -bad.example corp.example\n",
  "ndots:0": `${FOUR}options ndots:0\n`,
  "ndots:2": `${FOUR}options ndots:2\n`,
  "ndots:5": `${FOUR}options ndots:5\n`,
  "ndots:15": `${FOUR}options ndots:15\n`,
  "ndots:16": `${FOUR}options ndots:16\n`,
  "ndots without a number": `${FOUR}options ndots:\n`,
  "ndots twice": `${FOUR}options ndots:4\noptions ndots:1\n`,
  "ndots without a search list": "options ndots:3\n",
  "odd spacing": "search\t corp.example \t two.example  \n  search seven.example\noptions   ndots:2\tattempts:1\n",
  comments: "; search none.example\n# search seven.example\nsearch corp.example # two.example\nsearch two.example ;x\n",
  "no line end": "nameserver 203.0.113.253\noptions timeout:1 attempts:1\nsearch corp.example two.example",
  "carriage returns": "search corp.example two.example\r\n",
  "no-aaaa": "options no-aaaa\n",
  "no-aaaa and a search list": `${FOUR}options no-aaaa ndots:2\n`,
  "options for the transport": "options edns0 rotate single-request single-request-reopen trust-ad use-vc\n",
  inet6: "options inet6\n",
  sortlist: "sortlist 198.51.100.0/255.255.255.0 203.0.113.0\n",
  "a loopback nameserver": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
  "a loopback nameserver and a search list": `${FOUR}nameserver 127.0.0.1\noptions timeout:1 attempts:1\n`,
  "a nameserver with a scope": "nameserver fe80::200%lo\noptions timeout:1 attempts:1\n",
  "an unreadable nameserver": "nameserver 203.0.113.253\nnameserver nonsense\noptions timeout:1 attempts:1\n",
  "nothing at all": "# nothing\n",
  "no file": "-# nothing",
  "a search list of one label": "search example\n",
  "a search list under which each name exists": "search wild.example\n",
  "a search list with one domain twice": "search corp.example corp.example two.example\n",
  "a search list with a long domain": `search ${LONG.slice(0, 210)}.example corp.example\n`,
  "a search list of nine": `search ${"a b c d e f g h"
    .split(" ")
    .map((one) => `${one}.none.example`)
    .join(" ")} corp.example\n`,
  "a search list longer than 256 bytes": `search ${"n".repeat(60)}.example ${"o".repeat(60)}.example ${"p".repeat(60)}.example ${"q".repeat(60)}.example corp.example\n`,
  "a search list with empty labels": "search corp..example .two.example\n",
  "a search list that escapes": "search corp\\.example two.example\n",
  "a search list of digits": "search 2 two.example\n",
  "ndots:1 and a search list of two": "search corp.example two.example\noptions ndots:1\n",
  "ndots:3x": `${FOUR}options ndots:3x\n`,
  "ndots:-1": `${FOUR}options ndots:-1\n`,
  "ndots among others": `${FOUR}options timeout:1 ndots:2 attempts:1\n`,
  "NDOTS:2": `${FOUR}options NDOTS:2\n`,
  "search written Search": "Search corp.example\nsearch\ttwo.example\n",
  searching: "searching corp.example\ndomains two.example\n",
  "a blank before options": `${FOUR} options ndots:2\n`,
  "a comment behind options": `${FOUR}options ndots:2 # no-aaaa\noptions # ndots:5\n`,
  "a comment within a search list": "search corp.example #two.example\n",
  "no-tld-query": "options no-tld-query\n",
  "a search list and no-tld-query": `${FOUR}options no-tld-query\n`,
  "options of old": "options ip6-bytestring no-ip6-dotint no-check-names edns0 debugging trust-ad no-reload\n",
  "an IPv6 nameserver": "nameserver 2001:db8::200\noptions timeout:1 attempts:1\n",
  "four nameservers": `nameserver 203.0.113.253\n${"nameserver 203.0.113.253\n".repeat(3)}options timeout:1 attempts:1\n`,
  "a nameserver's line with more on it": "nameserver 203.0.113.253 # the first\noptions timeout:1 attempts:1\n",
  "a nameserver of ::1": "search corp.example\nnameserver ::1\noptions timeout:1 attempts:1\n",
  "a loopback nameserver, the second": "nameserver 203.0.113.253\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
  "a sortlist and a search list": `${FOUR}sortlist 203.0.113.0\n`,
};

/** Under these every name is called, in a full run. */
const THOROUGH = ["a search list of four", "a search list as Kubernetes writes it", "ndots:2", "no-aaaa"];

const ON_RESOLV_CONF: Environment[] = Object.entries(RESOLV_CONFS).map(([title, resolvConf]) => ({
  title: `resolv.conf: ${title}`,
  network: title.includes("scope") ? OUT : BOTH,
  resolvConf,
  isSlow: /root|escapes/.test(title),
  calls: [
    /root|escapes/.test(title)
      ? rootSearches
      : /search|ndots|NDOTS|blank|comment|domain|spacing|returns|line end/.test(title)
        ? searches
        : few,
    ...(THOROUGH.includes(title) && IS_FULL ? [names, hosted, reverse] : []),
  ],
}));

const HOSTS_FILES: Record<string, string> = {
  "several lines and aliases": `${HOSTS}192.0.2.50 several.example alias.hosts\n192.0.2.51 several.example\n2001:db8::50 several.example second.hosts\n192.0.2.52 Loud.Hosts\n192.0.2.53 both.hosts\n2001:db8::53 both.hosts\n`,
  "IPv6 only": "::1 ip6-localhost\n2001:db8::51 six.hosts\n2001:db8::52 hosted.example\n::ffff:192.0.2.60 four.hosts\n",
  "comments, odd lines, an address alone":
    "127.0.0.1\tlocalhost\n# 192.0.2.54 commented.hosts\n192.0.2.55\n  192.0.2.56   six.hosts\t tail.hosts#one.example\nnonsense both.hosts\n192.0.2.57 four.hosts hosted.example.\n192.0.2.1 one.example",
  "nothing in it": "",
  "carriage returns": "127.0.0.1 localhost\r\n192.0.2.52 other.hosts both.hosts\r\n192.0.2.53 one.example\r\n",
  "blocked names": "127.0.0.1 localhost\n0.0.0.0 one.example www.example\n:: both.example\n127.0.0.1 host.example\n",
  "this machine's name": "127.0.0.1 localhost\n127.0.1.1 sandbox.corp.example sandbox\n",
  "names with a final dot": "192.0.2.52 one.example. both.hosts.\n192.0.2.53 four.hosts\n",
  "odd addresses":
    "127.1 one.example\n0x7f.1 four.hosts\n192.0.2.300 six.hosts\nfe80::1%lo both.hosts\n192.0.2.52/24 www.example\n",
  "a long line": `192.0.2.52 ${Array.from({ length: 300 }, (_, i) => `n${i}.hosts`).join(" ")} other.hosts one.example\n192.0.2.53 four.hosts\n`,
  "one name many times": `${Array.from({ length: 40 }, (_, i) => `192.0.2.${i + 1} four.hosts\n2001:db8::${i + 1} four.hosts six.hosts\n`).join("")}`,
};
const HOSTED: Environment[] = [
  ...Object.entries(HOSTS_FILES).map(([title, hosts]) => ({
    title: `hosts: ${title}`,
    network: BOTH,
    hosts,
    calls: [hosted],
  })),
  { title: "hosts: missing", network: BOTH, hosts: "-", calls: [hosted] },
  { title: "hosts: missing and a search list", network: BOTH, hosts: "-", resolvConf: FOUR, calls: [few] },
  {
    title: "hosts that a search list finds",
    network: BOTH,
    hosts: `${HOSTS}192.0.2.60 app.two.example\n192.0.2.61 missing\n192.0.2.62 later\n`,
    resolvConf: FOUR,
    calls: [searches],
  },
];

const SWITCHES = [
  "dns files",
  "files",
  "dns",
  "files [NOTFOUND=return] dns",
  "files [!UNAVAIL=return] dns",
  "files mymachines myhostname dns",
  "files mdns4_minimal [NOTFOUND=return] dns",
  "files nosuchmodule dns",
  "dns [NOTFOUND=return] files",
  "files dns myhostname",
  "files resolve [!UNAVAIL=return] dns",
  "files [SUCCESS=merge] dns",
  "dns [TRYAGAIN=return] files",
  "dns [!SUCCESS=return] files",
  "FILES DNS",
  "files,dns",
  "files dns # mymachines",
  "files dns\nhosts: files",
  "files dns dns",
  "",
];
const SWITCHED: Environment[] = [
  ...SWITCHES.map((list) => ({
    title: `nsswitch: ${list}`,
    network: BOTH,
    nsswitch: `hosts:\t${list}\n`,
    calls: [hosted],
  })),
  { title: "nsswitch: no line for hosts", network: BOTH, nsswitch: "passwd: files\n", calls: [hosted] },
  { title: "nsswitch: missing", network: BOTH, nsswitch: "-", calls: [few] },
  {
    title: "host.conf: multi off",
    network: BOTH,
    hostConf: "multi off\n",
    hosts: `${HOSTS}192.0.2.1 other\n`,
    calls: [few],
  },
  { title: "gai.conf", network: OUT, gaiConf: "precedence ::ffff:0:0/96 100\n", calls: [few] },
];

const OTHERWISE: Environment[] = [
  { title: "a host name with a domain", network: BOTH, hostname: "sandbox.corp.example", calls: [searches, hosted] },
  {
    title: "a host name with a domain, and a search list",
    network: BOTH,
    hostname: "sandbox.corp.example",
    resolvConf: "search two.example\n",
    calls: [searches],
  },
  ...(
    [
      ["LOCALDOMAIN", { LOCALDOMAIN: "corp.example two.example" }, ""],
      ["LOCALDOMAIN over a search list", { LOCALDOMAIN: "corp.example" }, FOUR],
      ["an empty LOCALDOMAIN", { LOCALDOMAIN: "" }, FOUR],
      ["RES_OPTIONS ndots:2", { RES_OPTIONS: "ndots:2" }, FOUR],
      ["RES_OPTIONS ndots:1 over the file's", { RES_OPTIONS: "ndots:1" }, `${FOUR}options ndots:5\n`],
      ["LOCALDOMAIN with blanks", { LOCALDOMAIN: "  corp.example\ttwo.example " }, FOUR],
      ["LOCALDOMAIN with a line end", { LOCALDOMAIN: "corp.example\ntwo.example" }, FOUR],
      ["LOCALDOMAIN with commas", { LOCALDOMAIN: "corp.example,two.example" }, FOUR],
      ["LOCALDOMAIN with a final dot", { LOCALDOMAIN: "Corp.Example." }, ""],
      [
        "LOCALDOMAIN of eight",
        { LOCALDOMAIN: "a.example b.example c.example d.example e.example f.example g.example corp.example" },
        "",
      ],
      ["LOCALDOMAIN of the root", { LOCALDOMAIN: ". corp.example" }, ""],
      ["RES_OPTIONS with several", { RES_OPTIONS: "rotate ndots:2\tattempts:2" }, FOUR],
      ["RES_OPTIONS with a comma", { RES_OPTIONS: "rotate,ndots:2" }, FOUR],
      ["RES_OPTIONS with a blank first", { RES_OPTIONS: " ndots:3" }, FOUR],
      ["RES_OPTIONS ndots:0", { RES_OPTIONS: "ndots:0" }, FOUR],
      ["RES_OPTIONS ndots:x", { RES_OPTIONS: "ndots:x" }, FOUR],
      ["an empty RES_OPTIONS", { RES_OPTIONS: "" }, FOUR],
      ["RES_OPTIONS no-tld-query", { RES_OPTIONS: "no-tld-query" }, ""],
      ["RES_OPTIONS that is unknown", { RES_OPTIONS: "nonsense edns0" }, ""],
      ["RES_OPTIONS and LOCALDOMAIN", { RES_OPTIONS: "ndots:5", LOCALDOMAIN: "svc.cluster.local corp.example" }, ""],
      ["RES_OPTIONS no-aaaa", { RES_OPTIONS: "no-aaaa" }, ""],
      ["HOSTALIASES", { HOSTALIASES: ALIASES_FILE }, FOUR],
      ["HOSTALIASES without a file", { HOSTALIASES: "/nowhere" }, FOUR],
    ] as const
  ).map(([title, variables, resolvConf]) => ({ title, network: BOTH, variables, resolvConf, calls: [searches] })),
  {
    title: "a server that fails, first in the search list",
    network: BOTH,
    resolvConf: "search broken.example corp.example\n",
    calls: [brokenSearches],
    isSlow: true,
  },
  {
    title: "a server that fails, last in the search list",
    network: BOTH,
    resolvConf: "search two.example broken.example\n",
    calls: [brokenSearches],
    isSlow: true,
  },
];

export const ENVIRONMENTS: readonly Environment[] = [
  ...NETWORKS,
  ...ON_RESOLV_CONF,
  ...HOSTED,
  ...SWITCHED,
  ...OTHERWISE,
];
/** In a full run, called in each environment besides its own calls. */
export const EVERYWHERE = [few];

/** Where most is left to libc, and on purpose: how much of its own questions the cache spares it at least. */
const LEAST_SPARED: Readonly<Record<Libc | "both", Readonly<Record<string, number>>>> = {
  both: {
    ...noneIn("resolv.conf: ", ["sortlist", "a sortlist and a search list", "inet6", "no-tld-query", "ndots:-1"]),
    ...noneIn("resolv.conf: ", ["a search list and no-tld-query", "ndots without a number", "carriage returns"]),
    ...noneIn("resolv.conf: ", ["an unreadable nameserver"]),
    "resolv.conf: a loopback nameserver and a search list": 0.08,
    "resolv.conf: a search list that escapes": 0.15,
    "resolv.conf: a nameserver of ::1": 0.25,
    "resolv.conf: a loopback nameserver": 0.35,
    "resolv.conf: a loopback nameserver, the second": 0.35,
    "resolv.conf: no file": 0.35,
    "resolv.conf: nothing at all": 0.35,
  },
  glibc: {
    ...noneIn("nsswitch: ", ["files nosuchmodule dns", "files dns # mymachines", "files [SUCCESS=merge] dns"]),
    ...noneIn("nsswitch: ", ["dns [!SUCCESS=return] files", "dns [TRYAGAIN=return] files", ""]),
    ...noneIn("", ["an empty LOCALDOMAIN", "RES_OPTIONS ndots:x", "RES_OPTIONS no-tld-query"]),
    ...noneIn("", ["a server that fails, first in the search list"]),
    "nsswitch: files dns myhostname": 0.08,
    "nsswitch: dns files": 0.1,
    "nsswitch: dns [NOTFOUND=return] files": 0.1,
    "LOCALDOMAIN with blanks": 0.1,
    "LOCALDOMAIN of the root": 0.12,
    "LOCALDOMAIN with commas": 0.15,
    "resolv.conf: comments": 0.1,
    "resolv.conf: a comment within a search list": 0.12,
    "resolv.conf: a search list with the root": 0.15,
    "resolv.conf: a search list with empty labels": 0.25,
    "resolv.conf: a comment behind options": 0.45,
    "resolv.conf: no-aaaa and a search list": 0.45,
  },
  musl: {
    ...noneIn("resolv.conf: ", ["ndots twice", "a comment behind options"]),
    "resolv.conf: a search list with a long domain": 0.35,
    "resolv.conf: comments": 0.4,
    "resolv.conf: a comment within a search list": 0.4,
    "resolv.conf: a search list in mixed case with final dots": 0.4,
  },
};

function noneIn(file: string, titles: readonly string[]): Record<string, number> {
  return Object.fromEntries(titles.map((title) => [file + title, 0]));
}

/** Elsewhere at least half: were a libc's calls not answered by the cache at all, it would show. */
export function leastSpared({ title }: Environment, libc: Libc): number {
  return LEAST_SPARED[libc][title] ?? LEAST_SPARED.both[title] ?? 0.5;
}
