import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { compileInside, type Inside } from "../support/inside.ts";

interface Functions {
  open(messageBytes: number): void;
  allowWork(): void;
  unpack(start: number, to: number): number;
  isOverworked(): number;
  isInZone(name: number, nameBytes: number, zone: number, zoneBytes: number): number;
  isText(wire: number): number;
  isHost(wire: number): number;
  writeText(wire: number, bytes: number, to: number): number;
}

let inside: Inside<Functions>;
let MESSAGE = 0;
const NAME = 0x50000;
const OTHER = 0x51000;

beforeAll(async () => {
  inside = await compileInside<Functions>("name", "bytes", "memory");
  MESSAGE = inside.global("MESSAGE");
});

beforeEach(() => inside.functions.allowWork());

/** A wire name of labels, with its end. */
function wire(...labels: string[]): Buffer {
  return Buffer.from(`${labels.map((label) => String.fromCharCode(label.length) + label).join("")}\0`, "latin1");
}

function unpack(message: Uint8Array, start = 0): string | undefined {
  inside.memory.set(message, MESSAGE);
  inside.functions.open(message.length);
  const bytes = inside.functions.unpack(start, NAME);
  return bytes === 0 ? undefined : inside.memory.toString("latin1", NAME, NAME + bytes);
}

function put(name: Uint8Array, at: number): Uint8Array {
  inside.memory.set(name, at);
  return name;
}

describe("unpacking", () => {
  test("lowers letters and nothing else", () => {
    expect(unpack(wire("WwW", "@[`{", "\xc0\xdd"))).toBe(wire("www", "@[`{", "\xc0\xdd").toString("latin1"));
  });

  test("follows a pointer back and goes on behind it", () => {
    const message = Buffer.concat([wire("example", "com"), Buffer.from("\x03www\xc0\x00\x07", "latin1")]);
    expect(unpack(message, 13)).toBe(wire("www", "example", "com").toString("latin1"));
    expect(inside.global("at")).toBe(message.length - 1);
  });

  test.each([
    ["to itself", "\xc0\x00", 0],
    ["forward", "\xc0\x02\x00", 0],
    ["into its own segment", "\x01a\xc0\x00", 0],
    ["in a circle of two", "\x01a\xc0\x04\x01b\xc0\x00", 4],
    ["past the end", "\x00\xff\xff", 1],
    ["with half of itself cut off", "\x00\xc0", 1],
  ])("refuses a pointer %s", (_what, text, start) => {
    expect(unpack(Buffer.from(text, "latin1"), start)).toBeUndefined();
    expect(inside.functions.isOverworked()).toBe(0); // at once, not when it has gone round for long
  });

  test.each([0x40, 0x80, 0xbf])("refuses the reserved label bits of %d", (head) => {
    expect(unpack(Buffer.from([head, ...new Array(70).fill(0)]))).toBeUndefined();
  });

  test("takes 255 bytes and refuses 256, compressed or not", () => {
    const label = "a".repeat(63);
    const longest = wire(label, label, label, "b".repeat(61));
    expect(longest.length).toBe(255);
    expect(unpack(longest)?.length).toBe(255);
    expect(unpack(wire(label, label, label, "b".repeat(62)))).toBeUndefined();
    expect(unpack(Buffer.concat([longest, Buffer.from("\xc0\x00", "latin1")]), 255)?.length).toBe(255);
    expect(
      unpack(Buffer.concat([wire(label, label, label, "b".repeat(60)), Buffer.from("\x00\xc0\x00", "latin1")]), 254 + 1)
        ?.length,
    ).toBe(254);
    expect(unpack(Buffer.concat([longest, Buffer.from("\x01c\xc0\x00", "latin1")]), 255)).toBeUndefined();
  });

  test("takes 127 labels", () => {
    expect(unpack(wire(...new Array(127).fill("a")))?.length).toBe(255);
  });

  test("reads no byte behind the message", () => {
    const name = wire("www", "example", "com");
    for (let length = 0; length < name.length; length++) {
      inside.memory.set(name, MESSAGE);
      inside.functions.open(length);
      expect(inside.functions.unpack(0, NAME)).toBe(0);
    }
  });

  test("gives up on names that cost more than a whole message could", () => {
    // A ladder of pointers, each to the one before.
    const ladder = Buffer.alloc(2 + 2 * 8000);
    for (let at = 2; at < ladder.length; at += 2) ladder.writeUInt16BE(0xc000 | (at === 2 ? 0 : at - 2), at);
    let names = 0;
    while (unpack(ladder, ladder.length - 2) !== undefined) names++;
    expect(inside.functions.isOverworked()).toBe(1);
    expect(names).toBe(Math.floor(0x40000 / 8001));
  });
});

test("a zone holds itself and what is under it, by whole labels", () => {
  const isInZone = (name: Uint8Array, zone: Uint8Array) =>
    inside.functions.isInZone(NAME, put(name, NAME).length, OTHER, put(zone, OTHER).length) !== 0;
  expect(isInZone(wire("a", "example"), wire("example"))).toBe(true);
  expect(isInZone(wire("example"), wire("example"))).toBe(true);
  expect(isInZone(wire("example"), wire())).toBe(true);
  expect(isInZone(wire("aexample"), wire("example"))).toBe(false);
  expect(isInZone(wire("example"), wire("a", "example"))).toBe(false);
  expect(isInZone(wire("a\x07example"), wire("example"))).toBe(false);
});

test.each([
  [["www", "example"], true, true],
  [["_sip", "x_y-z"], true, true],
  [["0", "1"], true, true],
  [[], false, false],
  [["a.b"], false, false],
  [["a\\b"], false, false],
  [["a b"], false, false],
  [["a\x7f"], false, false],
  [["\xe9"], false, false],
  [["a/b"], true, false],
  [["*", "example"], true, false],
  [["-a"], true, false],
  [["a", "-b"], true, true],
  [["a;b"], true, false],
] as [string[], boolean, boolean][])("%j as text: %s, as a host: %s", (labels, isText, isHost) => {
  put(wire(...labels), NAME);
  expect(inside.functions.isText(NAME) !== 0).toBe(isText);
  expect(inside.functions.isHost(NAME) !== 0).toBe(isHost);
});

test("writes a name as text behind its length", () => {
  const label = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom("a", "b", "-", "0", "\x07") });
  fc.assert(
    fc.property(fc.array(label, { minLength: 0, maxLength: 11 }), (labels) => {
      const name = put(wire(...labels), NAME);
      const text = labels.join(".");
      expect(inside.functions.writeText(NAME, name.length, OTHER)).toBe(text.length + 1);
      expect(inside.memory.toString("latin1", OTHER, OTHER + text.length + 1)).toBe(
        String.fromCharCode(text.length) + text,
      );
    }),
    { numRuns: 200, seed: 2 },
  );
});
