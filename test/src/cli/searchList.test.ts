import { describe, expect, it } from "vitest";
import { reverseName } from "../../../src/cli/lookup.ts";
import { type SearchFiles, searchPlan } from "../../../src/cli/searchList.ts";

const FILES: SearchFiles = { resolvConf: "", hosts: "127.0.0.1 localhost\n", hostname: "node", env: {} };
const CLUSTER = "nameserver 10.0.0.1\nsearch default.svc.cluster.local svc.cluster.local.\noptions ndots:5\n";

function names(name: string, libc: "glibc" | "musl", resolvConf: string, files: Partial<SearchFiles> = {}) {
  return searchPlan(name, libc, { ...FILES, resolvConf, ...files }).names;
}

describe("the names that are asked for", () => {
  it("are those of the search list first, where the name has fewer dots than ndots", () => {
    const searched = ["db.default.svc.cluster.local", "db.svc.cluster.local", "db"];
    expect(names("db", "glibc", CLUSTER)).toEqual(searched);
    expect(names("db", "musl", CLUSTER)).toEqual(searched);
  });

  it("are the name first where it has enough dots, and for musl no other", () => {
    expect(names("a.b", "glibc", "search c\n")).toEqual(["a.b", "a.b.c"]);
    expect(names("a.b", "musl", "search c\n")).toEqual(["a.b"]);
    expect(names("Db.", "glibc", CLUSTER)).toEqual(["db"]);
  });

  it("follow the last line, RES_OPTIONS and LOCALDOMAIN, which are glibc's alone, and its machine's own domain", () => {
    expect(names("a", "glibc", "search b\ndomain c d\n")).toEqual(["a.c", "a"]);
    expect(names("a", "musl", "search b\ndomain c d\n")).toEqual(["a.c", "a.d", "a"]);
    const env = { RES_OPTIONS: "ndots:0", LOCALDOMAIN: "e f" };
    expect(names("a", "glibc", "search b\n", { env })).toEqual(["a", "a.e", "a.f"]);
    expect(names("a", "musl", "search b\n", { env })).toEqual(["a.b", "a"]);
    expect(names("a", "glibc", "", { hostname: "node.corp.example" })).toEqual(["a.corp.example", "a"]);
    expect(names("a", "musl", "", { hostname: "node.corp.example" })).toEqual(["a"]);
  });

  it("take no line that is indented, and at most 15 dots", () => {
    expect(names("a", "glibc", " search b\n")).toEqual(["a"]);
    expect(searchPlan("a", "glibc", { ...FILES, resolvConf: "options ndots:99\n" }).ndots).toBe(15);
  });

  it("are left to libc for this machine and names of /etc/hosts", () => {
    const hosts = "192.0.2.1 printer Printer.example # scanner\n";
    const why = (name: string) => searchPlan(name, "glibc", { ...FILES, hosts }).leftToLibc;
    expect([why("PRINTER"), why("printer.example"), why("a.localhost")]).toEqual([
      "it stands in /etc/hosts",
      "it stands in /etc/hosts",
      "it is this machine itself",
    ]);
    expect([why("scanner"), why("1.example"), why("a.cluster.local")]).toEqual([undefined, undefined, undefined]);
    for (const address of ["192.0.2.1", "127.1", "010.1.1.1", "0x7f000001", "1"]) {
      expect(why(address)).toBe("it reads it as an address");
    }
    expect(why("-x")).toBe("it is no host's name");
    expect([why("a.local"), why("_sip"), why("node")]).toEqual([
      "names under .local are for mDNS",
      "it is no host's name",
      "it is this machine's own name",
    ]);
    const resolvConf = "options ndots:2 no-tld-query\n";
    expect(searchPlan("a", "glibc", { ...FILES, resolvConf }).leftToLibc).toBe(
      "resolv.conf's option no-tld-query changes answers",
    );
  });
});

it("the name of an address is written as PTR questions have it", () => {
  expect(reverseName("192.0.2.1")).toBe("1.2.0.192.in-addr.arpa");
  const nibbles = `1${".0".repeat(23)}.8.b.d.0.1.0.0.2.ip6.arpa`;
  expect(reverseName("2001:db8::1")).toBe(nibbles);
  expect(reverseName("::")).toBe(`${"0.".repeat(32)}ip6.arpa`);
  expect(reverseName("::ffff:192.0.2.1")).toBe("1.2.0.192.in-addr.arpa"); // as both libcs and client.so have it
  expect(reverseName("www.example")).toBeUndefined();
});
