import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bytes,
  count,
  duration,
  escaped,
  html,
  rate,
  share,
  table,
  visible,
} from "../../../../src/operate/page/markup.ts";

const ENTITIES: Record<string, string> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };

describe("what comes from outside", () => {
  it("is printable ASCII without a character that means something to HTML, and can be read back", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        const written = escaped(text);
        expect(written).toMatch(/^[ -~·–−…µ×]*$/);
        expect(written).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|#39);)/);
        const back = written.replace(/&(amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity] as string);
        expect(back).toBe(visible(text));
      }),
    );
  });

  it.each([
    ["<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"],
    ["\u001b[31mred", "\\027[31mred"],
    ["a\0b\n\u00ff", "a\\000b\\010\\255"],
    ['"onload=x', "&quot;onload=x"],
    ["\u202e", "\\u{202e}"],
  ])("is harmless: %j", (text, expected) => {
    expect(escaped(text)).toBe(expected);
    expect(html`<p title="${text}">${text}</p>`.html).toBe(`<p title="${expected}">${expected}</p>`);
  });

  it("is escaped in tables, captions and titles too, and markup is not escaped twice", () => {
    const { html: text } = table(
      "<i>",
      [{ title: "<b>" }, { title: "n", isNumber: true }],
      [["<u>", html`<a>${"<"}</a>`]],
    );
    expect(text).not.toMatch(/<[ibu]>/);
    expect(text).toContain("<a>&lt;</a>");
  });
});

it.each([
  [count(1234567.4), "1 234 567"],
  [count(12), "12"],
  [share(1, 3), "33.3 %"],
  [share(0, 0), "–"],
  [share(1, 100_000), "< 0.1 %"],
  [share(99_999, 100_000), "> 99.9 %"],
  [share(5, 5), "100.0 %"],
  [rate(0), "0.00"],
  [rate(1234.5), "1 235"],
  [duration(undefined), "–"],
  [duration(Number.POSITIVE_INFINITY), "–"],
  [duration(0.00025), "250 µs"],
  [duration(0.004), "4.00 ms"],
  [duration(0.25), "250 ms"],
  [duration(8.192), "8.2 s"],
  [duration(3600), "60 min"],
  [duration(90_000), "25 h"],
  [duration(400_000), "4 days"],
  [bytes(33_558_528), "32 MiB"],
  [bytes(100), "100 B"],
])("writes %s", (written, expected) => expect(written).toBe(expected));
