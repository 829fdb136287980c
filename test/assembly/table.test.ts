import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { addressesOf, expiresAtMsOf, namesOf, typeOf } from "../../src/table/record.ts";
import type { TableOptions, Wasm } from "../../src/table/wasm.ts";
import { editSlot, masked, unmasked } from "../support/masks.ts";
import { checksumOf, hashOf } from "../support/mix.ts";
import { address, makeRecord, type RecordParts } from "../support/records.ts";
import { debugWasm, releaseWasm } from "../support/wasm.ts";

const builds: [string, (options?: Partial<TableOptions>) => Wasm][] = [
  ["debug", debugWasm],
  ["release", releaseWasm],
];

function put(wasm: Wasm, parts: RecordParts, nowMs = 0): number {
  wasm.record.set(makeRecord(parts));
  wasm.settle(nowMs, 0);
  return wasm.insert(nowMs);
}

function ask(wasm: Wasm, name: string): void {
  wasm.question[0] = wasm.question.write(name, 1, "latin1");
}

function find(wasm: Wasm, name: string, nowMs = 0, type = layout.TYPE_A): Uint8Array | undefined {
  ask(wasm, name);
  const slot = wasm.find(type, nowMs);
  return slot === 0 ? undefined : recordAt(wasm, slot);
}

function remove(wasm: Wasm, name: string, type = layout.TYPE_A): number {
  ask(wasm, name);
  return wasm.remove(type);
}

function slotAt(wasm: Wasm, slot: number): Buffer {
  return wasm.image.subarray(slot, slot + layout.SLOT_BYTES);
}

function recordAt(wasm: Wasm, slot: number): Uint8Array {
  return unmasked(slotAt(wasm, slot));
}

/** Names of a set's slots, as a reader of the published image finds them. */
function namesInSet(wasm: Wasm, set: number): (string | undefined)[] {
  const at = layout.HEADER_BYTES + set * layout.SET_BYTES;
  return Array.from({ length: layout.WAYS }, (_, way) => {
    if (wasm.image.readBigUInt64LE(at + way * layout.TAG_BYTES) === 0n) return undefined;
    return namesOf(recordAt(wasm, at + layout.TAG_LINE_BYTES + way * layout.SLOT_BYTES))[0];
  });
}

function nonceAt(wasm: Wasm, slot: number): bigint {
  return wasm.image.readBigUInt64LE(slot + layout.RECORD_NONCE);
}

/** Gives 1, 2, 3 … as words of 32 bits, once the seeds and the epoch have been given. */
function numbering(): (bytes: Uint8Array) => void {
  let word = 1;
  return (bytes) => {
    bytes.fill(7);
    if (bytes.length > layout.SEEDS_BYTES)
      for (let at = 0; at < bytes.length; at += 4) Buffer.from(bytes.buffer).writeUInt32LE(word++, at);
  };
}

function seedsOf(wasm: Wasm): [bigint, bigint] {
  return [wasm.image.readBigUInt64LE(layout.HEADER_SEED_A), wasm.image.readBigUInt64LE(layout.HEADER_SEED_B)];
}

const eight = ["a", "b", "c", "d", "e", "f", "g", "h"];
const one = (value = 1) => ({ data: [address(value)] });

test("the release build brings no walk over the table, and neither build wants more than memory", () => {
  expect(releaseWasm().check).toBeUndefined();
  const module = new WebAssembly.Module(readFileSync(new URL("../../dist/namewell.wasm", import.meta.url)));
  expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
});

