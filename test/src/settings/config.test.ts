import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ConfigError, readConfig, SETTINGS } from "../../../src/settings/config.ts";
import { nameserversOf } from "../../../src/settings/resolvconf.ts";

const RESOLV_CONF = "nameserver 192.0.2.53\n";
const read = (env: NodeJS.ProcessEnv) => readConfig(env, () => nameserversOf(RESOLV_CONF));

const GOOD: ReadonlyArray<[string, string, Partial<ReturnType<typeof read>>]> = [
  ["DNS_CACHE_DIR", "/run/dns/", { directory: "/run/dns" }],
  ["DNS_CACHE_DIR", "/", { directory: "/" }],
  ["DNS_CACHE_DIR", `/${"d".repeat(97)}`, { directory: `/${"d".repeat(97)}` }],
  ["DNS_CACHE_UPSTREAMS", "1.1.1.1", { upstreams: [{ transport: "udp", host: "1.1.1.1", port: 53 }] }],
  ["DNS_CACHE_UPSTREAMS", "10.0.0.2:5353", { upstreams: [{ transport: "udp", host: "10.0.0.2", port: 5353 }] }],
  [
    "DNS_CACHE_UPSTREAMS",
    "[2606:4700::1111]:54",
    { upstreams: [{ transport: "udp", host: "2606:4700::1111", port: 54 }] },
  ],
  [
    "DNS_CACHE_UPSTREAMS",
    "[2606:4700::1111]",
    { upstreams: [{ transport: "udp", host: "2606:4700::1111", port: 53 }] },
  ],
  ["DNS_CACHE_UPSTREAMS", "2606:4700::1111", { upstreams: [{ transport: "udp", host: "2606:4700::1111", port: 53 }] }],
  ["DNS_CACHE_UPSTREAMS", "tcp://10.0.0.2:5353", { upstreams: [{ transport: "tcp", host: "10.0.0.2", port: 5353 }] }],
  [
    "DNS_CACHE_UPSTREAMS",
    "tls://1.1.1.1#one.one.one.one, https://8.8.8.8/dns-query#dns.google",
    {
      upstreams: [
        { transport: "tls", host: "1.1.1.1", port: 853, name: "one.one.one.one" },
        { transport: "https", host: "8.8.8.8", port: 443, name: "dns.google", path: "/dns-query" },
      ],
    },
  ],
  [
    "DNS_CACHE_UPSTREAMS",
    "fe80::1%eth0, https://[fe80::1%eth0]/dns-query",
    {
      upstreams: [
        { transport: "udp", host: "fe80::1%eth0", port: 53 },
        { transport: "https", host: "fe80::1%eth0", port: 443, path: "/dns-query" },
      ],
    },
  ],
  ["DNS_CACHE_ENTRIES", "8", { entries: 8 }],
  ["DNS_CACHE_ENTRIES", "4194304", { entries: 4_194_304 }],
  ["DNS_CACHE_MIN_TTL", "0", { minTtlSeconds: 0 }],
  ["DNS_CACHE_MAX_TTL", "1", { maxTtlSeconds: 1 }],
  ["DNS_CACHE_MAX_NEGATIVE_TTL", "0", { maxNegativeTtlSeconds: 0 }],
  ["DNS_CACHE_STALE", "0", { staleSeconds: 0 }],
  [
    "DNS_CACHE_RULES",
    "lan bypass",
    {
      rules: [
        { suffix: "cluster.local", maxNegativeTtlSeconds: 5, bypass: false },
        { suffix: "lan", bypass: true },
      ],
    },
  ],
  ["DNS_CACHE_PREFETCH", "off", { prefetch: false }],
  ["DNS_CACHE_SHARED_TABLE", "off", { sharedTable: false }],
  ["DNS_CACHE_DENIALS", "same-servers", { denialsAreFinal: false }],
  ["DNS_CACHE_DENIALS", "final", { denialsAreFinal: true }],
  ["DNS_CACHE_TIMEOUT_MS", "100", { timeoutMs: 100 }],
  ["DNS_CACHE_HTTP", "[::1]:80", { http: { host: "::1", port: 80 } }],
  ["DNS_CACHE_HTTP", "off", { http: undefined }],
  ["DNS_CACHE_HTTP_NAMES", "on", { httpNames: true }],
  ["DNS_CACHE_CONTROL", "off", { controlPath: undefined }],
  ["DNS_CACHE_CONTROL", "/run/own.sock", { controlPath: "/run/own.sock" }],
  ["DNS_CACHE_LIBRARY", "/opt/namewell/client.so", { libraryPath: "/opt/namewell/client.so" }],
  ["DNS_CACHE_LOG_LEVEL", "debug", { logLevel: "debug" }],
];

