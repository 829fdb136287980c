import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { UPSTREAMS_BYTES_MAX } from "../../assembly/layout.ts";
import { parseRules, type Rule } from "../../src/rules.ts";
import type { UpstreamAddress } from "../../src/upstream/address.ts";
import { viewText } from "../../src/view.ts";

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