describe.each(builds)("the table (%s)", (_build, load) => {
  test("begins with a header page that says what it is", () => {
    const wasm = load({ entries: 60, upstreams: "192.0.2.1,[2001:db8::1]:5353" });
    const { image } = wasm;
    const header = (at: number) => image.readUInt32LE(at);
    expect(image.toString("latin1", 0, 8)).toBe("NAMEWELL");
    expect([8, 12, 16, 20, 24, 28].map(header)).toEqual([layout.LAYOUT_VERSION, 4096, 4096, 504, 8, 8]);
    expect(image.length).toBe(4096 + 8 * 4096);
    expect(seedsOf(wasm)).not.toContain(0n);
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim().replaceAll("-", "");
    expect(image.toString("hex", layout.HEADER_BOOT_ID, layout.HEADER_BOOT_ID + 16)).toBe(bootId);
    expect(image.readBigUInt64LE(layout.HEADER_EPOCH)).not.toBe(0n);
    expect(header(layout.HEADER_STATE)).toBe(layout.STATE_LIVE);
    const upstreams = image.subarray(layout.HEADER_UPSTREAMS + 2);
    expect(upstreams.toString("latin1", 0, image.readUInt16LE(layout.HEADER_UPSTREAMS))).toBe(
      "192.0.2.1,[2001:db8::1]:5353",
    );
    wasm.setHeartbeat(123456789012.9, 1234567890123.9);
    wasm.setState(layout.STATE_RETIRED);
    expect(image.readBigUInt64LE(layout.HEADER_HEARTBEAT_MS)).toBe(123456789012n);
    expect(header(layout.HEADER_STATE)).toBe(layout.STATE_RETIRED);
  });

  test("puts a record where the question's hash says, under the hash as its tag", () => {
    const wasm = load({ entries: 800 });
    for (let i = 0; i < 300; i++) {
      const name = `n${"x".repeat(i % 40)}${i}.example`;
      const slot = put(wasm, { name, ...one(i) });
      const hash = hashOf(name, layout.TYPE_A, ...seedsOf(wasm));
      const set = Number(((hash >> 32n) * BigInt(wasm.setCount)) >> 32n);
      const setAt = layout.HEADER_BYTES + set * layout.SET_BYTES;
      const way = (slot - setAt - layout.TAG_LINE_BYTES) / layout.SLOT_BYTES;
      expect(way).toBe(namesInSet(wasm, set).indexOf(name));
      expect(wasm.image.readBigUInt64LE(setAt + way * layout.TAG_BYTES)).toBe(hash);
    }
    wasm.check?.();
  });

  test("masks a record with a nonce that each write has anew, and seals what it has masked", () => {
    const wasm = load({ entries: 8, random: numbering() });
    const at = put(wasm, { name: "a.example", ...one() });
    const writes = [() => at, () => put(wasm, { name: "a.example", ...one() }), () => void wasm.rewrite(at)];
    for (const [i, write] of writes.entries()) {
      write();
      const record = recordAt(wasm, at);
      expect(masked(record, nonceAt(wasm, at))).toEqual(slotAt(wasm, at).subarray(0, record.length));
      expect(nonceAt(wasm, at)).toBe(((2n * BigInt(i) + 2n) << 32n) | (2n * BigInt(i) + 1n));
      expect(Buffer.compare(wasm.record.subarray(0, record.length), record)).toBe(0);
    }
    wasm.check?.();
  });

  test("takes another nonce where one would be 0", () => {
    let rounds = 0;
    const random = (bytes: Uint8Array) => bytes.fill(0).fill(5, rounds++ < 2 ? 24 : 16); // after the seeds and the epoch
    const wasm = load({ entries: 8, random });
    const nonces = Array.from({ length: 3 }, () => nonceAt(wasm, put(wasm, { name: "a.example", ...one() })));
    expect(nonces).toEqual(Array(3).fill(0x0505050505050505n));
  });

  test("has an empty slot all zero", () => {
    const wasm = load({ entries: 8 });
    const slot = slotAt(wasm, put(wasm, { name: "a.example", ...one() }));
    remove(wasm, "a.example");
    expect(slot.equals(Buffer.alloc(layout.SLOT_BYTES))).toBe(true);
  });

  test("gives out a record without nonce and mask, sealed, with its flags", () => {
    const wasm = load();
    const flags = 0x8000 | layout.RECORD_FLAG_FIXED_ORDER;
    const at = put(wasm, { name: "a.example", flags, ...one() });
    const plain = Buffer.from(recordAt(wasm, at));
    const given = [
      () => ask(wasm, "a.example") ?? wasm.find(layout.TYPE_A, 0),
      () => ask(wasm, "a.example") ?? wasm.peek(layout.TYPE_A),
      () => wasm.open(at),
    ].map((bring) => {
      wasm.record.fill(0xff);
      bring();
      return Buffer.from(wasm.record.subarray(0, plain.length));
    });
    expect(given).toEqual([plain, plain, plain]);
    expect(plain.readBigUInt64LE(layout.RECORD_NONCE)).toBe(0n);
    expect(plain.readBigUInt64LE(layout.RECORD_CHECKSUM)).toBe(checksumOf(plain));
    expect(plain.readUInt16LE(layout.RECORD_FLAGS)).toBe(flags);
    wasm.extend(59_999, 3600);
    wasm.rewrite(at);
    expect(Buffer.from(recordAt(wasm, at)).readUInt16LE(layout.RECORD_FLAGS)).toBe(flags);
  });

  test("leaves nothing of a longer record behind a shorter one", () => {
    const wasm = load({ entries: 8 });
    put(wasm, { name: "a.example", data: Array.from({ length: 90 }, (_, i) => address(i)) });
    put(wasm, { name: "a.example", ...one() });
    expect(addressesOf(find(wasm, "a.example") as Uint8Array)).toEqual(["10.0.0.1"]);
    wasm.check?.();
  });

  test("keeps types of a name apart", () => {
    const wasm = load();
    put(wasm, { name: "a.example", ...one() });
    expect(find(wasm, "a.example", 0, layout.TYPE_AAAA)).toBeUndefined();
    put(wasm, { name: "a.example", type: layout.TYPE_AAAA, outcome: layout.OUTCOME_NO_DATA, ttl: 5 });
    expect(typeOf(find(wasm, "a.example", 0, layout.TYPE_AAAA) as Uint8Array)).toBe(layout.TYPE_AAAA);
    expect(typeOf(find(wasm, "a.example") as Uint8Array)).toBe(layout.TYPE_A);
  });

  test("finds a name that is the start of another, and the longest", () => {
    const wasm = load();
    const longest = `${"x".repeat(63)}.${"y".repeat(63)}.${"z".repeat(63)}.${"w".repeat(61)}`;
    const names = ["a", "a.b", "a.b.c", "a.b.c.dddddddd", "a.b.c.ddddddddd", longest];
    for (const [i, name] of names.entries()) put(wasm, { name, ...one(i) });
    for (const [i, name] of names.entries()) {
      expect(addressesOf(find(wasm, name) as Uint8Array)).toEqual([`10.0.0.${i}`]);
    }
  });

  test("does not take two questions of one hash for one", () => {
    const wasm = load({ entries: 8 });
    const slot = slotAt(wasm, put(wasm, { name: "a.example", ...one() }));
    editSlot(slot, (plain) => plain.write("b", layout.RECORD_NAMES + 1)); // the tag is that of a.example
    expect(find(wasm, "a.example")).toBeUndefined();
    editSlot(slot, (plain) => plain.write("a", layout.RECORD_NAMES + 1));
    expect(find(wasm, "a.example")).toBeDefined();
    editSlot(slot, (plain) => plain.writeUInt16LE(layout.TYPE_AAAA, layout.RECORD_TYPE));
    expect(find(wasm, "a.example")).toBeUndefined();
  });

  test("finds no expired record, and keeps it until its place is wanted", () => {
    const wasm = load({ entries: 8 });
    const slot = put(wasm, { name: "a.example", ttl: 10, ...one() }, 1000);
    expect(find(wasm, "a.example", 10_999.9)).toBeDefined();
    expect(find(wasm, "a.example", 11_000)).toBeUndefined();
    expect(namesOf(recordAt(wasm, slot))).toEqual(["a.example"]);
    expect(wasm.usedCount()).toBe(1);
  });

  test("leaves out a record that is longer than a slot, and takes the longest that fits", () => {
    const wasm = load();
    const addresses = (count: number) => Array.from({ length: count }, (_, i) => address(i));
    const longest = makeRecord({ name: "a.example", data: addresses(110) });
    expect(longest.length).toBe(layout.SLOT_BYTES);
    expect(put(wasm, { name: "a.example", data: addresses(110) })).not.toBe(0);
    expect(addressesOf(find(wasm, "a.example") as Uint8Array).length).toBe(110);
    expect(put(wasm, { name: "b.example", data: addresses(111) })).toBe(0);
    expect(find(wasm, "b.example")).toBeUndefined();
    wasm.check?.();
  });

  test("removes", () => {
    const wasm = load({ entries: 8 });
    const slot = put(wasm, { name: "a.example", ...one() });
    expect(remove(wasm, "b.example")).toBe(0);
    expect(remove(wasm, "a.example", layout.TYPE_AAAA)).toBe(0);
    expect(remove(wasm, "a.example")).toBe(slot);
    expect(find(wasm, "a.example")).toBeUndefined();
    expect(wasm.usedCount()).toBe(0);
    wasm.check?.();
  });

  test("counts the hits of a slot since its last write, up to what 16 bits hold", () => {
    const wasm = load({ entries: 8 });
    const slot = put(wasm, { name: "a.example", ...one() });
    const other = put(wasm, { name: "b.example", ...one() });
    for (let i = 0; i < 70_000; i++) find(wasm, "a.example");
    expect(wasm.hitsOf(slot)).toBe(0xffff);
    expect(wasm.hitsOf(other)).toBe(0);
    put(wasm, { name: "a.example", ...one() });
    expect(wasm.hitsOf(slot)).toBe(0);
  });

  test("writes nothing into the image when it finds", () => {
    const wasm = load({ entries: 8 });
    put(wasm, { name: "a.example", ...one() });
    const before = Buffer.from(wasm.image);
    find(wasm, "a.example");
    find(wasm, "b.example");
    expect(Buffer.compare(before, wasm.image)).toBe(0);
  });
});

