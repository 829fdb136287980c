// The replies that the fuzzer damages: as real servers send them, and as hostile ones might.
import dnsPacket from "dns-packet";
import type { Query } from "../../src/table/message.ts";
import {
  A,
  AAAA,
  a,
  CNAME,
  cname,
  encodeMessage,
  type MessageParts,
  type Name,
  NS,
  NXDOMAIN,
  type Option,
  opt,
  PTR,
  questionSection,
  REPLY,
  type Rr,
  soa,
} from "../support/dnsMessage.ts";

export interface Seed {
  readonly what: string;
  readonly message: Uint8Array;
  readonly query: Query;
  /** Thousands of records: taken rarely, and not shown to the reference, which knows no bounds. */
  readonly isLarge: boolean;
}

const ID = 0x1234;
const COOKIE = Buffer.from("0123456789abcdef", "hex");
const TRUNCATED = 0x0200;

const cookie = (serverBytes: number): Option => ({
  code: 10,
  data: Buffer.concat([COOKIE, Buffer.alloc(serverBytes, "server")]),
});
const padding: Option = { code: 12, data: new Uint8Array(40) };
const nsid: Option = { code: 3, data: Buffer.from("resolver-1.example") };
const extendedError: Option = { code: 15, data: Buffer.from("\0\x16no server could be reached", "latin1") };
const OPT_WITH_COOKIE = [opt(0, [cookie(16)])];

const numbered = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const links = (count: number) => numbered(count, (i) => cname(`n${i}.example`, `n${i + 1}.example`, 300 - i));
const aaaa = (name: Name, last: number): Rr => ({
  name,
  type: AAAA,
  data: Buffer.from(`20010db8${"0".repeat(22)}${last.toString(16).padStart(2, "0")}`, "hex"),
});
const ptr = (name: Name, target: Name): Rr => ({ name, type: PTR, data: { name: target } });
const ns = (name: Name, target: Name): Rr => ({ name, type: NS, data: { name: target } });
const raw = (name: Name, type: number, data: string): Rr => ({ name, type, data: Buffer.from(data, "latin1") });

/** A reply by hand, to a query for the name. */
function byHand(what: string, name: Name, parts: MessageParts, type = A, isLarge = false): Seed {
  const message = encodeMessage({ id: ID, questions: [{ name, type }], additionals: OPT_WITH_COOKIE, ...parts });
  return { what, message, query: { id: ID, question: questionSection(name, type), cookie: COOKIE }, isLarge };
}

/** As dns-packet writes it: no name is compressed. */
function byDnsPacket(what: string, type: "A" | "AAAA" | "PTR", packet: dnsPacket.Packet): Seed {
  const name = packet.answers?.[0]?.name ?? "www.example.com";
  const bytes = dnsPacket.encode({ type: "response", id: ID, flags: 0x0180, questions: [{ type, name }], ...packet });
  return {
    what,
    message: bytes,
    query: { id: ID, question: questionSection(name, { A, AAAA, PTR }[type]) },
    isLarge: false,
  };
}

