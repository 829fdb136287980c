// What is called, as lines for lookup.c: every argument of every function, alone and in the pairs that programs use.
import { BROKEN_ADDRESS } from "../support/failing.ts";
import { FORWARD_NAMES, LONG } from "./zone.ts";

const [INET, INET6] = [2, 10];
const FAMILIES = [0, INET, INET6];
const ODD_FAMILIES = [0, INET, INET6, 1, 99, -1];

const NAMES = [
  ...FORWARD_NAMES,
  ..."BOTH.example WwW.ExAmPlE one.example. www.example. single. missing.example missing.example. missing".split(" "),
  ..."192.0.2.1 127.1 0x7f.1 010.1 1.2.3.4. 1.2.3 :: ::1 fe80::1%lo localhost x.localhost a.local -y.example".split(
    " ",
  ),
  ..."a..example .example one.example.. . '' bad*name.example b\u00fccher.example - * _gateway".split(" "),
  ..."1 0 1. 00000001 256.1.1.1 1.2.3.4.5 1.2.3.4x 4294967296 ::ffff:1.2.3.4 [::1] ::1%1 ::1. 0x10 0x1g 1a. a.1 1.1".split(
    " ",
  ),
  ..."beef ::g \\065.example a\\.b.example a\\032b one\\.example one.example\\. one.example/ one..example one@two".split(
    " ",
  ),
  ..."LOCALHOST localhost. localhost.localdomain 127.0.0.1. ip6-localhost x.local. -. .. -one one- _x.example".split(
    " ",
  ),
  ...[23, 24, 25].map((more) => `${"x".repeat(more)}.${LONG}`), // 253 and more
  "e".repeat(64),
];
const SIX_NAMES = ["both.example", "www.example", "one.example", "six.example", "missing.example", "nothing.example"];

const PASSIVE = 1;
const CANONNAME = 2;
const NUMERICHOST = 4;
const V4MAPPED = 8;
const ALL = 0x10;
const ADDRCONFIG = 0x20;
const NUMERICSERV = 0x400;
const IDN = [0x40, 0x80, 0x100, 0x200];
const UNKNOWN = [0x800, 0x1000, 0x8000];
const FLAGS = [PASSIVE, CANONNAME, NUMERICHOST, V4MAPPED, ALL, ADDRCONFIG, NUMERICSERV, ...IDN, ...UNKNOWN];
const USUAL_FLAGS = [0, CANONNAME, V4MAPPED | ADDRCONFIG, 0xea]; // the last is getent's
const MANY_FLAGS = [0, ...FLAGS, ...pairs(FLAGS), V4MAPPED | ALL | ADDRCONFIG, 0x3a, 0x3e, 0xea, 0xc2, 0x404];

const SERVICES = "- 80 0 00080 65535 65536 99999999999 http domain ntp nosuch Http '' -1 +80 80x * 0x50".split(" ");
const TYPES = [
  ...[0, 1, 2, 3, 4, 5, 6, 10, 99, -1].map((type) => [type, 0]),
  ...[0, 1, 2, 3].flatMap((type) => [6, 17, 1, 132, 136, 255].map((protocol) => [type, protocol])),
];

function pairs(list: readonly number[]): number[] {
  return list.flatMap((one, i) => list.slice(i + 1).map((other) => one | other));
}

function gai(name: string, family: number, flags: number, service = "443", type = 1, protocol = 0): string {
  return `getaddrinfo ${name} ${service} ${family} ${type} ${protocol} ${flags}`;
}

/** gethostbyname of a NULL ends the program on both libcs. */
function byName(name: string): string[] {
  if (name === "-") return [];
  return [
    `gethostbyname ${name}`,
    `gethostbyname2 ${name} ${INET6}`,
    `gethostbyname_r ${name} 8192 0`,
    `gethostbyname2_r ${name} ${INET} 16* 1`,
    `gethostbyname2_r ${name} ${INET6} 8192 3`,
  ];
}

