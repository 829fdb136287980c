import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { SERVER_BYTES, SERVERS_MAX, UPSTREAMS_BYTES_MAX } from "../../../assembly/layout.ts";
import { namedServers, viewText } from "../../../src/resolve/view.ts";
import { parseRules, type Rule } from "../../../src/settings/rules.ts";
import type { UpstreamAddress } from "../../../src/upstream/address.ts";
import { upstreamAddress } from "../../../src/upstream/address.ts";

const ONE: UpstreamAddress = { transport: "udp", host: "192.0.2.1", port: 53 };
const TWO: UpstreamAddress = { transport: "tcp", host: "2001:db8::2", port: 54 };
const NO_RULES: readonly Rule[] = [];
const START = "udp 192.0.2.1:53; ";

/** Rules whose view beside ONE has so many bytes. */
function rulesOfView(bytes: number, lastLetter = "z"): readonly Rule[] {
  const tail = " bypass";
  let left = bytes - START.length;
  const rules: Rule[] = [];
  for (let i = 0; left > 0; i++) {
    const length = left > 120 ? 60 : left; // a rule and "; ", or the last one
    const separator = length === left ? 0 : "; ".length;
    const head = `${i}`.padStart(2, "0");
    const letters = length - separator - tail.length - head.length;
    rules.push({ suffix: `${head}${"x".repeat(letters - 1)}${lastLetter}`, bypass: true });
    left -= length;
  }
  return rules;
}

describe("viewText", () => {
  it("names the upstreams, the same in whatever order, then the rules", () => {
    expect(viewText([ONE, TWO], NO_RULES)).toBe("tcp [2001:db8::2]:54, udp 192.0.2.1:53");
    expect(viewText([TWO, ONE], NO_RULES)).toBe("tcp [2001:db8::2]:54, udp 192.0.2.1:53");
    expect(viewText([ONE], parseRules("lan bypass; a.example stale=5") as Rule[])).toBe(
      "udp 192.0.2.1:53; cluster.local negative=5; lan bypass",
    );
  });

  it("names the upstreams in their order where they are asked so, and each says its part", () => {
    const list = { rotate: false, timeoutMs: 5000, attempts: 2 };
    expect(viewText([ONE, TWO], NO_RULES, list)).toBe("udp 192.0.2.1:53 then tcp [2001:db8::2]:54");
    expect(viewText([TWO, ONE], NO_RULES, list)).toBe("tcp [2001:db8::2]:54 then udp 192.0.2.1:53");
    const rotated = { ...list, rotate: true };
    expect(viewText([ONE, TWO], NO_RULES, rotated)).toBe(viewText([TWO, ONE], NO_RULES, rotated));
    expect(viewText([ONE, TWO], NO_RULES, { ...list, timeoutMs: 1000, attempts: 5 })).toBe(
      viewText([ONE, TWO], NO_RULES, list),
    );
    expect(viewText([ONE], NO_RULES, list)).toBe(viewText([ONE], NO_RULES));
    expect(viewText([], NO_RULES, list)).toBe("");
  });

  it("is whole while it fits", () => {
    const text = viewText([ONE], rulesOfView(UPSTREAMS_BYTES_MAX));
    expect(text).toHaveLength(UPSTREAMS_BYTES_MAX);
    expect(text).toMatch(/^udp 192\.0\.2\.1:53; 00x+z bypass; .*z bypass$/);
  });

  it("ends with the hash of the whole where it does not fit", () => {
    const rules = rulesOfView(UPSTREAMS_BYTES_MAX + 1);
    const whole = START + rules.map(({ suffix }) => `${suffix} bypass`).join("; ");
    expect(whole).toHaveLength(UPSTREAMS_BYTES_MAX + 1);
    const ending = `... sha256 ${createHash("sha256").update(whole).digest("hex")}`;
    expect(viewText([ONE], rules)).toBe(whole.slice(0, UPSTREAMS_BYTES_MAX - ending.length) + ending);
  });

  it("tells views apart that differ behind what fits", () => {
    const rules = rulesOfView(3000);
    const other = rules.with(-1, { suffix: `${rules.at(-1)?.suffix.slice(0, -1)}y`, bypass: true });
    const [text, otherText] = [viewText([ONE], rules), viewText([ONE], other)];
    expect(otherText).not.toBe(text);
    expect([text.length, otherText.length]).toEqual([UPSTREAMS_BYTES_MAX, UPSTREAMS_BYTES_MAX]);
    expect(viewText([ONE], rules.toReversed())).toBe(text);
  });

  it("tells views apart that differ in what is not ASCII", () => {
    const odd = (host: string): UpstreamAddress => ({ transport: "udp", host, port: 53 });
    const text = viewText([odd("ä")], NO_RULES);
    expect(text).toMatch(/^udp \?:53\.\.\. sha256 [0-9a-f]{64}$/);
    expect(viewText([odd("ö")], NO_RULES)).not.toBe(text);
  });
});

describe("namedServers", () => {
  const serversOf = (...texts: string[]) =>
    (namedServers(texts.map((text) => upstreamAddress(text) as UpstreamAddress))
      .toString("hex")
      .match(/.{32}/g) ?? []) as string[];
  const nameserver = (host: string): UpstreamAddress => ({ transport: "udp", host, port: 53 });
  const v4 = (lastBytes: string) => `${"0".repeat(20)}ffff${lastBytes}`;

  it("are the addresses, each once, the same in whatever order", () => {
    const both = [v4("0a000002"), "20010db8000000000000000000000053"];
    expect(serversOf("10.0.0.2", "2001:db8::53")).toEqual(both);
    expect(serversOf("2001:DB8:0::53", "tcp://10.0.0.2", "10.0.0.2")).toEqual(both);
    expect(serversOf("::ffff:10.0.0.2")).toEqual([v4("0a000002")]);
    expect(serversOf("1:2:3:4:5:6:7:8", "fd00::", "::1")).toEqual([
      "00000000000000000000000000000001",
      "00010002000300040005000600070008",
      "fd000000000000000000000000000000",
    ]);
  });

  it("are those that are asked at their transport's own port", () => {
    expect(serversOf("10.0.0.2:5353", "tcp://10.0.0.3:853", "tls://10.0.0.4:53", "https://10.0.0.5:8443")).toEqual([]);
    expect(serversOf("10.0.0.2:53", "tcp://10.0.0.3", "tls://10.0.0.4#dns.example", "https://10.0.0.5")).toEqual(
      ["0a000002", "0a000003", "0a000004", "0a000005"].map(v4),
    );
  });

  it("are none that are other servers elsewhere: of a link, or of whoever names them", () => {
    expect(namedServers([nameserver("fe80::1%eth0"), nameserver("0.0.0.0"), nameserver("::")])).toHaveLength(0);
    expect(namedServers([nameserver("169.254.20.10"), nameserver("2001:db8::53%eth0")])).toHaveLength(32);
  });

  it("are no more than the header has room for", () => {
    const many = Array.from({ length: SERVERS_MAX + 1 }, (_, i) => nameserver(`10.0.0.${i}`));
    expect(namedServers(many)).toHaveLength(SERVERS_MAX * SERVER_BYTES);
  });
});
