import { expect, test } from "vitest";
import { normalName } from "../../src/name.ts";

const label = "a".repeat(63);
const longest = `${label}.${label}.${label}.${"b".repeat(61)}`;

test.each([
  ["www.Example.COM", "www.example.com"],
  ["www.example.com.", "www.example.com"],
  ["_sip._udp.x-y", "_sip._udp.x-y"],
  ["a", "a"],
  ["*.a/b;c", "*.a/b;c"],
  [longest, longest],
  [`${longest}.`, longest],
])("%j is written %j", (text, name) => {
  expect(normalName(text)).toBe(name);
});

test.each([
  "",
  ".",
  "..",
  ".a",
  "a..b",
  "a..",
  "a b",
  "a\\.b",
  "a\tb",
  "a\n",
  "\n",
  "é",
  "\u212a",
  "a\x7f",
  "a\0",
  `${label}a`,
  `${longest}b`,
])("%j is no name", (text) => {
  expect(normalName(text)).toBeUndefined();
});