/** Broken names take musl a second each, and escaped ones glibc: the zone's server spells them otherwise. */
const isSlow = (name: string) => /\\|broken|(four|six)missing|x\.(refused|notimp|formerr)|round|about/.test(name);

/** Every name. */
export function names(): string[] {
  return NAMES.filter((name) => !isSlow(name)).flatMap((name) => {
    const asked = FAMILIES.flatMap((family) => USUAL_FLAGS.map((flags) => gai(name, family, flags)));
    return [`getaddrinfo ${name} -`, `getaddrinfo ${name} 80`, ...asked, ...byName(name)];
  });
}

export function brokenNames(): string[] {
  return NAMES.filter(isSlow).flatMap((name) => [
    ...FAMILIES.map((family) => gai(name, family, 0)),
    gai(name, INET, CANONNAME),
    `gethostbyname ${name}`,
    `gethostbyname_r ${name} 8192 0`,
  ]);
}

/** Every flag, and every two of them. */
export function flags(): string[] {
  return [
    ...SIX_NAMES.flatMap((name) => FAMILIES.flatMap((family) => MANY_FLAGS.map((flags) => gai(name, family, flags)))),
    ...ODD_FAMILIES.flatMap((family) =>
      MANY_FLAGS.flatMap((flags) => [gai("-", family, flags, "80"), gai("::1", family, flags)]),
    ),
    ...ODD_FAMILIES.flatMap((family) => SIX_NAMES.map((name) => gai(name, family, 0))),
    ...["puny.example", "xn--bcher-kva.example", "loud.example", "127.1", "192.0.2.1", "localhost", "mapped.example"]
      .flatMap((name) => FAMILIES.map((family) => ({ name, family })))
      .flatMap(({ name, family }) => [0, ...FLAGS, 0xea, 0x18, 0x38].map((flags) => gai(name, family, flags))),
  ];
}

/** Every service with every socket type and protocol. */
export function services(): string[] {
  const lines = SERVICES.flatMap((service) =>
    TYPES.flatMap(([type, protocol]) =>
      [0, NUMERICSERV].map((flags) => gai("both.example", INET, flags, service, type, protocol)),
    ),
  );
  const nodes = ["-", "six.example", "missing.example", "192.0.2.1"];
  for (const service of SERVICES) {
    for (const node of nodes) {
      lines.push(`getaddrinfo ${node} ${service}`, gai(node, 0, 0, service, 0), gai(node, 0, PASSIVE, service, 0));
      lines.push(gai(node, INET6, NUMERICSERV | V4MAPPED, service, 2), gai(node, 0, 0, service, 3));
    }
  }
  return lines;
}

const SIZES = [0, 1, 7, 8, 15, 16, 31, 32, 40, 48, 56, 63, 64, 65, 72, 80, 96, 100, 128, 200, 256, 400, 512, 700, 800]
  .concat([1000, 1023, 1024, 1025, 1100, 1200, 1500, 2000, 2048, 4096, 8192])
  .filter((size, i) => i % 2 === 0 || size > 60);
const PADS = [0, 1, 7];

/** The `_r` forms with buffers of every size, and with those that grow. */
export function sizes(): string[] {
  const names = ["one.example", "www.example", "both.example", "forty.example", "missing.example", "hosted.example"];
  const lines = names.flatMap((name) =>
    SIZES.flatMap((size) => [
      ...PADS.map((pad) => `gethostbyname_r ${name} ${size} ${pad}`),
      `gethostbyname2_r ${name} ${INET6} ${size} 0`,
    ]),
  );
  for (const name of NAMES.filter((name) => name !== "-" && !isSlow(name))) {
    for (const start of [1, 100, 1024])
      lines.push(`gethostbyname_r ${name} ${start}* 0`, `gethostbyname2_r ${name} ${INET6} ${start}* 5`);
  }
  for (const family of ODD_FAMILIES) {
    lines.push(`gethostbyname2 both.example ${family}`, `gethostbyname2 missing.example ${family}`);
    for (const name of ["both.example", "192.0.2.1", "::1", "missing.example"])
      lines.push(`gethostbyname2_r ${name} ${family} 8192 0`);
  }
  return lines;
}

