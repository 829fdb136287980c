import { describe, expect, it } from "vitest";
import * as layout from "../../../assembly/layout.ts";
import * as protocol from "../../../src/door/protocol.ts";
import { frame, questionFrame, useFrame } from "../../support/frames.ts";

describe("decodeFrame", () => {
  it("reads a question's families and candidates in lower case and in order", () => {
    const frame = questionFrame(["API.Example.com", "example.com."], layout.FAMILY_A | layout.FAMILY_AAAA);
    expect(protocol.decodeFrame(frame)).toEqual({
      kind: "question",
      families: 3,
      rule: { asIsFirst: false, endsAtNoData: false },
      candidates: ["api.example.com", "example.com"],
    });
  });

  it("reads the rule of the search, and lets bits pass that it does not know", () => {
    const rule = (bits: number) => {
      const frame = questionFrame(["example.com"]);
      frame[layout.QUESTION_SEARCH] = bits;
      return protocol.decodeFrame(frame);
    };
    expect(rule(layout.SEARCH_AS_IS_FIRST)).toMatchObject({ rule: { asIsFirst: true, endsAtNoData: false } });
    expect(rule(layout.SEARCH_ENDS_AT_NO_DATA | 0x80)).toMatchObject({
      rule: { asIsFirst: false, endsAtNoData: true },
    });
  });

  it("takes as many candidates as there may be, and not one more", () => {
    const names = Array.from({ length: layout.CANDIDATES_MAX }, (_, i) => `a.b${i}`);
    expect(protocol.decodeFrame(questionFrame(names))).toMatchObject({ kind: "question", candidates: names });
    expect(protocol.decodeFrame(questionFrame([...names, "c.d"]))).toEqual({ kind: "refuse", why: "malformed" });
  });

  const good = questionFrame(["example.com"]);
  const edited = (at: number, value: number) => {
    const frame = Buffer.from(good);
    frame[at] = value;
    return frame;
  };
  it.each([
    ["no family", edited(layout.QUESTION_FAMILIES, 0)],
    ["an unknown family", edited(layout.QUESTION_FAMILIES, 8)],
    ["addresses and PTR together", edited(layout.QUESTION_FAMILIES, layout.FAMILY_A | layout.FAMILY_PTR)],
    ["no candidate", edited(layout.QUESTION_COUNT, 0)],
    ["more candidates than it holds", edited(layout.QUESTION_COUNT, 2)],
    ["a name that ends behind the frame", edited(layout.QUESTION_NAMES, 12)],
    ["bytes left over", edited(layout.QUESTION_NAMES, 10)],
    ["an empty name", questionFrame([""])],
    ["an empty label", questionFrame(["a..b"])],
    ["a label of 64", questionFrame([`${"a".repeat(64)}.com`])],
    ["a name of 254", questionFrame([`${"a.".repeat(126)}aa`])],
    ["a space", questionFrame(["a b.com"])],
    ["a byte above ASCII", questionFrame(["\xe4.com"])],
    ["no body", good.subarray(0, layout.FRAME_HEADER_BYTES)],
  ])("calls a question malformed that has %s", (_what, frame) => {
    expect(protocol.decodeFrame(frame)).toEqual({ kind: "refuse", why: "malformed" });
  });

  it("refuses other versions and kinds without calling them malformed", () => {
    expect(protocol.decodeFrame(edited(layout.FRAME_VERSION_AT, layout.FRAME_VERSION - 1))).toEqual({
      kind: "refuse",
      why: "unknown",
    });
    expect(protocol.decodeFrame(edited(layout.FRAME_KIND, 99))).toEqual({ kind: "refuse", why: "unknown" });
    expect(protocol.decodeFrame(edited(layout.FRAME_KIND, layout.KIND_ANSWER))).toEqual({
      kind: "refuse",
      why: "unknown",
    });
  });
});

describe("decodeFrame, of touch and hits", () => {
  const epoch = Buffer.from("0102030405060708", "hex");
  const uses = [
    { slot: 0xfedcba98, nonce: 0xfffe, hits: 3 },
    { slot: 7, nonce: 1, hits: 65_535 },
  ];
  const kinds = [
    ["touch", layout.KIND_TOUCH],
    ["hits", layout.KIND_HITS],
  ] as const;

  it.each(kinds)("reads the epoch and the entries of %s, in order", (kind, number) => {
    const { epoch: read, ...rest } = protocol.decodeFrame(useFrame(number, epoch, uses)) as protocol.UseFrame;
    expect(rest).toEqual({ kind, uses });
    expect(Buffer.from(read)).toEqual(epoch);
  });

  it.each(kinds)("takes as many entries of %s as there may be, and not one more", (kind, number) => {
    const many = Array.from({ length: layout.USE_ENTRIES_MAX }, (_, slot) => ({ slot, nonce: 1, hits: 1 }));
    expect(protocol.decodeFrame(useFrame(number, epoch, many))).toMatchObject({ kind, uses: many });
    const more = useFrame(number, epoch, [...many, { slot: 1, nonce: 1, hits: 1 }]);
    expect(protocol.decodeFrame(more)).toEqual({ kind: "refuse", why: "malformed" });
  });

  it.each(kinds)("calls %s malformed that is not a whole number of entries, one at least", (kind, number) => {
    const whole = useFrame(number, epoch, uses);
    const body = whole.subarray(layout.FRAME_HEADER_BYTES);
    for (let bytes = 0; bytes <= body.length; bytes++) {
      const isWhole = bytes === 8 + 8 || bytes === 8 + 16;
      expect(protocol.decodeFrame(frame(number, body.subarray(0, bytes))).kind).toBe(isWhole ? kind : "refuse");
    }
    const longer = frame(number, Buffer.concat([body, Buffer.alloc(1)]));
    expect(protocol.decodeFrame(longer)).toEqual({ kind: "refuse", why: "malformed" });
  });
});

describe("frameLength", () => {
  it("waits for four bytes, then knows", () => {
    const frame = questionFrame(["example.com"]);
    for (const cut of [0, 1, 2, 3]) expect(protocol.frameLength(frame.subarray(0, cut))).toBeUndefined();
    expect(protocol.frameLength(frame.subarray(0, 4))).toBe(frame.length);
  });
  it("refuses lengths that no question has", () => {
    for (const length of [0, 7, layout.QUESTION_FRAME_BYTES_MAX + 1, 0x00ffffff]) {
      const frame = Buffer.alloc(4);
      frame.writeUInt32BE(length);
      expect(protocol.frameLength(frame)).toBe("malformed");
    }
  });
  it("allows the largest question", () => {
    const name = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;
    const frame = questionFrame(Array(layout.CANDIDATES_MAX).fill(name));
    expect(frame.length).toBe(layout.QUESTION_FRAME_BYTES_MAX);
    expect(protocol.frameLength(frame)).toBe(frame.length);
    expect(protocol.decodeFrame(frame)).toMatchObject({ kind: "question" });
  });
});

describe("encoded frames", () => {
  it("hold what layout.ts says", () => {
    const record = Uint8Array.from({ length: 56 }, (_, i) => i);
    const answer = protocol.encodeAnswer(layout.FAMILY_A, 3, [record]);
    expect(answer.toString("hex")).toBe(`000000480202000001030000${"00000000"}${Buffer.from(record).toString("hex")}`);
    expect(protocol.encodePending(2249.5).toString("hex")).toBe("0000000c02030000000008ca");
    expect(protocol.encodeRefused("busy").toString("hex")).toBe("0000000c0204000003020000");
    expect(protocol.encodeHello().toString("hex")).toBe("0000000802050000");
  });
});