describe.each(builds)("a full set (%s)", (_build, load) => {
  const full = (ttl: (name: string) => number = () => 60) => {
    const wasm = load({ entries: 8 });
    for (const name of eight) put(wasm, { name, ttl: ttl(name), ...one() });
    return wasm;
  };
  const lost = (wasm: Wasm) => eight.filter((name) => !namesInSet(wasm, 0).includes(name));

  test("is filled before anything gives way", () => {
    const wasm = full();
    expect(lost(wasm)).toEqual([]);
    expect(wasm.evictedCount()).toBe(0);
    remove(wasm, "d");
    put(wasm, { name: "i", ...one() });
    expect(namesInSet(wasm, 0)).toEqual(["a", "b", "c", "i", "e", "f", "g", "h"]);
    expect(wasm.evictedCount()).toBe(0);
  });

  test("gives up the record that expired first", () => {
    const wasm = full((name) => (name === "c" ? 20 : name === "e" ? 10 : 60));
    for (const name of eight) find(wasm, name);
    put(wasm, { name: "i", ...one() }, 30_000);
    expect(lost(wasm)).toEqual(["e"]);
    put(wasm, { name: "j", ...one() }, 30_000);
    expect(lost(wasm)).toEqual(["c", "e"]);
    expect(wasm.evictedCount()).toBe(0);
    wasm.check?.();
  });

  test("gives up records without a hit first, in turn", () => {
    const wasm = full();
    for (const name of ["a", "b", "d", "e", "g", "h"]) find(wasm, name);
    put(wasm, { name: "i", ...one() });
    expect(lost(wasm)).toEqual(["c"]);
    put(wasm, { name: "j", ...one() });
    expect(lost(wasm)).toEqual(["c", "f"]);
    expect(wasm.evictedCount()).toBe(2);
  });

  test("gives each record with a hit one more round", () => {
    const wasm = full();
    for (const name of eight) find(wasm, name);
    put(wasm, { name: "i", ...one() }); // all marks are swept
    expect(lost(wasm)).toEqual(["a"]);
    find(wasm, "b");
    put(wasm, { name: "j", ...one() });
    expect(lost(wasm)).toEqual(["a", "c"]);
  });

  test("does not take the hits of a record that gave way for those of its successor", () => {
    const wasm = full((name) => (name === "c" ? 10 : 60));
    for (const name of eight) find(wasm, name);
    put(wasm, { name: "i", ...one() }, 30_000); // in the place of c
    put(wasm, { name: "j", ...one() }, 30_000);
    expect(namesInSet(wasm, 0)[2]).toBe("j");
  });

  test("overwrites the same question in place", () => {
    const wasm = full();
    put(wasm, { name: "f", ...one(9) });
    expect(namesInSet(wasm, 0)).toEqual(eight);
    expect(addressesOf(find(wasm, "f") as Uint8Array)).toEqual(["10.0.0.9"]);
  });
});