/** Without the rules, whose errors are of their own. */
const BAD: Readonly<Record<Exclude<keyof typeof SETTINGS, "DNS_CACHE_RULES">, readonly string[]>> = {
  DNS_CACHE_DIR: ["dns_cache", "./x", `/${"d".repeat(98)}`],
  DNS_CACHE_LIBRARY: ["client.so", "/opt/with blank/client.so", "/opt/a:b/client.so", "/opt/"],
  DNS_CACHE_UPSTREAMS: [
    "one.one.one.one",
    "1.1.1.1:0",
    "1.1.1.1:65536",
    "1.1.1.1,,8.8.8.8",
    "[1.1.1.1]:53",
    "udp://",
    "tcp://x",
    "tls://one.one.one.one",
    "https://dns.google/dns-query",
    "1.1.1.1#one.one.one.one",
    "1.1.1",
    ",",
    "1.1.1.1:53:53",
    "fe80::1",
    "fe80::1%eth0:53",
    "tls://[fe80::1%4294967295]",
    Array(17).fill("1.1.1.1").join(),
  ],
  DNS_CACHE_ENTRIES: ["7", "4194305", "65536.0", "1e5", "-8", "many", "0x10", " 8"],
  DNS_CACHE_MIN_TTL: ["-1", "86401", "1s"],
  DNS_CACHE_MAX_TTL: ["0", "604801", "1h"],
  DNS_CACHE_MAX_NEGATIVE_TTL: ["-1", "10801"],
  DNS_CACHE_STALE: ["off", "604801"],
  DNS_CACHE_PREFETCH: ["yes", "1", "ON"],
  DNS_CACHE_SHARED_TABLE: ["no", "0", "true"],
  DNS_CACHE_DENIALS: ["on", "off", "Final", "same servers"],
  DNS_CACHE_TIMEOUT_MS: ["99", "30001", "2.5"],
  DNS_CACHE_HTTP: ["9953", "localhost:9953", "127.0.0.1", "127.0.0.1:0", "on"],
  DNS_CACHE_HTTP_NAMES: ["1", "yes"],
  DNS_CACHE_CONTROL: ["on", "socket", "../control.sock", "/run/", `/${"d".repeat(107)}`],
  DNS_CACHE_LOG_LEVEL: ["verbose", "DEBUG", "7"],
};

