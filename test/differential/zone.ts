// What the DNS knows in this test.
import type { Zone } from "../../demo/upstream.ts";

// Answers with a name of 253 would not fit the 512 bytes that musl takes: this zone's server does not compress names.
export const LONG = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(29)}.example`;
const FORTY = Array.from({ length: 40 }, (_, i) => `198.51.100.${i + 1}`);
const TEN = Array.from({ length: 10 }, (_, i) => i + 50);
const LONG_TTL = 3600; // what is warm stays so for the whole run

const FORWARD: Zone = {
  "one.example": { A: ["192.0.2.1"] },
  "six.example": { AAAA: ["2001:db8::6"] },
  "both.example": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
  "three.example": { A: ["192.0.2.1", "198.51.100.2", "203.0.113.3"] },
  "near.example": { A: ["198.51.100.2", "192.0.2.200", "127.0.0.5", "192.0.2.201", "169.254.1.1"] },
  "crowd.example": {
    A: ["198.51.100.2", "192.0.2.1"],
    AAAA: ["2001:db8::1", "2001:db8::200", "fd00::1", "2002:c000:201::1", "fe80::1", "::1", "2001:0:1::1", "2a00::1"],
  },
  "sixes.example": { AAAA: ["fec0::1", "fd00::1", "2001:db8::2", "2001:db8::203", "2001:db8:1::1", "::c000:201"] },
  "mapped.example": { A: ["192.0.2.1"], AAAA: ["::ffff:192.0.2.1", "2001:db8::1"] },
  "forty.example": { A: FORTY },
  "ten.example": { A: TEN.map((i) => `192.0.2.${i}`), AAAA: TEN.map((i) => `2001:db8::${i}`) },
  "sixty.example": { AAAA: FORTY.map((_, i) => `2001:db8:${i}::1`) }, // more than a slot of the table holds
  "sixty-fours.example": { A: [...FORTY, ...TEN.map((i) => `203.0.113.${i}`), ...TEN.map((i) => `192.0.2.${i}`)] },
  "sixty-all.example": { A: FORTY.slice(0, 30), AAAA: TEN.flatMap((i) => [1, 2, 3].map((j) => `2001:db8:${i}::${j}`)) },
  "twice.example": { A: ["192.0.2.20", "192.0.2.20", "192.0.2.21"] },
  "brief.example": { ttl: 0, A: ["192.0.2.22"] },
  "three-links.example": { CNAME: "www.example" },
  "round.example": { CNAME: "about.example" },
  "about.example": { CNAME: "round.example" },
  "www.example": { CNAME: "web.example" },
  "web.example": { CNAME: "host.example" },
  "host.example": { A: ["192.0.2.7"], AAAA: ["2001:db8::7"] },
  "loud.example": { CNAME: "HOST.Example" },
  "under.example": { CNAME: "_score.example" },
  "_score.example": { A: ["192.0.2.8"] },
  "dangling.example": { CNAME: "nowhere.example" },
  "empty.example": { CNAME: "six.example" },
  "nothing.example": { PTR: ["one.example"] },
  "xn--bcher-kva.example": { A: ["192.0.2.9"] },
  "puny.example": { CNAME: "xn--bcher-kva.example" },
  "hyphen.example": { CNAME: "-x.example" },
  "-x.example": { A: ["192.0.2.17"] },
  "x.broken.example": { A: ["192.0.2.1"] },
  "x.halfbroken.example": { A: ["192.0.2.1"] },
  "x.fourbroken.example": { AAAA: ["2001:db8::1"] },
  "x.sixmissing.example": { A: ["192.0.2.1"] },
  "x.fourmissing.example": { AAAA: ["2001:db8::1"] },
  "x.refused.example": { A: ["192.0.2.1"] },
  "x.notimp.example": { A: ["192.0.2.1"] },
  "x.formerr.example": { A: ["192.0.2.1"] },
  single: { A: ["192.0.2.11"] },
  "1.example": { A: ["192.0.2.18"] },
  "1a": { A: ["192.0.2.19"] },
  [`${"x".repeat(63)}.example`]: { A: ["192.0.2.23"] },
  "under_score.example": { A: ["192.0.2.12"] },
  [LONG]: { A: ["192.0.2.13"] },
  "hosted.example": { A: ["192.0.2.14"] },
  sandbox: { A: ["192.0.2.15"] },
  "4me.example": { A: ["192.0.2.16"] },
};

// What a search list leads to.
const SEARCHED: Zone = {
  "app.corp.example": { A: ["192.0.2.30"], AAAA: ["2001:db8::30"] },
  "app.two.example": { A: ["192.0.2.31"] },
  "later.two.example": { A: ["192.0.2.32"] },
  "last.seven.example": { A: ["192.0.2.33"] },
  "six.corp.example": { AAAA: ["2001:db8::34"] },
  "six.two.example": { A: ["192.0.2.35"] },
  "alias.corp.example": { CNAME: "web.example" },
  "empty.corp.example": { PTR: ["one.example"] },
  "a.b.corp.example": { A: ["192.0.2.36"] },
  "a.b": { A: ["192.0.2.37"] },
  "one.example.two.example": { A: ["192.0.2.38"] },
  "a.b.c.two.example": { A: ["192.0.2.39"] },
  "web.default.svc.cluster.local": { A: ["192.0.2.40"] },
  "www.example.svc.cluster.local": { A: ["192.0.2.41"] },
  "single.example": { A: ["192.0.2.42"] },
  "com.corp.example": { A: ["192.0.2.43"] },
};

const WILD_NAMES =
  "app later last missing missing.example a.b a.b.c web web.default web.default.svc one.example.two".split(" ");

// What a wildcard makes of a search list: each name exists.
function wild(names: readonly string[]): Zone {
  return Object.fromEntries(names.map((name) => [`${name.toLowerCase()}.wild.example`, { A: ["192.0.2.45"] }]));
}

function reverseOf(address: string): string {
  return `${address.split(".").reverse().join(".")}.in-addr.arpa`;
}

// 2001:db8::N, N up to ff
function reverseOfSix(last: string): string {
  return `${[...`20010db8${"0".repeat(22)}${last}`].reverse().join(".")}.ip6.arpa`;
}

const REVERSE: Zone = {
  [reverseOf("192.0.2.1")]: { PTR: ["one.example"] },
  [reverseOf("192.0.2.2")]: { PTR: ["two.example", "second.example", "third.example"] },
  [reverseOf("192.0.2.3")]: { CNAME: "3.0-127.2.0.192.in-addr.arpa" }, // RFC 2317
  "3.0-127.2.0.192.in-addr.arpa": { PTR: ["classless.example"] },
  [reverseOf("192.0.2.4")]: { A: ["192.0.2.4"] },
  [reverseOf("192.0.2.5")]: { PTR: ["MiXeD.Example"] },
  [reverseOf("192.0.2.6")]: { PTR: ["under_score.example"] },
  [reverseOf("192.0.2.7")]: { PTR: ["bad name.example"] },
  [reverseOf("192.0.2.8")]: { PTR: ["-hyphen.example"] },
  [reverseOf("192.0.2.9")]: { PTR: [LONG] },
  [reverseOf("192.0.2.10")]: { CNAME: "nowhere.example" },
  [reverseOf("192.0.2.11")]: { PTR: ["single"] },
  [reverseOf("192.0.2.12")]: { PTR: ["xn--bcher-kva.example"] },
  [reverseOf("192.0.2.13")]: { PTR: ["bad*.example", "good.example"] },
  [reverseOf("192.0.2.14")]: { PTR: ["host.corp.example"] },
  [reverseOf("192.0.2.99")]: { PTR: ["dns-says.example"] },
  [reverseOf("192.0.2.200")]: { PTR: ["this-machine.corp.example"] },
  [reverseOfSix("01")]: { PTR: ["one.example"] },
  [reverseOfSix("02")]: { PTR: ["two.example", "second.example"] },
  [reverseOfSix("03")]: { CNAME: "three.rev.example" },
  "three.rev.example": { PTR: ["classless-six.example"] },
  [reverseOfSix("05")]: { PTR: ["MiXeD.Example"] },
};

export const ZONE: Zone = Object.fromEntries(
  Object.entries({ ...wild(Object.keys(FORWARD)), ...wild(WILD_NAMES), ...FORWARD, ...SEARCHED, ...REVERSE }).map(
    ([name, entry]) => [name, { ttl: LONG_TTL, ...entry }],
  ),
);
export const FORWARD_NAMES = Object.keys(FORWARD);