/** Records whose owners end in a ladder of pointers, one rung lower each, that hides in the data of the first. */
function ladder(rungs: number, records: number): Seed {
  const head = Buffer.from(encodeMessage({ id: ID, questions: [{ name: "a.b", type: A }] }));
  const first = head.length + 11; // behind a root, type, class, ttl and length
  const steps = Buffer.alloc(2 * rungs);
  for (let i = 0; i < rungs; i++) steps.writeUInt16BE(0xc000 | (i === 0 ? 12 : first + 2 * (i - 1)), 2 * i);
  const hiding = Buffer.from([0, 0, 16, 0, 1, 0, 0, 0, 60, steps.length >> 8, steps.length & 255]);
  const owners = numbered(records, (i) => {
    const owner = 0xc000 | (first + 2 * (rungs - 1 - (i % 2)));
    return Buffer.from([owner >> 8, owner & 255, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
  });
  const message = Buffer.concat([head, hiding, steps, ...owners]);
  message.writeUInt16BE(1 + records, 6);
  const query = { id: ID, question: questionSection("a.b", A), cookie: COOKIE };
  return { what: `a ladder of ${rungs} pointers`, message, query, isLarge: records > 100 };
}

const LABEL = "x".repeat(63);
const LONGEST = [LABEL, LABEL, LABEL, "y".repeat(61)].join(".");
const WWW = "www.example.com";
const CHAIN_END = [a("n12.example", "192.0.2.1"), a("n12.example", "192.0.2.2", 30)];

export const CORPUS: readonly Seed[] = [
  byDnsPacket("an address", "A", { answers: [{ type: "A", name: WWW, ttl: 300, data: "192.0.2.1" }] }),
  byDnsPacket("addresses of IPv6", "AAAA", {
    answers: numbered(4, (i) => ({ type: "AAAA", name: WWW, ttl: 60, data: `2001:db8::${i}` })),
  }),
  byDnsPacket("a name for an address", "PTR", {
    answers: [{ type: "PTR", name: "1.2.0.192.in-addr.arpa", ttl: 3600, data: "host.example.com" }],
  }),
  byDnsPacket("a chain", "A", {
    answers: [
      { type: "CNAME", name: WWW, ttl: 300, data: "edge.cdn.example.net" },
      { type: "CNAME", name: "edge.cdn.example.net", ttl: 60, data: "e1.cdn.example.net" },
      { type: "A", name: "e1.cdn.example.net", ttl: 20, data: "198.51.100.7" },
    ],
  }),
  byDnsPacket("odd types", "A", {
    answers: [
      { type: "A", name: WWW, ttl: 300, data: "192.0.2.1" },
      { type: "TXT", name: WWW, ttl: 300, data: ["v=spf1 -all", "x".repeat(255)] },
      { type: "MX", name: WWW, ttl: 300, data: { preference: 10, exchange: "mail.example.com" } },
      {
        type: "CAA",
        name: WWW,
        ttl: 300,
        data: { flags: 0, tag: "issue", value: "ca.example", issuerCritical: false },
      },
    ],
    authorities: [{ type: "NS", name: "example.com", ttl: 300, data: "ns.example.com" }],
    additionals: [
      {
        type: "SRV",
        name: "_http._tcp.example.com",
        ttl: 300,
        data: { port: 80, target: WWW, priority: 1, weight: 1 },
      },
    ],
  }),
  byHand("a chain of 12", "n0.example", { answers: [...links(12), ...CHAIN_END] }),
  byHand("a chain of 12, backwards", "n0.example", { answers: [...CHAIN_END, ...links(12).reverse()] }),
  byHand("a chain of 16", "n0.example", { answers: [...links(16), a("n16.example", "192.0.2.1")] }),
  byHand("a chain of 17", "n0.example", { answers: [...links(17), a("n17.example", "192.0.2.1")] }),
  byHand("a chain without an end", "n0.example", { answers: links(3), authorities: [soa("example", 60, 30)] }),
  byHand("a loop of one", "a.b", { answers: [cname("a.b", "A.B"), a("a.b", "192.0.2.1")] }),
  byHand("a loop of three", "a.b", { answers: [cname("a.b", "c.b"), cname("c.b", "d.b"), cname("d.b", "a.b")] }),
  byHand("60 addresses", "many.example", { answers: numbered(60, (i) => a("many.example", `10.0.0.${i}`)) }),
  byHand("60 addresses of IPv6", "many.example", { answers: numbered(60, (i) => aaaa("many.example", i)) }, AAAA),
  byHand("addresses among strangers", "a.b", {
    answers: [a("c.b", "192.0.2.9"), { ...a("a.b", "192.0.2.8"), class: 3 }, a("a.b", "192.0.2.1"), aaaa("a.b", 1)],
  }),
  byHand(
    "names for an address",
    "1.2.0.192.in-addr.arpa",
    {
      answers: [ptr("1.2.0.192.in-addr.arpa", "Host.Example"), ptr("1.2.0.192.in-addr.arpa", "other.example")],
    },
    PTR,
  ),
  byHand(
    "a delegated part of a reverse zone",
    "9.2.0.192.in-addr.arpa",
    {
      answers: [
        cname("9.2.0.192.in-addr.arpa", "9.8/29.2.0.192.in-addr.arpa"),
        ptr("9.8/29.2.0.192.in-addr.arpa", "h.example"),
      ],
    },
    PTR,
  ),
  byHand("no such name", "no.example", { flags: REPLY | NXDOMAIN, authorities: [soa("example", 900, 60)] }),
  byHand("no such name at a chain's end", "a.b", {
    flags: REPLY | NXDOMAIN,
    answers: [cname("a.b", "c.example")],
    authorities: [soa("b", 900, 60), soa("example", 900, 30)],
  }),
  byHand("no data", "a.example", { authorities: [soa("", 900, 60)] }),
  byHand("a denial without a SOA", "a.example", { flags: REPLY | NXDOMAIN }),
  byHand("a referral", "a.example", { flags: 0x8000, authorities: [ns("example", "ns.example")] }),
  byHand("truncated", "a.example", { flags: REPLY | TRUNCATED }),
  byHand("truncated in the middle", "a.example", { flags: REPLY | TRUNCATED, answers: [a("a.example", "192.0.2.1")] }),
  byHand("FORMERR without the question", "a.example", { flags: REPLY | 1, questions: [], additionals: [] }),
  byHand("NOTIMP", "a.example", { flags: REPLY | 4, additionals: [] }),
  byHand("SERVFAIL", "a.example", { flags: REPLY | 2, additionals: [opt(0, [extendedError, cookie(8)])] }),
  byHand("REFUSED", "a.example", { flags: REPLY | 5 }),
  byHand("BADVERS", "a.example", { additionals: [opt(1)] }),
  byHand("BADCOOKIE", "a.example", { flags: REPLY | 7, additionals: [opt(1, [cookie(16)])] }),
  byHand("BADCOOKIE without one", "a.example", { flags: REPLY | 7, additionals: [opt(1, [cookie(0)])] }),
  byHand("many options", "a.example", {
    answers: [a("a.example", "192.0.2.1")],
    additionals: [a("ns.example", "192.0.2.3"), opt(0, [nsid, padding, cookie(32), cookie(8), extendedError])],
  }),
  byHand("another's cookie", "a.example", {
    answers: [a("a.example", "192.0.2.66")],
    additionals: [opt(0, [{ code: 10, data: new Uint8Array(24) }])],
  }),
  byHand("a cookie of an odd length", "a.example", {
    answers: [a("a.example", "192.0.2.1")],
    additionals: [opt(0, [cookie(5)])],
  }),
  byHand("OPT twice", "a.example", { answers: [a("a.example", "192.0.2.1")], additionals: [opt(), opt(0, [padding])] }),
  byHand("OPT among the answers", "a.example", { answers: [opt(), a("a.example", "192.0.2.1")] }),
  byHand("another case", "A.eXample", {
    questions: [{ name: "a.Example", type: A }],
    answers: [a("a.b", "192.0.2.1")],
  }),
  byHand("the longest name", LONGEST, { answers: [a(LONGEST, "192.0.2.1")] }),
  byHand("a chain of the longest names", "a.b", {
    answers: [cname("a.b", LONGEST), cname(LONGEST, `z${LONGEST.slice(1)}`), a(`z${LONGEST.slice(1)}`, "192.0.2.1")],
  }),
  byHand("127 labels", new Array(127).fill("l"), { answers: [a(new Array(127).fill("l"), "192.0.2.1")] }),
  byHand("names that no host has", "a.b", { answers: [cname("a.b", ["c.d", "e"]), a(["c.d", "e"], "192.0.2.1")] }),
  byHand("a name with a shell in it", "1.b", { answers: [ptr("1.b", "$(reboot)"), ptr("1.b", "-rf")] }, PTR),
  byHand("types without a meaning", "a.b", {
    answers: [
      raw("a.b", 0, ""),
      raw("a.b", 65535, "\xc0\x0c"),
      raw("a.b", 99, "\xff".repeat(40)),
      a("a.b", "192.0.2.1"),
    ],
    authorities: [raw("b", 46, "\0\x01\x05\x02".repeat(20)), raw("b", 50, "\x01\0\0\x0a\x04salt")],
  }),
  byHand("a SOA of other forms", "a.b", { authorities: [raw("b", 6, "\0\0".padEnd(22, "\0")), raw("b", 6, "")] }),
  byHand("a CNAME that is only a pointer", "a.b", {
    answers: [raw("a.b", CNAME, "\xc0\x0c"), raw("a.b", CNAME, "\xc0\x0e")],
  }),
  byHand("counts that promise more", "a.b", {
    answers: [a("a.b", "192.0.2.1")],
    additionals: [raw("", 41, "\0\x0a\0\x28")],
  }),
  byHand("the ttls of all signs", "a.b", {
    answers: [cname("a.b", "c.b", 0x80000000), a("c.b", "192.0.2.1", 0xffffffff), a("c.b", "192.0.2.2", 0x7fffffff)],
  }),
  ladder(100, 12),
  ladder(200, 4000),
  byHand(
    "2000 addresses",
    "many.example",
    { answers: numbered(2000, (i) => a("many.example", `10.0.${i >> 8}.${i & 255}`)) },
    A,
    true,
  ),
  byHand("more names than a record holds", "1.b", { answers: numbered(300, () => ptr("1.b", LONGEST)) }, PTR, true),
];