const SEARCHED_NAMES = [
  ..."app APP later last six alias empty single com missing a.b a.b. a.b.c one.example one.example. app.corp".split(
    " ",
  ),
  ..."app. www.example web web.default WEB.Default web.default.svc app.corp.example app.corp.example. short".split(" "),
  ..."www.example.svc missing.example missing.nowhere.example single. one.example.two host.example a.b.missing".split(
    " ",
  ),
];

/** Names that a search list, ndots or an alias may lead elsewhere. */
export function searches(): string[] {
  return SEARCHED_NAMES.flatMap((name) => [
    `getaddrinfo ${name} -`,
    ...FAMILIES.map((family) => gai(name, family, 0)),
    gai(name, INET, CANONNAME),
    gai(name, 0, CANONNAME),
    gai(name, INET6, V4MAPPED | ALL | CANONNAME),
    gai(name, INET6, V4MAPPED),
    ...byName(name),
  ]);
}

/** A few names that a search list leads to a server that fails. */
export function brokenSearches(): string[] {
  return ["app", "x", "later"].flatMap((name) => [
    gai(name, INET, 0),
    gai(name, 0, CANONNAME),
    `gethostbyname ${name}`,
  ]);
}

/** The root as a suffix makes names that nobody answers for: musl waits a second for each. */
export function rootSearches(): string[] {
  return ["app", "missing", "one.example"].flatMap((name) => [gai(name, INET, 0), `gethostbyname ${name}`]);
}

const HOSTED_NAMES = [
  ..."hosted.example HOSTED.example hosted.example. other other. several.example six.hosts four.hosts".split(" "),
  ..."alias.hosts Loud.Hosts loud.hosts both.hosts commented.hosts one.example missing.example localhost".split(" "),
  ..."ip6-localhost sandbox sandbox.corp.example x.localhost tail.hosts short".split(" "),
];

/** Names that /etc/hosts or a module of nsswitch.conf may know. */
export function hosted(): string[] {
  return HOSTED_NAMES.flatMap((name) => [
    ...FAMILIES.flatMap((family) => [gai(name, family, 0), gai(name, family, CANONNAME)]),
    gai(name, INET6, V4MAPPED | CANONNAME),
    gai(name, INET6, V4MAPPED | ALL),
    gai(name, 0, ADDRCONFIG),
    ...byName(name),
  ]);
}

const FOURS = Array.from({ length: 14 }, (_, i) => `192.0.2.${i + 1}`).concat(
  "192.0.2.99 192.0.2.98 192.0.2.200 127.0.0.1 127.0.0.2 0.0.0.0 255.255.255.255 10.0.0.1 203.0.113.99".split(" "),
);
const SIXES = [
  ..."2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::4 2001:db8::5 2001:db8::99 ::1 ::".split(" "),
  ..."::ffff:192.0.2.1 ::ffff:192.0.2.98 ::ffff:127.0.0.1 ::192.0.2.1 fe80::1 ff02::1".split(" "),
];
const [V4_BYTES, V6_BYTES] = [16, 28]; // of a sockaddr

function nameinfo(address: string, flags: number, { host = "1025", service = "32", port = 80, scope = 0 } = {}) {
  const [family, length] = address.includes(":") ? [INET6, V6_BYTES] : [INET, V4_BYTES];
  return `getnameinfo ${family} ${address} ${scope} ${port} ${length} ${host} ${service} ${flags}`;
}

