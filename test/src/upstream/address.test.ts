import net from "node:net";
import os from "node:os";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createCounters } from "../../../src/counters.ts";
import {
  connectable,
  hostAndPort,
  type UpstreamAddress,
  upstreamAddress,
  upstreamText,
} from "../../../src/upstream/address.ts";
import { createConnect } from "../../../src/upstream/connect.ts";
import { createWheel } from "../../../src/wheel.ts";
import { queryFor } from "../../support/transports.ts";

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
  ["fe80::1%eth0", { transport: "udp", host: "fe80::1%eth0", port: 53 }, "udp [fe80::1%eth0]:53"],
  ["[fe80::1%eth0.1]:54", { transport: "udp", host: "fe80::1%eth0.1", port: 54 }, "udp [fe80::1%eth0.1]:54"],
  ["tcp://fe80::1%v", { transport: "tcp", host: "fe80::1%v", port: 53 }, "tcp [fe80::1%v]:53"],
  ["https://[fe80::1%eth0]/dns-query", { ...https, host: "fe80::1%eth0" }, "https [fe80::1%eth0]:443/dns-query"],
  [
    "tls://[FE80::1%eth0]#name",
    { transport: "tls", host: "FE80::1%eth0", port: 853, name: "name" },
    "tls [FE80::1%eth0]:853#name",
  ],
  ["tls://[2001:db8::1%eth0]", { transport: "tls", host: "2001:db8::1", port: 853 }, "tls [2001:db8::1]:853"],
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
  "fe80::1",
  "tls://[fe80::1]",
  "fe80::1%",
  "fe80::1%eth0:53",
  "https://[fe80::1%a:b]/dns-query",
  "fe80::1%br_lan", // Node takes that for a host name
  `fe80::1%${"i".repeat(16)}`,
  "[fe80::1%4294967295]:53",
  "https://[fe80::1%99]",
  "1.1.1.1%eth0",
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

describe("an interface's number", () => {
  beforeEach(() => {
    const address = (scopeid: number) => [{ family: "IPv6", scopeid }] as os.NetworkInterfaceInfo[];
    vi.spyOn(os, "networkInterfaces").mockReturnValue({ lo: address(1), eth0: address(25) });
  });
  afterEach(() => void vi.restoreAllMocks());

  it("is its name to Node", () => {
    expect(upstreamAddress("https://[fe80::1%25]/")?.host).toBe("fe80::1%eth0");
    expect(connectable("fe80::1%01")).toBe("fe80::1%lo");
    expect(connectable("fe80::1%2")).toBeUndefined();
  });
});

describe("what is accepted", () => {
  it("can be asked over its transport, which throws nothing", async () => {
    const connect = createConnect(createWheel(), createCounters());
    const host = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom("fe80::1", "FE8f:0::1", "ff02::1", "::", "::ffff:1.2.3.4", "0.0.0.0", "::1"),
    );
    const scope = fc.oneof(
      fc.constantFrom("", "", "%lo", "%1", "%25", "%25lo", "%eth0.1", "%a:b", "%-", "%..", "%%", "%\u0000", "%[", "%]"),
      fc.string({ maxLength: 17 }).map((text) => `%${text}`),
    );
    const server = fc
      .tuple(host, scope, fc.boolean(), fc.constantFrom("", "", ":1", ":65535", ":0"))
      .map(([address, zone, isBare, port]) => (isBare ? `${address}${zone}${port}` : `[${address}${zone}]${port}`));
    const text = fc
      .tuple(
        fc.constantFrom("", "tcp://", "tls://", "https://"),
        server,
        fc.oneof(
          fc.constantFrom("", "", "/dns-query?a=%41"),
          fc.string({ maxLength: 5 }).map((path) => `/${path}`),
        ),
        fc.oneof(
          fc.constantFrom("", "", "#dns.example", "#a_b"),
          fc.string({ maxLength: 5 }).map((name) => `#${name}`),
        ),
      )
      .map((parts) => parts.join(""));
    let accepted = 0;
    fc.assert(
      fc.property(text, (each) => {
        const address = upstreamAddress(each);
        if (address === undefined) return;
        accepted++;
        expect(net.isIP(address.host)).not.toBe(0);
        const transport = connect(address);
        transport.send(queryFor("a.example"), { receive: () => true, fail: () => undefined });
        transport.close(); // before a packet goes out
      }),
      { numRuns: 5000, seed: 12 },
    );
    expect(accepted).toBeGreaterThan(200);
  });
});

describe("hostAndPort", () => {
  it("takes the default where no port is written, and nothing where there is none", () => {
    expect(hostAndPort("127.0.0.1", 53)).toEqual({ host: "127.0.0.1", port: 53 });
    expect(hostAndPort("127.0.0.1", undefined)).toBeUndefined();
    expect(hostAndPort("[::1]:53", undefined)).toEqual({ host: "::1", port: 53 });
  });
});