// Against a Map, in a table so small that records give way all the time.
const name = fc.integer({ min: 0, max: 39 }).map((i) => `n${i}.example`);
const type = fc.constantFrom(layout.TYPE_A, layout.TYPE_AAAA);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("insert" as const),
      name,
      type,
      value: fc.nat(0xffffff),
      ttl: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("find" as const), name, type }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), name, type }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(4000) }) },
);

describe.each(builds)("against a Map (%s)", (_build, load) => {
  test("what is found is what was last put in, and fresh; what is lost gave way to something", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const wasm = load({ entries: 16 });
        const model = new Map<string, { value: number; expiresAtMs: number }>();
        let nowMs = 5000;
        for (const next of steps) {
          if (next.do === "wait") {
            nowMs += next.ms;
            continue;
          }
          const key = `${next.name} ${next.type}`;
          if (next.do === "insert") {
            const before = keysIn(wasm);
            const evicted = wasm.evictedCount();
            const data = [next.type === layout.TYPE_A ? address(next.value) : Buffer.alloc(16, address(next.value))];
            expect(put(wasm, { name: next.name, type: next.type, ttl: next.ttl, data }, nowMs)).not.toBe(0);
            model.set(key, { value: next.value, expiresAtMs: nowMs + next.ttl * 1000 });
            const after = keysIn(wasm);
            expect(after).toContain(key);
            const gone = before.filter((other) => !after.includes(other));
            expect(gone.length).toBeLessThanOrEqual(before.includes(key) ? 0 : 1);
            const wasFresh = gone.some((other) => (model.get(other)?.expiresAtMs ?? 0) > nowMs);
            expect(wasm.evictedCount() - evicted).toBe(wasFresh ? 1 : 0);
            for (const other of gone) model.delete(other);
          } else if (next.do === "remove") {
            expect(remove(wasm, next.name, next.type) !== 0).toBe(model.delete(key));
          } else {
            const found = find(wasm, next.name, nowMs, next.type);
            const known = model.get(key);
            if (known === undefined || known.expiresAtMs <= nowMs) expect(found).toBeUndefined();
            else {
              expect(namesOf(found as Uint8Array)).toEqual([next.name]);
              expect(expiresAtMsOf(found as Uint8Array)).toBe(known.expiresAtMs);
              const at = (found as Uint8Array)[layout.RECORD_DATA_OFFSET] as number;
              expect(found?.subarray(at, at + 4)).toEqual(Buffer.from(address(known.value)));
            }
          }
        }
        expect(keysIn(wasm).sort()).toEqual([...model.keys()].sort());
        expect(wasm.usedCount()).toBe(model.size);
        wasm.check?.();
      }),
      { numRuns: 100, seed: 6 },
    );
  });

  function keysIn(wasm: Wasm): string[] {
    const keys: string[] = [];
    for (let set = layout.HEADER_BYTES; set < wasm.image.length; set += layout.SET_BYTES) {
      for (let way = 0; way < layout.WAYS; way++) {
        if (wasm.image.readBigUInt64LE(set + way * layout.TAG_BYTES) === 0n) continue;
        const record = recordAt(wasm, set + layout.TAG_LINE_BYTES + way * layout.SLOT_BYTES);
        keys.push(`${namesOf(record)[0]} ${typeOf(record)}`);
      }
    }
    return keys;
  }
});