/** Addresses to names. */
export function reverse(): string[] {
  const lines: string[] = [];
  for (const address of [...FOURS, ...SIXES]) {
    const [family, bytes] = address.includes(":") ? [INET6, 16] : [INET, 4];
    lines.push(`gethostbyaddr ${address} ${bytes} ${family}`);
    for (const size of ["1*", "1024*", "8192"])
      lines.push(`gethostbyaddr_r ${address} ${bytes} ${family} ${size} ${size.length % 3}`);
    for (const flags of [0, 2, 4, 8, 0xc]) lines.push(nameinfo(address, flags));
    lines.push(nameinfo(address, 0, { service: "-" }), nameinfo(address, 8, { service: "-", port: 0 }));
  }
  const known = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.98", "2001:db8::1", "2001:db8::3"];
  for (const address of known) {
    const [family, bytes] = address.includes(":") ? [INET6, 16] : [INET, 4];
    for (const size of SIZES) for (const pad of [0, 3]) lines.push(reverseR(address, bytes, family, size, pad));
    for (const length of [0, 1, 3, 4, 5, 8, 15, 16, 17])
      for (const odd of [INET, INET6, 0, 1, 99])
        lines.push(`gethostbyaddr ${address} ${length} ${odd}`, reverseR(address, length, odd, 8192, 0));
    const flags = [1, 2, 4, 8, 16, 32, 64, 128, 256];
    for (const flag of [0, ...flags, ...pairs(flags), 0x1000]) lines.push(nameinfo(address, flag));
    for (const host of ["-", "0", "1", "5", "11", "12", "13", "20", "1025"])
      for (const service of ["-", "0", "1", "3", "4", "5", "32"])
        for (const flag of [0, 1, 2, 8]) lines.push(nameinfo(address, flag, { host, service }));
    for (const port of [0, 22, 53, 80, 514, 65535]) {
      for (const flag of [0, 1, 2, 16, 18, 9]) lines.push(nameinfo(address, flag, { port }));
    }
    for (const length of [0, 2, 8, 15, 16, 17, 27, 28, 29, 128])
      lines.push(`getnameinfo ${family} ${address} 0 80 ${length} 1025 32 0`);
    for (const odd of [0, 1, 99]) lines.push(`getnameinfo ${odd} ${address} 0 80 28 1025 32 0`);
  }
  for (const address of ["fe80::1", "fe80::200", "ff02::1", "2001:db8::1", "::1"]) {
    for (const scope of [0, 1, 77])
      for (const flag of [0, 1, 8, 4, 256]) lines.push(nameinfo(address, flag, { scope }));
  }
  return lines;
}

export function brokenReverse(): string[] {
  return [nameinfo(BROKEN_ADDRESS, 0), nameinfo(BROKEN_ADDRESS, 8), `gethostbyaddr ${BROKEN_ADDRESS} 4 ${INET}`];
}

function reverseR(address: string, length: number, family: number, size: number, pad: number): string {
  return `gethostbyaddr_r ${address} ${length} ${family} ${size} ${pad}`;
}

/** A few of each, for an environment that should make no difference to most. */
export function few(): string[] {
  return ["both.example", "www.example", "single", "missing.example", "app", "localhost", "192.0.2.1"].flatMap(
    (name) => [
      `getaddrinfo ${name} -`,
      ...FAMILIES.map((family) => gai(name, family, 0)),
      gai(name, 0, CANONNAME | ADDRCONFIG),
      ...byName(name),
    ],
  );
}

/** What puts everything that the other calls ask for into the table. */
export function warming(lines: readonly string[]): string[] {
  const calls = new Set<string>();
  for (const line of lines) {
    const [call = "", name = "", ...rest] = line.split(" ");
    if (call === "getaddrinfo") for (const family of FAMILIES) calls.add(gai(name, family, 0));
    if (call.startsWith("gethostbyname"))
      for (const family of [INET, INET6]) calls.add(`gethostbyname2 ${name} ${family}`);
    if (call === "getnameinfo") calls.add(nameinfo(rest[0] as string, 0));
    if (call.startsWith("gethostbyaddr")) {
      calls.add(["gethostbyaddr", name, ...rest.slice(0, 2)].join(" "));
    }
  }
  return [...calls].filter((line) => !/^gethostbyname2 - /.test(line));
}