describe("readConfig", () => {
  it("takes DESIGN's defaults and the system's nameservers when nothing is set", () => {
    expect(read({})).toEqual({
      directory: "/dns_cache",
      libraryPath: "/dns_cache/client.so",
      upstreams: [{ transport: "udp", host: "192.0.2.53", port: 53 }],
      listing: { rotate: false, timeoutMs: 5000, attempts: 2 },
      entries: 65536,
      minTtlSeconds: 0,
      maxTtlSeconds: 3600,
      maxNegativeTtlSeconds: 30,
      staleSeconds: 3600,
      rules: [{ suffix: "cluster.local", maxNegativeTtlSeconds: 5, bypass: false }],
      prefetch: true,
      sharedTable: true,
      denialsAreFinal: false,
      timeoutMs: 2500,
      http: { host: "127.0.0.1", port: 9953 },
      httpNames: false,
      controlPath: "/dns_cache/control.sock",
      logLevel: "info",
    });
  });

  it.each(GOOD)("reads %s=%s", (name, text, expected) => {
    expect(read({ [name]: text })).toMatchObject(expected);
  });

  const bad = Object.entries(BAD).flatMap(([name, texts]) => texts.map((text) => [name, text] as const));
  it.each(bad)("refuses %s=%s in one line with variable, value and what is accepted", (name, text) => {
    const { accepted } = SETTINGS[name as keyof typeof SETTINGS];
    expect(() => read({ [name]: text })).toThrow(
      new ConfigError(`${name}: '${text}' is not accepted; accepted: ${accepted}`),
    );
  });

  it("has a bad value in its table for every setting", () => {
    expect(Object.keys(BAD)).toEqual(Object.keys(SETTINGS).filter((name) => name !== "DNS_CACHE_RULES"));
  });

  it("keeps a value with line breaks on one line", () => {
    expect(() => read({ DNS_CACHE_LOG_LEVEL: "a\nb" })).toThrow("'a\\nb' is not accepted");
    const thrown = (() => {
      try {
        read({ DNS_CACHE_DIR: "a\nb" });
      } catch (error) {
        return error as Error;
      }
    })();
    expect(thrown?.message).not.toContain("\n");
  });

  it("names each of several bad variables on a line of its own", () => {
    const both = () => read({ DNS_CACHE_PREFETCH: "yes", DNS_CACHE_ENTRIES: "0" });
    expect(both).toThrow(/^DNS_CACHE_ENTRIES: '0'.*\nDNS_CACHE_PREFETCH: 'yes'.*$/);
  });

  it("refuses a smallest ttl above the largest", () => {
    expect(() => read({ DNS_CACHE_MIN_TTL: "60", DNS_CACHE_MAX_TTL: "30" })).toThrow("DNS_CACHE_MIN_TTL: '60'");
  });

  it("refuses rules with the one that is wrong, on one line", () => {
    expect(() => read({ DNS_CACHE_RULES: "lan bypass; corp.example\nupstream=\u001b" })).toThrow(
      new ConfigError(
        "DNS_CACHE_RULES: 'corp.example upstream=\\u001b' is not accepted; accepted: 1 to 16 addresses as in DNS_CACHE_UPSTREAMS, with commas and no spaces between",
      ),
    );
  });

  it("refuses a rule's smallest ttl above the largest of all, and its largest below the smallest of all", () => {
    const max = { DNS_CACHE_MAX_TTL: "300" };
    expect(() => read({ ...max, DNS_CACHE_RULES: "lan min-ttl=301" })).toThrow(
      new ConfigError(
        "DNS_CACHE_RULES: 'lan min-ttl=301' is not accepted; accepted: at most DNS_CACHE_MAX_TTL, which is 300, or a max-ttl= as well",
      ),
    );
    expect(read({ ...max, DNS_CACHE_RULES: "lan min-ttl=300" }).rules).toHaveLength(2);
    expect(read({ ...max, DNS_CACHE_RULES: "lan min-ttl=301 max-ttl=301" }).rules).toHaveLength(2);

    const min = { DNS_CACHE_MIN_TTL: "60" };
    expect(() => read({ ...min, DNS_CACHE_RULES: "lan max-ttl=59" })).toThrow(
      new ConfigError(
        "DNS_CACHE_RULES: 'lan max-ttl=59' is not accepted; accepted: at least DNS_CACHE_MIN_TTL, which is 60, or a min-ttl= as well",
      ),
    );
    expect(read({ ...min, DNS_CACHE_RULES: "lan max-ttl=60" }).rules).toHaveLength(2);
    expect(read({ ...min, DNS_CACHE_RULES: "lan min-ttl=0 max-ttl=59" }).rules).toHaveLength(2);
  });

  it("goes through nameservers of the system as their file says, and takes those of the environment for equals", () => {
    const system = () => nameserversOf("nameserver 192.0.2.2\nnameserver 192.0.2.1\noptions use-vc rotate\n");
    expect(readConfig({}, system)).toMatchObject({
      upstreams: [
        { transport: "tcp", host: "192.0.2.2", port: 53 },
        { transport: "tcp", host: "192.0.2.1", port: 53 },
      ],
      listing: { rotate: true, timeoutMs: 5000, attempts: 2 },
    });
    expect(readConfig({ DNS_CACHE_UPSTREAMS: "192.0.2.53" }, system).listing).toBeUndefined();
    expect(readConfig({ DNS_CACHE_UPSTREAMS: "" }, system).listing).toBeDefined();
  });

  it("counts an empty variable as not set", () => {
    expect(read({ DNS_CACHE_UPSTREAMS: "", DNS_CACHE_ENTRIES: "" })).toEqual(read({}));
  });

  it("has no upstream while the system names none", () => {
    const { upstreams, listing } = readConfig({}, () => nameserversOf("search example.com\n"));
    expect([upstreams, listing?.attempts]).toEqual([[], 2]);
  });
});

describe("docs/settings.md", () => {
  const settings = readFileSync(new URL("../../../docs/settings.md", import.meta.url), "utf8");

  it("lists every setting of the server with its default in a table, and no other", () => {
    const section = settings.slice(settings.indexOf("## The server"), settings.indexOf("## Rules"));
    const rows = [...section.matchAll(/^\| `(DNS_CACHE_\w+)` \| ([^|]+) \|/gm)].map((match) => [
      match[1],
      match[2]?.trim(),
    ]);
    const found: Record<string, string> = {
      DNS_CACHE_UPSTREAMS: "the nameservers of `/etc/resolv.conf`",
      DNS_CACHE_LIBRARY: "`client.so` in that directory",
    };
    const defaults = Object.entries(SETTINGS).map(([name, setting]) => [name, found[name] ?? `\`${setting.default}\``]);
    expect(rows).toEqual(defaults);
  });

  it("has rules for examples that are accepted", () => {
    const section = settings
      .slice(settings.indexOf("## Rules"), settings.indexOf("## The client"))
      .replaceAll("\n  ", " ");
    const examples = [...section.matchAll(/^- [^:]+: `([^`]+)`/gm)].map((match) => match[1] as string);
    expect(examples).toHaveLength(3);
    for (const example of examples) expect(read({ DNS_CACHE_RULES: example }).rules.length).toBeGreaterThan(1);
  });
});
