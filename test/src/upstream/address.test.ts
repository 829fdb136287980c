import { describe, expect, it } from "vitest";
import { hostAndPort, type UpstreamAddress, upstreamAddress, upstreamText } from "../../../src/upstream/address.ts";

const https = { transport: "https", host: "8.8.8.8", port: 443, path: "/dns-query" } as const;

const GOOD: ReadonlyArray<[string, UpstreamAddress, string]> = [
  ["1.1.1.1", { transport: "udp", host: "1.1.1.1", port: 53 }, "udp 1.1.1.1:53"],
  ["10.0.0.2:5353", { transport: "udp", host: "10.0.0.2", port: 5353 }, "udp 10.0.0.2:5353"],
  ["2606:4700::1111", { transport: "udp", host: "2606:4700::1111", port: 53 }, "udp [2606:4700::1111]:53"],
  ["[2606:4700::1111]:54", { transport: "udp", host: "2606:4700::1111", port: 54 }, "udp [2606:4700::1111]:54"],
  ["tcp://10.0.0.2", { transport: "tcp", host: "10.0.0.2", port: 53 }, "tcp 10.0.0.2:53"],
  ["tcp://2606:4700::1111", { transport: "tcp", host: "2606:4700::1111", port: 53 }, "tcp [2606:4700::1111]:53"],
  ["tls://1.1.1.1", { transport: "tls", host: "1.1.1.1", port: 853 }, "tls 1.1.1.1:853"],
  [
    "tls://1.1.1.1:8853#One.one.one.one",
    { transport: "tls", host: "1.1.1.1", port: 8853, name: "one.one.one.one" },
    "tls 1.1.1.1:8853#one.one.one.one",
  ],
  [
    "tls://[2606:4700:4700::1111]#name",
    { transport: "tls", host: "2606:4700:4700::1111", port: 853, name: "name" },
    "tls [2606:4700:4700::1111]:853#name",
  ],
  [
    "tls://2606:4700:4700::1111#xn--e1afmkfd.example",
    { transport: "tls", host: "2606:4700:4700::1111", port: 853, name: "xn--e1afmkfd.example" },
    "tls [2606:4700:4700::1111]:853#xn--e1afmkfd.example",
  ],
  ["https://8.8.8.8", https, "https 8.8.8.8:443/dns-query"],
  ["https://8.8.8.8/dns-query", https, "https 8.8.8.8:443/dns-query"],
  ["https://8.8.8.8#dns.google", { ...https, name: "dns.google" }, "https 8.8.8.8:443/dns-query#dns.google"],
  [
    "https://8.8.8.8:8443/a/b?c=d%20e#dns.google",
    { ...https, port: 8443, path: "/a/b?c=d%20e", name: "dns.google" },
    "https 8.8.8.8:8443/a/b?c=d%20e#dns.google",
  ],
  ["https://8.8.8.8/", { ...https, path: "/" }, "https 8.8.8.8:443/"],
  [
    "https://[2001:4860:4860::8888]/dns-query",
    { ...https, host: "2001:4860:4860::8888" },
    "https [2001:4860:4860::8888]:443/dns-query",
  ],
];

const BAD = [
  "",
  "one.one.one.one",
  "tls://one.one.one.one",
  "https://dns.google/dns-query",
  "https://dns.google/dns-query#dns.google",
  "tls://",
  "https://",
  "https:///dns-query",
  "TLS://1.1.1.1",
  "tls:1.1.1.1",
  "udp://1.1.1.1",
  "http://1.1.1.1/dns-query",
  "quic://1.1.1.1",
  "tls://1.1.1.1:0",
  "tls://1.1.1.1:65536",
  "tls://1.1.1.1:",
  "tls://[1.1.1.1]",
  "tls://[::1",
  "tls://user@1.1.1.1",
  "1.1.1.1#one.one.one.one",
  "tcp://1.1.1.1#one.one.one.one",
  "tls://1.1.1.1#",
  "tls://1.1.1.1##a",
  "tls://1.1.1.1#1.1.1.1",
  "tls://1.1.1.1#::1",
  "tls://1.1.1.1#a..b",
  "tls://1.1.1.1#a.example.",
  "tls://1.1.1.1#.a",
  "tls://1.1.1.1#-a.example",
  "tls://1.1.1.1#*.example",
  "tls://1.1.1.1#a b",
  "tls://1.1.1.1#b\u00fccher.example",
  "tls://1.1.1.1#a.example:853",
  "tls://1.1.1.1#a.example/dns-query",
  `tls://1.1.1.1#${"a".repeat(64)}.example`,
  `tls://1.1.1.1#${"a.".repeat(126)}ab`,
  "tls://1.1.1.1/dns-query",
  "tcp://1.1.1.1/",
  "1.1.1.1/24",
  "https://8.8.8.8/dns query",
  "https://8.8.8.8/dns-query{?dns}",
  "https://8.8.8.8/a\nb",
  "https://8.8.8.8/\u00e4",
  `https://8.8.8.8/${"a".repeat(256)}`,
  "tls://1.1.1.1\n",
];

describe("upstreamAddress", () => {
  it.each(GOOD)("reads %s", (text, address) => {
    expect(upstreamAddress(text)).toStrictEqual(address);
  });

  it.each(BAD)("refuses '%s'", (text) => {
    expect(upstreamAddress(text)).toBeUndefined();
  });
});

describe("upstreamText", () => {
  it.each(GOOD)("of %s is one line by which it is told from all others", (_text, address, expected) => {
    expect(upstreamText(address)).toBe(expected);
  });

  it("is different for each of the good ones", () => {
    const different = new Set(GOOD.map(([, address]) => JSON.stringify(address)));
    expect(new Set(GOOD.map(([, address]) => upstreamText(address))).size).toBe(different.size);
  });
});

describe("hostAndPort", () => {
  it("takes the default where no port is written, and nothing where there is none", () => {
    expect(hostAndPort("127.0.0.1", 53)).toEqual({ host: "127.0.0.1", port: 53 });
    expect(hostAndPort("127.0.0.1", undefined)).toBeUndefined();
    expect(hostAndPort("[::1]:53", undefined)).toEqual({ host: "::1", port: 53 });
  });
});