describe("the number of entries", () => {
  test.each([8, 9, 1000, layout.ENTRIES_MAX])("may be %d, rounded up to whole sets", (entries) => {
    const wasm = releaseWasm({ entries });
    expect(wasm.setCount).toBe(Math.ceil(entries / 8));
    for (let i = 0; i < 64; i++) expect(put(wasm, { name: `n${i}`, ...one(i) })).toBeGreaterThan(0);
    expect(addressesOf(find(wasm, "n63") as Uint8Array)).toEqual(["10.0.0.63"]);
  });

  test.each([0, 7, -8, layout.ENTRIES_MAX + 1, Number.NaN])("may not be %d", (entries) => {
    expect(() => releaseWasm({ entries })).toThrow(RangeError);
  });
});

describe("the walk over the table finds", () => {
  const damages: [string, (wasm: Wasm, slot: number) => void, RegExp][] = [
    ["a wrong byte", (wasm, slot) => wasm.image.writeUInt8(7, slot + layout.RECORD_TTL_SECONDS), /checksum/],
    ["a wrong tag", (wasm) => wasm.image.writeBigUInt64LE(5n, layout.HEADER_BYTES), /tag/],
    ["a lost tag", (wasm) => wasm.image.writeBigUInt64LE(0n, layout.HEADER_BYTES), /empty/],
    ["bytes behind the record", (wasm, slot) => wasm.image.writeUInt8(1, slot + layout.SLOT_BYTES - 1), /after/],
    [
      "a question twice",
      (wasm, slot) => {
        wasm.image.copy(wasm.image, slot + layout.SLOT_BYTES, slot, slot + layout.SLOT_BYTES);
        wasm.image.copy(wasm.image, layout.HEADER_BYTES + 8, layout.HEADER_BYTES, layout.HEADER_BYTES + 8);
      },
      /twice/,
    ],
  ];

  test.each(damages)("%s", (_what, damage, message) => {
    const wasm = debugWasm({ entries: 8 });
    const slot = put(wasm, { name: "a.example", ...one() });
    wasm.check();
    damage(wasm, slot);
    expect(() => wasm.check()).toThrow(message);
    expect(() => wasm.check()).toThrow(/assembly\/check\.ts:\d+:\d+/);
  });
});
