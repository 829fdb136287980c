// The decoder against damaged records, under AddressSanitizer and UBSan.
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { masked } from "../support/masks.ts";
import { buildProgram } from "../support/programs.ts";
import { seal, sealedRecord } from "../support/serverFrames.ts";
import { DECODER_FLAGS } from "./flags.ts";

const program = buildProgram("test/shim/decoder.c", "glibc", DECODER_FLAGS);

const good = sealedRecord({
  name: "www.example",
  chain: ["web.example", "host.example"],
  addresses: ["192.0.2.1", "192.0.2.2"],
});
const REVERSE = "1.2.0.192.in-addr.arpa";
const pointers = sealedRecord({
  name: REVERSE,
  type: "PTR",
  chain: ["1.0/25.2.0.192.in-addr.arpa"],
  addresses: ["www.example", "other.example"],
});
const NONCE = 0x8899aabbccddeeffn;
const OTHER_NONCE = 0x0123456789abcdefn;
const REFUSED = "0 outcome 0 chain 0 count 0 sum 0";

function decode(lines: string[]): string[] {
  const { stdout, stderr, status } = spawnSync(program, { input: `${lines.join("\n")}\n`, encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout.trim().split("\n");
}
const asRecord = (bytes: Buffer, name = "www.example", type = layout.TYPE_A) =>
  `record ${name} ${type} ${bytes.toString("hex") || "-"}`;

/** The record with some bytes changed, and its checksum true again. */
function changed(change: (bytes: Buffer) => void, record = good): Buffer {
  const bytes = Buffer.from(record);
  change(bytes);
  return seal(bytes);
}

/** As the server writes it once more. */
function renew(bytes: Buffer): Buffer {
  bytes.writeBigUInt64LE(123456789n, layout.RECORD_EXPIRES_AT_MS);
  bytes.writeBigUInt64LE(123456000n, layout.RECORD_REFRESH_AT_MS);
  return bytes;
}

describe("answer_read", () => {
  it("reads a good record", () => {
    expect(decode([asRecord(good)])[0]).toMatch(`${good.length} outcome 1 chain 2 count 2 `);
  });

  it("reads a slot as the record that it was made of, however much lies behind it", () => {
    const [plain, ...others] = decode([
      asRecord(good),
      ...[1n, NONCE, 0xffffffffffffffffn].flatMap((nonce) => [
        asRecord(masked(good, nonce)),
        asRecord(Buffer.concat([masked(good, nonce), Buffer.alloc(80)])),
      ]),
    ]);
    expect(new Set(others)).toEqual(new Set([plain]));
  });

  it("reads the names of an address, behind a chain of any text", () => {
    expect(decode([asRecord(pointers, REVERSE, layout.TYPE_PTR)])[0]).toMatch(
      `${pointers.length} outcome 1 chain 1 count 2 `,
    );
  });

  it("refuses names of an address that are unsound behind a true checksum", () => {
    const { RECORD_CHAIN_COUNT, RECORD_DATA_COUNT, RECORD_DATA_OFFSET, RECORD_NAMES } = layout;
    const offset = pointers.readUInt16LE(RECORD_DATA_OFFSET);
    const second = offset + 1 + "www.example".length;
    const unsound: ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.writeUInt16LE(0, RECORD_DATA_COUNT),
      (bytes) => bytes.writeUInt16LE(3, RECORD_DATA_COUNT), // the zeros behind the last read as a name
      (bytes) => bytes.writeUInt16LE(65535, RECORD_DATA_COUNT),
      (bytes) => bytes.writeUInt16LE(RECORD_NAMES, RECORD_DATA_OFFSET), // the names before the data
      (bytes) => bytes.writeUInt16LE(offset + 1, RECORD_DATA_OFFSET),
      (bytes) => bytes.writeUInt16LE(pointers.length, RECORD_DATA_OFFSET),
      (bytes) => bytes.writeUInt16LE(pointers.length - 1, RECORD_DATA_OFFSET),
      (bytes) => bytes.writeUInt16LE(65535, RECORD_DATA_OFFSET),
      (bytes) => bytes.writeUInt8(17, RECORD_CHAIN_COUNT),
      (bytes) => bytes.writeUInt8(255, RECORD_NAMES + 1 + REVERSE.length), // a chain beyond the record
      ...[0, 10, 12, 254, 255].map((length) => (bytes: Buffer) => bytes.writeUInt8(length, offset)),
      ...[0, 254, 255].map((length) => (bytes: Buffer) => bytes.writeUInt8(length, second)),
      ...["\0", " ", "/", "%", "A", "\xff", "\n"].flatMap((byte) =>
        [offset + 1, second + 5].map((at) => (bytes: Buffer) => bytes.write(byte, at, "latin1")),
      ),
    ];
    const lines = unsound.map((change) => asRecord(changed(change, pointers), REVERSE, layout.TYPE_PTR));
    expect(new Set(decode(lines))).toEqual(new Set([REFUSED]));
  });

  it("reads every outcome but the empty and the unknown", () => {
    const lines = [0, 1, 2, 3, 4, 5, 6, 255].map((outcome) =>
      asRecord(sealedRecord({ name: "www.example", outcome, addresses: outcome === 1 ? ["192.0.2.1"] : [] })),
    );
    const accepted = decode(lines).map((line) => line !== REFUSED);
    expect(accepted).toEqual([false, true, true, true, true, true, false, false]);
  });

  it("refuses every truncation", () => {
    const lines = Array.from(good, (_, length) => asRecord(good.subarray(0, length)));
    expect(new Set(decode(lines))).toEqual(new Set([REFUSED]));
  });

  it.each([
    ["a record", good],
    ["a slot", masked(good, NONCE)],
  ])("refuses every flipped bit: %s", (_what, record) => {
    const lines = Array.from({ length: record.length * 8 }, (_, bit) => {
      const bytes = Buffer.from(record);
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      return asRecord(bytes);
    });
    expect(new Set(decode(lines))).toEqual(new Set([REFUSED]));
  });

  // As a reader finds a slot that is being written, where neither the writer's words nor the reader's keep their order.
  it.each<[string, Buffer]>([
    ["itself, renewed", changed((bytes) => renew(bytes))],
    ["other addresses", changed((bytes) => bytes.write("other   ", renew(bytes).length - 16))],
    [
      "another name",
      sealedRecord({ name: "www.another", chain: ["web.example", "host.another"], addresses: ["192.0.2.3"] }),
    ],
    ["a shorter one", sealedRecord({ name: "www.example", outcome: layout.OUTCOME_NO_DATA })],
    ["nothing", Buffer.alloc(good.length)],
  ])("refuses every mixture of a record's words and those of what follows it: %s", (_what, next) => {
    const [slot, nextSlot] = [masked(good, NONCE), next.some((byte) => byte > 0) ? masked(next, OTHER_NONCE) : next];
    const old = Buffer.concat([slot, Buffer.alloc(good.length)]);
    const following = Buffer.concat([nextSlot, Buffer.alloc(good.length)]);
    const differing = Array.from({ length: good.length / 8 }, (_, word) => 8 * word).filter(
      (at) => old.compare(following, at, at + 8, at, at + 8) !== 0,
    );
    const mixtures = Array.from({ length: 1 << differing.length }, (_, chosen) => {
      const bytes = Buffer.from(old.subarray(0, good.length));
      for (const [i, at] of differing.entries()) if (chosen & (1 << i)) following.copy(bytes, at, at, at + 8);
      return bytes;
    });
    const isWhole = (bytes: Buffer) =>
      [slot, nextSlot].some((record) => bytes.subarray(0, record.length).equals(record));
    expect(differing.length).toBeGreaterThan(3);
    const read = decode(mixtures.map((bytes) => asRecord(bytes)));
    const accepted = mixtures.filter((_, i) => read[i] !== REFUSED);
    expect(accepted).toContainEqual(slot);
    expect(accepted.filter((bytes) => !isWhole(bytes))).toEqual([]);
  });

  it("refuses another question's record", () => {
    const lines = [asRecord(good, "ww.example"), asRecord(good, "www.examplf"), asRecord(good, "www.example", 28)];
    expect(new Set(decode(lines))).toEqual(new Set([REFUSED]));
  });

  it("refuses what is unsound behind a true checksum", () => {
    const { RECORD_LENGTH, RECORD_CHAIN_COUNT, RECORD_DATA_COUNT, RECORD_DATA_OFFSET, RECORD_NAMES } = layout;
    const unsound: ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.writeUInt16LE(good.length - 16, RECORD_LENGTH),
      (bytes) => bytes.writeUInt16LE(good.length + 16, RECORD_LENGTH),
      (bytes) => bytes.writeUInt16LE(good.length - 1, RECORD_LENGTH),
      (bytes) => bytes.writeUInt8(17, RECORD_CHAIN_COUNT),
      (bytes) => bytes.writeUInt8(3, RECORD_CHAIN_COUNT), // the data read as a name
      (bytes) => bytes.writeUInt16LE(0, RECORD_DATA_COUNT),
      (bytes) => bytes.writeUInt16LE(65535, RECORD_DATA_COUNT),
      (bytes) => bytes.writeUInt16LE(good.length - 4, RECORD_DATA_OFFSET),
      (bytes) => bytes.writeUInt16LE(65535, RECORD_DATA_OFFSET),
      (bytes) => bytes.writeUInt16LE(RECORD_NAMES, RECORD_DATA_OFFSET), // the names read as data
      (bytes) => bytes.writeUInt8(255, RECORD_NAMES + 12), // a chain name longer than a name
      (bytes) => bytes.writeUInt8(0, RECORD_NAMES + 12),
      (bytes) => bytes.writeUInt8(0, RECORD_NAMES + 14), // a NUL within a name
      (bytes) => bytes.write(" ", RECORD_NAMES + 14),
    ];
    expect(new Set(decode(unsound.map((change) => asRecord(changed(change)))))).toEqual(new Set([REFUSED]));
  });

  it("refuses a length that the checksum cannot cover whole", () => {
    const lines = [1, 4, 8, 15].map((less) => {
      const bytes = Buffer.from(good);
      const stated = good.length - less;
      bytes.writeUInt16LE(stated, layout.RECORD_LENGTH);
      return asRecord(Buffer.concat([seal(bytes.subarray(0, stated - ((stated - 8) % 16))), bytes.subarray(-16)]));
    });
    expect(new Set(decode(lines))).toEqual(new Set([REFUSED]));
  });

  it("survives random damage, with the checksum false and made true", () => {
    const six = sealedRecord({ name: "www.example", type: "AAAA", addresses: ["2001:db8::1", "2001:db8::2"] });
    const lines = [1, 2, 3].flatMap((seed) => [
      `hammer 60000 ${seed} www.example ${layout.TYPE_A} ${good.toString("hex")}`,
      `hammer 60000 ${seed} www.example ${layout.TYPE_AAAA} ${six.toString("hex")}`,
      `hammer 60000 ${seed} ${REVERSE} ${layout.TYPE_PTR} ${pointers.toString("hex")}`,
    ]);
    for (const line of decode(lines)) expect(line).toMatch(/^accepted [1-9]/); // or else nothing got past the checksum
  });
});
