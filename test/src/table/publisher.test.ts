import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as layout from "../../../assembly/layout.ts";
import { nowMs } from "../../../src/clock.ts";
import { createCounters } from "../../../src/counters.ts";
import { createLog } from "../../../src/log.ts";
import { openDirectory } from "../../../src/place/directory.ts";
import { createCache } from "../../../src/table/cache.ts";
import { TURN_SETS_SEEN, TURN_SETS_WRITTEN } from "../../../src/table/making.ts";
import { createPublisher } from "../../../src/table/publisher.ts";
import { createStandstill } from "../../../src/table/standstill.ts";
import type { TableOptions } from "../../../src/table/wasm.ts";
import { address, makeRecord } from "../../support/records.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../../support/sandbox.ts";
import { slotsIn } from "../../support/slots.ts";
import { debugWasm } from "../../support/wasm.ts";

const SERVERS = Buffer.alloc(2 * layout.SERVER_BYTES, 1);

let directory: string;
let tablePath: string;
const publishers: Array<{ stop(): void }> = [];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
  tablePath = path.join(directory, "cache.table");
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  for (const each of publishers.splice(0)) each.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** A server's table and publisher; not prepared yet. */
function server(options: Partial<TableOptions> = {}, isOn = true) {
  const wasm = debugWasm({ entries: 16, random: (bytes) => crypto.getRandomValues(bytes), ...options });
  const counters = createCounters();
  const log: string[] = [];
  const logger = createLog("info", { write: (line) => void log.push((JSON.parse(line) as { msg: string }).msg) });
  const socket = { isInPlace: true, isLost: false };
  const create = () =>
    createPublisher({
      ...openDirectory(directory, logger),
      wasm,
      isOn,
      isInPlace: () => socket.isInPlace,
      onPlaceLost() {
        socket.isLost = true;
      },
      realMsAt: createStandstill(() => undefined).realMsAt,
      counters,
      log: logger,
    });
  const publisher = create();
  publishers.push(publisher);
  const cache = createCache(wasm, publisher.publish);
  return {
    ...publisher,
    again: create,
    wasm,
    socket,
    counters,
    log,
    keep: (name: string, value = 1, count = 1, ttl = 60) => {
      const data = Array.from({ length: count }, (_, i) => address(value + i));
      return cache.keep(makeRecord({ name, ttl, data }), nowMs(), 0);
    },
    finds: (name: string) => cache.find({ name, type: layout.TYPE_A }, nowMs()) !== undefined,
  };
}
function started(options: Partial<TableOptions> = {}, isOn = true) {
  const one = server(options, isOn);
  one.prepare();
  one.start();
  return one;
}
const file = () => fs.readFileSync(tablePath);
const inode = () => fs.statSync(tablePath).ino;
const stateIn = (bytes: Buffer) => bytes.readUInt32LE(layout.HEADER_STATE);
const heartbeatIn = (bytes: Buffer) => bytes.readBigUInt64LE(layout.HEADER_HEARTBEAT_MS);
const flagsIn = (bytes: Buffer) => bytes.readUInt32LE(layout.HEADER_FLAGS);
const serversIn = (bytes: Buffer) =>
  bytes.subarray(
    layout.HEADER_SERVERS,
    layout.HEADER_SERVERS + bytes.readUInt32LE(layout.HEADER_SERVER_COUNT) * layout.SERVER_BYTES,
  );
const isHeaderAlone = (bytes: Buffer) =>
  bytes.length === layout.HEADER_BYTES && bytes.readUInt32LE(layout.HEADER_SET_COUNT) === 0;

/** The image without what sets that are not in use still hold. */
function tableOf({ image, setCount, isUsed }: ReturnType<typeof debugWasm>): Buffer {
  const table = Buffer.from(image);
  for (let set = 0; set < setCount; set++) {
    const at = layout.HEADER_BYTES + set * layout.SET_BYTES;
    if (!isUsed(set)) table.fill(0, at, at + layout.SET_BYTES);
  }
  return table;
}

/** Until it is published with its sets. */
async function made(): Promise<void> {
  await vi.waitFor(() => expect(isHeaderAlone(file())).toBe(false), { timeout: 30_000, interval: 1 });
}

/** Two starts within one leave the same heartbeat. */
function nextMillisecond(): void {
  for (const before = Math.floor(nowMs()); Math.floor(nowMs()) === before; );
}

/** Keeps the present cache.table open; reads it after it has lost its name. */
function held(): () => Buffer {
  const descriptor = fs.openSync(tablePath, "r");
  publishers.push({ stop: () => fs.closeSync(descriptor) });
  return () => {
    const bytes = Buffer.alloc(fs.fstatSync(descriptor).size);
    fs.readSync(descriptor, bytes, 0, bytes.length, 0);
    return bytes;
  };
}

describe("the published file", () => {
  it("is the image, byte for byte, after each change", () => {
    const change = fc.record({
      name: fc.integer({ min: 0, max: 30 }).map((i) => `n${i}.example`),
      value: fc.nat(0xffff),
      count: fc.constantFrom(1, 2, 90, 150), // the last does not fit a slot
      ttl: fc.constantFrom(0, 1, 60),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60, size: "max" }), (changes) => {
        const one = started();
        for (const { name, value, count, ttl } of changes) {
          one.keep(name, value, count, ttl);
          expect(file().equals(one.wasm.image)).toBe(true);
        }
        one.stop();
        fs.rmSync(tablePath);
      }),
      { numRuns: 40, seed: 8 },
    );
  });

  it("loses the slot whose question has got a record that is too long for it", () => {
    const one = started();
    one.keep("a.example", 1);
    const { published } = one.counters;
    one.keep("a.example", 1, 150);
    expect(one.counters.published).toBe(published + 1);
    expect(slotsIn(file()).map(({ name }) => name)).not.toContain("a.example");
  });

  it("is there whole, without holes, readable by all whatever the umask, and nothing beside it", () => {
    const before = process.umask(0o077);
    try {
      started({ entries: 9000 });
    } finally {
      process.umask(before);
    }
    const { size, blocks, mode } = fs.statSync(tablePath);
    expect(size).toBe(layout.HEADER_BYTES + 1125 * layout.SET_BYTES);
    expect(blocks * 512).toBeGreaterThanOrEqual(size);
    expect(mode & 0o777).toBe(0o644);
    expect(fs.readdirSync(directory)).toEqual(["cache.table"]);
    expect(stateIn(file())).toBe(layout.STATE_LIVE);
  });

  it("has a heartbeat from the start on, four times a second, until the stop", () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] });
    const one = started();
    const first = heartbeatIn(file());
    expect(first).toBe(BigInt(Math.floor(nowMs())));
    const real = file().readBigUInt64LE(layout.HEADER_REAL_MS);
    expect(Math.abs(Number(real) - Date.now())).toBeLessThan(1000);
    for (let beats = 1; beats <= 3; beats++) {
      vi.advanceTimersByTime(250);
      expect(heartbeatIn(file())).toBe(first + BigInt(beats * 250));
      expect(file().readBigUInt64LE(layout.HEADER_REAL_MS)).toBe(real + BigInt(beats * 250));
    }
    one.stop();
    vi.advanceTimersByTime(10_000);
    expect(heartbeatIn(file())).toBe(first + 750n);
  });

  it("gives way to an empty one of another view, which goes on being published", async () => {
    const { renew, keep, finds, wasm, log } = started({ upstreams: "udp 192.0.2.1:53", servers: SERVERS });
    keep("a.example");
    const last = held();
    const epoch = file().subarray(layout.HEADER_EPOCH, layout.HEADER_EPOCH + layout.EPOCH_BYTES);
    renew({ upstreams: "udp 192.0.2.2:53", servers: Buffer.alloc(layout.SERVER_BYTES, 2) });
    expect([finds("a.example"), wasm.usedCount()]).toEqual([false, 0]);
    await made();
    expect([stateIn(last()), stateIn(file())]).toEqual([layout.STATE_RETIRED, layout.STATE_LIVE]);
    expect(file().toString("latin1", layout.HEADER_UPSTREAMS + 2)).toMatch(/^udp 192\.0\.2\.2:53\0/);
    expect([serversIn(last()), serversIn(file())]).toEqual([SERVERS, Buffer.alloc(layout.SERVER_BYTES, 2)]);
    expect(file().subarray(layout.HEADER_EPOCH, layout.HEADER_EPOCH + layout.EPOCH_BYTES)).not.toEqual(epoch);
    expect(
      file()
        .subarray(layout.HEADER_BYTES)
        .every((byte) => byte === 0),
    ).toBe(true);
    keep("b.example");
    expect(file().equals(tableOf(wasm))).toBe(true);
    expect(fs.readdirSync(directory)).toEqual(["cache.table"]);
    expect(log).toEqual([]);
    wasm.check();
  });

  it("is retired by a renewal though its name has been taken away, before the new one is made", async () => {
    const one = started();
    one.keep("a.example");
    const last = held();
    fs.rmSync(tablePath);
    const states: number[] = [];
    const open = fs.openSync;
    vi.spyOn(fs, "openSync").mockImplementation((...args) => {
      if (args[1] === "wx+") states.push(stateIn(last()));
      return open(...args);
    });
    one.renew({ upstreams: "" });
    await made();
    expect(new Set([...states, stateIn(last())])).toEqual(new Set([layout.STATE_RETIRED]));
    expect(stateIn(file())).toBe(layout.STATE_LIVE);
  });

  it("of another server is left alone by a renewal", () => {
    const first = started();
    first.socket.isInPlace = false;
    const second = started();
    second.keep("b.example");
    const before = inode();
    first.renew({ upstreams: "" });
    expect([inode(), stateIn(file())]).toEqual([before, layout.STATE_LIVE]);
    expect(slotsIn(file()).map(({ name }) => name)).toEqual(["b.example"]);
    expect([first.socket.isLost, fs.readdirSync(directory)]).toEqual([true, ["cache.table"]]);
  });

  it("is left live and as it is by a stop", () => {
    const one = started();
    one.keep("a.example");
    one.stop();
    const before = file();
    one.keep("b.example");
    expect(file().equals(before)).toBe(true);
    expect(stateIn(before)).toBe(layout.STATE_LIVE);
  });
});

it("is made again, with all that is known, where somebody takes it away", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] });
  const one = started();
  one.keep("a.example");
  const last = held();
  fs.rmSync(tablePath);
  vi.advanceTimersByTime(250);
  expect([stateIn(last()), isHeaderAlone(file())]).toEqual([layout.STATE_RETIRED, true]);
  one.keep("b.example");
  await made();
  expect(
    slotsIn(file())
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["a.example", "b.example"]);
  expect(one.log).toEqual([
    `The table is not published, and hits go over the socket: somebody has taken ${tablePath} away`,
    "The table is published again",
  ]);
  one.stop();
  const off = started({}, false);
  fs.rmSync(tablePath);
  off.keep("a.example");
  vi.advanceTimersByTime(3000);
  expect(isHeaderAlone(file())).toBe(true);
});

describe("a renewal", () => {
  const VIEW = { upstreams: "udp 192.0.2.2:53", servers: SERVERS };
  const ENTRIES = 65_536; // 32 MiB: eight pieces, two turns' worth of sets to look at
  const names = (count: number, letter: string) => Array.from({ length: count }, (_, i) => `${letter}${i}.example`);
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it("has the header alone published at once, which lives until the table takes its place", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] });
    const one = started({ entries: ENTRIES });
    const last = held();
    one.renew(VIEW);
    expect(stateIn(last())).toBe(layout.STATE_RETIRED);
    expect([isHeaderAlone(file()), stateIn(file())]).toEqual([true, layout.STATE_LIVE]);
    expect(serversIn(file())).toEqual(SERVERS);
    const header = held();
    const beat = heartbeatIn(file());
    vi.advanceTimersByTime(250);
    expect(heartbeatIn(header())).toBe(beat + 250n);
    await made();
    expect([stateIn(header()), stateIn(file())]).toEqual([layout.STATE_RETIRED, layout.STATE_LIVE]);
    expect(heartbeatIn(file())).toBeGreaterThanOrEqual(beat + 250n);
    expect([fs.readdirSync(directory), one.log]).toEqual([["cache.table"], []]);
  });

  it("loses nothing that is kept meanwhile, in whichever turn of the loop", async () => {
    const one = started({ entries: ENTRIES });
    for (const name of names(2000, "o")) one.keep(name);
    one.renew(VIEW);
    let count = 0;
    for (; isHeaderAlone(file()); count++) {
      for (const name of names(5, `t${count}x`)) one.keep(name);
      one.keep("again.example", count);
      await turn();
    }
    expect(count).toBeGreaterThan(10);
    expect(one.wasm.usedCount()).toBeGreaterThan(count * 4);
    expect(file().equals(tableOf(one.wasm))).toBe(true);
    expect(file().includes("o1.example")).toBe(false);
    one.keep("after.example");
    expect(file().equals(tableOf(one.wasm))).toBe(true);
    one.wasm.check();
  });

  it("never writes or reads more than a little of the table in one turn of the loop", async () => {
    const one = started({ entries: ENTRIES });
    for (const name of names(20_000, "o")) one.keep(name);
    const image = one.wasm.image;
    let [written, most] = [0, 0];
    let isCounting = true;
    const count = () => {
      most = Math.max(most, written);
      written = 0;
      if (isCounting) setImmediate(count);
    };
    const write = fs.writeSync;
    vi.spyOn(fs, "writeSync").mockImplementation(((...args: unknown[]) => {
      written += args[3] as number;
      return (write as (...all: unknown[]) => number)(...args);
    }) as typeof fs.writeSync);
    let walked = 0;
    const fill = image.fill.bind(image) as (...all: unknown[]) => Buffer;
    vi.spyOn(image, "fill").mockImplementation(((...args: unknown[]) => {
      walked += (args[2] as number) - (args[1] as number);
      return fill(...args);
    }) as typeof image.fill);
    vi.spyOn(image, "compare").mockImplementation(() => {
      throw new Error("the image is not walked");
    });
    setImmediate(count);
    one.renew(VIEW);
    for (let i = 0; isHeaderAlone(file()); i++) {
      for (const name of names(200, `t${i}x`)) one.keep(name);
      await turn();
    }
    isCounting = false;
    expect(most).toBeLessThanOrEqual((TURN_SETS_WRITTEN + 2 * 200) * layout.SET_BYTES + 2 * layout.HEADER_BYTES);
    expect(walked).toBeLessThan(layout.HEADER_BYTES);
  });

  it("never looks at more than some sets in one turn of the loop, also where none is in use", async () => {
    const one = started({ entries: ENTRIES });
    const seen = new Map<number, number>();
    let turns = 0;
    vi.spyOn(one.wasm, "isUsed").mockImplementation(() => {
      seen.set(turns, (seen.get(turns) ?? 0) + 1);
      return 0;
    });
    one.renew(VIEW);
    for (; isHeaderAlone(file()); turns++) await turn();
    expect([...seen.values()]).toEqual(Array(one.wasm.setCount / TURN_SETS_SEEN).fill(TURN_SETS_SEEN));
  });

  it("amid another one begins anew, and leaves nothing of the first", async () => {
    const one = started({ entries: ENTRIES });
    for (const upstreams of ["one", "two", "three"]) {
      one.renew({ upstreams });
      one.keep(`${upstreams}.example`);
      await turn();
    }
    await made();
    expect(slotsIn(file()).map(({ name }) => name)).toEqual(["three.example"]);
    expect(file().equals(tableOf(one.wasm))).toBe(true);
    await vi.waitFor(() => expect(fs.readdirSync(directory)).toEqual(["cache.table"]));
  });

  it("that a stop ends leaves nothing but the header", async () => {
    const one = started({ entries: ENTRIES });
    one.renew(VIEW);
    await turn();
    one.stop();
    const before = file();
    await vi.waitFor(() => expect(openTables()).toEqual([]), { timeout: 30_000 });
    expect(isHeaderAlone(before)).toBe(true);
    expect([fs.readdirSync(directory), file().equals(before)]).toEqual([["cache.table"], true]);
  });

  const openTables = () =>
    fs
      .readdirSync("/proc/self/fd")
      .map((each) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${each}`);
        } catch {
          return "";
        }
      })
      .filter((each) => each.startsWith(directory));

  it("puts nothing in the place of a server that came meanwhile", async () => {
    const first = started({ entries: ENTRIES });
    first.renew(VIEW);
    first.socket.isInPlace = false;
    const second = started({ entries: 16 });
    second.keep("b.example");
    await vi.waitFor(() => expect(first.socket.isLost).toBe(true), { timeout: 30_000 });
    expect(file().equals(second.wasm.image)).toBe(true);
    await vi.waitFor(() => expect(fs.readdirSync(directory)).toEqual(["cache.table"]), { timeout: 30_000 });
  });

  describe("that finds no room", () => {
    const full = (() => ({ blocks: 100, bavail: 2, bsize: 4096 })) as unknown as typeof fs.statfsSync;
    const NO_ROOM = (bytes: number) =>
      `The table is not published, and hits go over the socket: no room on the volume for ${bytes} bytes`;

    it("goes on with the header alone, and makes the table when there is room, with all that is known by then", async () => {
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] });
      const one = started();
      const noRoom = vi.spyOn(fs, "statfsSync").mockImplementation(full);
      one.renew(VIEW);
      one.keep("a.example");
      vi.advanceTimersByTime(100_000);
      expect([isHeaderAlone(file()), heartbeatIn(file())]).toEqual([true, BigInt(Math.floor(nowMs()))]);
      expect(noRoom.mock.calls.length).toBeGreaterThan(3);
      expect(noRoom.mock.calls.length).toBeLessThan(10); // after 2 s, then twice as long each time
      noRoom.mockRestore();
      vi.advanceTimersByTime(60_000);
      await made();
      expect(slotsIn(file()).map(({ name }) => name)).toEqual(["a.example"]);
      expect(one.log).toEqual([NO_ROOM(one.wasm.image.length), "The table is published again"]);
    });

    it("knows a volume without a limit by its size of 0", async () => {
      const one = started();
      vi.spyOn(fs, "statfsSync").mockImplementation((() => ({ blocks: 0, bavail: 0, bsize: 4096 })) as never);
      one.renew(VIEW);
      await made();
      expect(one.log).toEqual([]);
    });

    it.each<[string, () => void]>([
      [
        "while the file is filled",
        () =>
          void vi.spyOn(fs, "write").mockImplementationOnce(((...args: unknown[]) => {
            process.nextTick(args.at(-1) as () => void, new Error("ENOSPC: no space left on device, write"));
          }) as never),
      ],
      [
        "while sets are copied",
        () => {
          const write = fs.writeSync;
          vi.spyOn(fs, "writeSync").mockImplementation(((...args: unknown[]) => {
            if (args[3] !== layout.SET_BYTES || args[4] === 0) return (write as (...all: unknown[]) => number)(...args);
            throw new Error("ENOSPC: no space left on device, write");
          }) as typeof fs.writeSync);
        },
      ],
    ])("%s tries it again later", async (_when, breakIt) => {
      const one = started();
      breakIt();
      one.renew(VIEW);
      one.keep("a.example");
      await vi.waitFor(() => expect(one.log).toHaveLength(1), { timeout: 30_000 });
      expect([isHeaderAlone(file()), fs.readdirSync(directory)]).toEqual([true, ["cache.table"]]);
      vi.restoreAllMocks();
      await made();
      expect(slotsIn(file()).map(({ name }) => name)).toEqual(["a.example"]);
      expect(one.log).toEqual([
        "The table is not published, and hits go over the socket: ENOSPC: no space left on device, write",
        "The table is published again",
      ]);
    });
  });
});

it("goes on without the file, and leaves it alone, once dns.sock is not its own any more", () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] });
  const first = started();
  first.keep("a.example");
  first.socket.isInPlace = false;
  const second = started();
  second.keep("b.example");
  vi.advanceTimersByTime(250);
  first.keep("c.example");
  second.keep("d.example");
  vi.advanceTimersByTime(1000);
  expect(file().equals(second.wasm.image)).toBe(true);
  const names = slotsIn(file()).map(({ name }) => name);
  expect(names.sort()).toEqual(["a.example", "b.example", "d.example"]);
  expect(stateIn(file())).toBe(layout.STATE_LIVE);
  expect(first.finds("c.example")).toBe(true);
  expect([first.socket.isLost, second.socket.isLost]).toEqual([true, false]);
});

describe("a header alone, where the table is switched off", () => {
  const options = { servers: SERVERS, denialsAreFinal: true };

  it("says whom the server asks and that it lives, and holds no name", () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] });
    const off = started(options, false);
    off.keep("a.example");
    vi.advanceTimersByTime(250);
    expect(isHeaderAlone(file())).toBe(true);
    expect([stateIn(file()), flagsIn(file())]).toEqual([layout.STATE_LIVE, layout.HEADER_FLAG_DENIALS_FINAL]);
    expect(serversIn(file())).toEqual(SERVERS);
    expect(heartbeatIn(file())).toBe(BigInt(Math.floor(nowMs())));
    expect(file().includes("example")).toBe(false);
    expect([off.log, off.finds("a.example"), off.counters.published]).toEqual([[], true, 0]);
    expect(fs.readdirSync(directory)).toEqual(["cache.table"]);
  });

  it("takes the last table's place, which is retired, and gives way to a table", () => {
    const first = started();
    first.keep("a.example");
    first.stop();
    const lasts = [held()];
    const off = started({}, false);
    expect(isHeaderAlone(file())).toBe(true);
    expect(off.finds("a.example")).toBe(false);
    off.keep("b.example");
    off.stop();
    lasts.push(held());
    const again = started({}, false);
    expect(isHeaderAlone(file())).toBe(true);
    again.stop();
    lasts.push(held());
    const on = started();
    on.keep("c.example");
    expect(file().equals(on.wasm.image)).toBe(true);
    expect(["a.example", "b.example", "c.example"].map(on.finds)).toEqual([false, false, true]);
    expect(on.log).toEqual(["Set the last table aside: it has another number of entries"]);
    expect(lasts.map((last) => stateIn(last()))).toEqual(Array(3).fill(layout.STATE_RETIRED));
  });

  it("is another one when the view changes", () => {
    const off = started(options, false);
    const last = held();
    off.renew({ upstreams: "udp 192.0.2.2:53", servers: Buffer.alloc(layout.SERVER_BYTES, 2) });
    expect(isHeaderAlone(file())).toBe(true);
    expect([serversIn(last()), serversIn(file())]).toEqual([SERVERS, Buffer.alloc(layout.SERVER_BYTES, 2)]);
    expect([stateIn(last()), stateIn(file())]).toEqual([layout.STATE_RETIRED, layout.STATE_LIVE]);
    expect(flagsIn(file())).toBe(layout.HEADER_FLAG_DENIALS_FINAL);
  });
});

describe("a start", () => {
  it.each([true, false])(
    "goes on in the same file though denials are final by now, or are not: %s",
    (denialsAreFinal) => {
      const first = started({ denialsAreFinal: !denialsAreFinal });
      first.keep("a.example");
      first.stop();
      const before = inode();
      const second = started({ denialsAreFinal });
      expect([inode(), second.finds("a.example")]).toEqual([before, true]);
      expect(flagsIn(file())).toBe(denialsAreFinal ? layout.HEADER_FLAG_DENIALS_FINAL : 0);
      expect(file().equals(second.wasm.image)).toBe(true);
    },
  );

  it("goes on in the same file with what the last server kept", () => {
    const first = started();
    first.keep("a.example");
    first.stop(); // or is killed: it writes nothing in its end
    const before = inode();
    const second = started();
    expect(inode()).toBe(before);
    expect(second.finds("a.example")).toBe(true);
    expect(second.log).toEqual(["Went on with 1 entries of the last table"]);
    for (const at of [layout.HEADER_SEED_A, layout.HEADER_SEED_B, layout.HEADER_EPOCH]) {
      expect(second.wasm.image.readBigUInt64LE(at)).toBe(first.wasm.image.readBigUInt64LE(at));
    }
    second.keep("b.example");
    expect(file().equals(second.wasm.image)).toBe(true);
    second.wasm.check();
  });

  it("goes on with every entry of a table that is read in several pieces, and no damaged one", () => {
    const first = started({ entries: 9000 });
    const names = Array.from({ length: 500 }, (_, i) => `n${i}.example`);
    for (const name of names) first.keep(name);
    first.stop();
    const damaged = file();
    const last = (slotsIn(damaged).at(-1)?.at ?? 0) + layout.RECORD_NAMES;
    damaged.writeUInt8(damaged.readUInt8(last) ^ 1, last);
    fs.writeFileSync(tablePath, damaged);
    const second = started({ entries: 9000 });
    expect(last).toBeGreaterThan(4 * 1024 * 1024);
    expect(second.wasm.usedCount()).toBe(499);
    expect(names.filter(second.finds)).toHaveLength(499);
    expect(file().equals(second.wasm.image)).toBe(true);
    second.wasm.check();
  });

  it("publishes again what it had to empty", () => {
    const first = started();
    first.keep("a.example");
    first.stop();
    const damaged = file();
    const name = (slotsIn(damaged)[0]?.at ?? 0) + layout.RECORD_NAMES;
    damaged.writeUInt8(damaged.readUInt8(name) ^ 1, name);
    fs.writeFileSync(tablePath, damaged);
    const second = started();
    expect(second.finds("a.example")).toBe(false);
    expect(file().equals(second.wasm.image)).toBe(true);
    expect(second.log).toEqual(["Went on with 0 entries of the last table"]);
  });

  const realTime = (aheadMs: bigint) => (bytes: Buffer) => {
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(layout.HEADER_REAL_MS) + aheadMs, layout.HEADER_REAL_MS);
    return bytes;
  };
  it.each([
    ["set back", 86_400_000n],
    ["corrected by little", -1000n],
  ])("goes on with the last file where the wall clock was %s meanwhile", (_what, aheadMs) => {
    const first = started();
    first.keep("a.example");
    first.stop();
    fs.writeFileSync(tablePath, realTime(aheadMs)(file()));
    expect(started().finds("a.example")).toBe(true);
  });

  const header = (at: number, change: number) => (bytes: Buffer) => {
    bytes[at] = (bytes[at] as number) ^ change;
    return bytes;
  };
  it.each<[string, (bytes: Buffer) => Buffer, Partial<TableOptions>?]>([
    ["its header is damaged", header(layout.HEADER_MAGIC, 1)],
    ["its header is damaged", header(layout.HEADER_STATE + 4, 1)],
    ["its header is damaged", header(layout.HEADER_SERVER_COUNT, 1)],
    ["its header is damaged", header(layout.HEADER_SERVERS + 15, 1)],
    ["its header is damaged", header(layout.HEADER_BYTES - 1, 1)],
    ["its header is damaged", () => Buffer.alloc(0)],
    ["its header is damaged", () => Buffer.alloc(100)],
    ["it is of another layout", header(layout.HEADER_LAYOUT_VERSION, 3)],
    ["it is of another layout", header(layout.HEADER_HEADER_BYTES, 1)],
    ["it is of another layout", header(layout.HEADER_SET_BYTES, 1)],
    ["it is of another layout", header(layout.HEADER_SLOT_BYTES, 1)],
    ["it is of another layout", header(layout.HEADER_WAYS, 1)],
    ["it is of another boot", header(layout.HEADER_BOOT_ID + 15, 1)],
    ["it has another number of entries", (bytes) => bytes, { entries: 24 }],
    ["its answers are of other upstreams", (bytes) => bytes, { upstreams: "192.0.2.1, 192.0.2.2" }],
    ["it is retired", header(layout.HEADER_STATE, layout.STATE_LIVE ^ layout.STATE_RETIRED)],
    ["it is of another clock", header(layout.HEADER_HEARTBEAT_MS + 5, 0x80)],
    ["the machine slept or was restored since, or its clock was set", realTime(-3000n)],
    [
      "the machine slept or was restored since, or its clock was set",
      (bytes) => bytes.fill(0, layout.HEADER_REAL_MS, layout.HEADER_REAL_MS + 8),
    ],
    ["it has a wrong size", (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
    ["it has a wrong size", (bytes) => bytes.subarray(0, -layout.SET_BYTES)],
  ])("sets the last file aside where %s", (reason, damage, options) => {
    const first = started();
    first.keep("a.example");
    first.stop();
    fs.writeFileSync(tablePath, damage(file()));
    const last = held();
    const before = inode();
    const second = started(options);
    expect(second.log).toEqual([`Set the last table aside: ${reason}`]);
    expect(inode()).not.toBe(before);
    expect(stateIn(last())).toBe(layout.STATE_RETIRED);
    expect(second.finds("a.example")).toBe(false);
    expect(file().equals(second.wasm.image)).toBe(true);
    expect(fs.readdirSync(directory)).toEqual(["cache.table"]);
  });

  it("sets the last file aside where it is another user's: he can write into it", () => {
    const first = started();
    first.keep("a.example");
    first.stop();
    const before = inode();
    vi.spyOn(process, "geteuid").mockReturnValue((process.geteuid?.() as number) + 1);
    const second = started();
    expect(second.log).toEqual(["Set the last table aside: it is another user's"]);
    expect([second.finds("a.example"), inode() === before]).toEqual([false, false]);
  });

  it("makes the last file readable by all again, when it is its own", () => {
    started().stop();
    const mode = () => fs.statSync(tablePath).mode & 0o777;
    fs.chmodSync(tablePath, 0o600);
    const one = server();
    one.prepare();
    expect(mode()).toBe(0o600);
    one.start();
    expect(mode()).toBe(0o644);
  });

  it.each<[string, Partial<TableOptions>, boolean]>([
    ["goes on with the last table", {}, true],
    ["makes a new one", { upstreams: "192.0.2.9" }, true],
    ["publishes its header alone", {}, false],
  ])("that is lost leaves no trace, where it %s", (_what, options, isOn) => {
    const first = started();
    first.keep("a.example");
    const [bytes, number] = [file(), inode()];
    const loser = server(options, isOn);
    loser.prepare();
    expect(file().equals(bytes)).toBe(true);
    loser.stop();
    loser.start();
    expect(file().equals(bytes)).toBe(true);
    expect(inode()).toBe(number);
    expect(fs.readdirSync(directory)).toEqual(["cache.table"]);
    expect(loser.log).toEqual([]);
  });

  it("reads again where another server has come and gone since", () => {
    started().stop();
    const [brief, late] = [server(), server()];
    late.prepare();
    brief.prepare();
    nextMillisecond();
    brief.start();
    brief.keep("a.example");
    brief.stop();
    late.start();
    expect(late.finds("a.example")).toBe(true);
    expect(file().equals(late.wasm.image)).toBe(true);
  });

  it("has nothing of what it read before that the other server has taken out since", () => {
    const first = started();
    first.keep("a.example");
    first.stop();
    const [brief, late] = [server(), server()];
    late.prepare();
    brief.prepare();
    nextMillisecond();
    brief.start();
    brief.keep("a.example", 1, 1, 0);
    brief.stop();
    late.start();
    expect([late.finds("a.example"), late.wasm.usedCount()]).toEqual([false, 0]);
    expect(file().equals(late.wasm.image)).toBe(true);
    late.wasm.check();
  });

  it("makes a new file where the last one has been removed since it was read", () => {
    started().stop();
    const late = server();
    late.prepare();
    fs.rmSync(tablePath);
    late.start();
    late.keep("a.example");
    expect(file().equals(late.wasm.image)).toBe(true);
    late.wasm.check();
  });

  it("forgets what it has read where another server has put its own table there since", () => {
    const first = started();
    first.keep("a.example");
    first.stop();
    const [brief, late] = [server({ upstreams: "192.0.2.9" }), server()];
    late.prepare();
    brief.prepare();
    brief.start();
    brief.stop();
    const last = held();
    late.start();
    expect(late.log).toEqual(["Set the last table aside: its answers are of other upstreams"]);
    expect([late.finds("a.example"), late.wasm.usedCount()]).toEqual([false, 0]);
    const epoch = (bytes: Buffer) => bytes.readBigUInt64LE(layout.HEADER_EPOCH);
    expect([epoch(first.wasm.image), epoch(last())]).not.toContain(epoch(file()));
    late.keep("b.example");
    late.wasm.check();
    expect(file().equals(tableOf(late.wasm))).toBe(true);
    expect(stateIn(last())).toBe(layout.STATE_RETIRED);
  });

  it.each([
    ["a directory", () => fs.mkdirSync(tablePath), /Set the last table aside: it cannot be read: EISDIR/],
    ["a link", () => fs.symlinkSync("/dev/null", tablePath), /Set the last table aside: it cannot be read: ELOOP/],
  ])("takes the table to be lost where its name is that of %s", (what, make, line) => {
    make();
    const one = started();
    one.keep("a.example");
    expect(one.log[0]).toMatch(line);
    expect(one.finds("a.example")).toBe(true);
    if (what === "a link") expect(file().equals(one.wasm.image)).toBe(true);
    else
      expect(one.log[1]).toMatch(/^The table is not published, and hits go over the socket: .*; the last one cannot/);
    expect(fs.readdirSync(directory)).toEqual(["cache.table"]);
  });
});

describe("a write that fails", () => {
  const full = () => {
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  };
  it.each<[string, (one: ReturnType<typeof server>) => void]>([
    ["of a slot", (one) => void one.keep("b.example")],
    ["of the heartbeat", () => void vi.advanceTimersByTime(250)],
  ])("%s ends the table, not the server, and the header alone takes its place", (_what, write) => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] });
    const one = started();
    one.keep("a.example");
    const last = held();
    vi.spyOn(fs, "writeSync").mockImplementationOnce(full);
    write(one);
    expect(stateIn(last())).toBe(layout.STATE_RETIRED);
    expect(fs.readdirSync(directory)).toEqual(["cache.table"]);
    const before = last();
    vi.advanceTimersByTime(1000);
    one.keep("c.example");
    expect(last().equals(before)).toBe(true);
    expect(one.finds("c.example")).toBe(true);
    expect([isHeaderAlone(file()), stateIn(file())]).toEqual([true, layout.STATE_LIVE]);
    expect(heartbeatIn(file())).toBe(BigInt(Math.floor(nowMs())));
    expect(one.log).toEqual([
      "The table is not published, and hits go over the socket: ENOSPC: no space left on device, write",
    ]);
    expect(one.counters.publishFailures).toBe(1);
  });

  it("takes the file away even where it cannot be retired either, nor a header be written", () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] });
    const one = started();
    vi.spyOn(fs, "writeSync").mockImplementation(full);
    one.keep("a.example");
    one.keep("b.example");
    expect(fs.readdirSync(directory)).toEqual([]);
    vi.restoreAllMocks();
    vi.advanceTimersByTime(1000);
    expect(fs.readdirSync(directory)).toEqual([]);
    expect(new Set(one.log).size).toBe(1);
  });

  it("has the header alone as soon as there is room for that, and the table when there is for it", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] });
    const one = started();
    vi.spyOn(fs, "writeSync").mockImplementation(full);
    one.keep("a.example");
    expect(fs.readdirSync(directory)).toEqual([]);
    vi.restoreAllMocks();
    vi.spyOn(fs, "statfsSync").mockReturnValue({ blocks: 100, bavail: 2, bsize: 4096 } as fs.StatsFs);
    vi.advanceTimersByTime(2500);
    expect(isHeaderAlone(file())).toBe(true);
    vi.restoreAllMocks();
    vi.advanceTimersByTime(10_000);
    await made();
    expect(slotsIn(file()).map(({ name }) => name)).toEqual(["a.example"]);
    expect(one.log).toEqual([
      "The table is not published, and hits go over the socket: ENOSPC: no space left on device, write",
      `The table is not published, and hits go over the socket: no room on the volume for ${one.wasm.image.length} bytes`,
      "The table is published again",
    ]);
  });

  it("of a header alone ends it", () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] });
    const one = started({}, false);
    vi.spyOn(fs, "writeSync").mockImplementationOnce(full);
    vi.advanceTimersByTime(1000);
    expect(fs.readdirSync(directory)).toEqual([]);
    expect(one.log).toHaveLength(1);
  });

  it("puts nothing in the place of another server's file", () => {
    const one = started();
    one.socket.isInPlace = false;
    fs.rmSync(tablePath);
    fs.writeFileSync(tablePath, "another");
    vi.spyOn(fs, "writeSync").mockImplementationOnce(full);
    one.keep("a.example");
    expect(file().toString()).toBe("another");
  });

  it("is none where only its first part was written at once", () => {
    const one = started();
    const whole = fs.writeSync;
    const part = (file: number, from: Buffer, at: number, _bytes: number, to: number) => whole(file, from, at, 100, to);
    vi.spyOn(fs, "writeSync").mockImplementationOnce(part as typeof fs.writeSync);
    one.keep("a.example");
    expect(file().equals(one.wasm.image)).toBe(true);
    expect(one.counters.publishFailures).toBe(0);
  });
});

describe("where nobody can tell which boot this is", () => {
  it("there is no file, and not the last one either; the server goes on over the socket", () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "hrtime"] });
    started().stop();
    const last = held();
    const one = server();
    one.stop();
    one.wasm.image.fill(0, layout.HEADER_BOOT_ID, layout.HEADER_BOOT_ID + layout.BOOT_ID_BYTES);
    const publisher = one.again();
    publisher.prepare();
    publisher.start();
    one.keep("a.example");
    vi.advanceTimersByTime(100_000);
    publisher.renew({ upstreams: "" });
    vi.advanceTimersByTime(100_000);
    expect([stateIn(last()), fs.readdirSync(directory)]).toEqual([layout.STATE_RETIRED, []]);
    expect(one.log).toEqual([
      "The table is not published, and hits go over the socket: /proc/sys/kernel/random/boot_id cannot be read",
    ]);
  });
});

describe.skipIf(sandboxMissing())("a volume that is too small", () => {
  let box: Sandbox;
  beforeEach(async () => {
    box = await sandbox();
  });
  afterEach(() => box.close());

  it("has the header alone, no left-over and not the last table either; the server goes on over the socket", async () => {
    const prepare = `mount -t tmpfs -o size=640k tmpfs ${directory} && printf old > ${tablePath} && df ${directory}`;
    expect((await box.run(["sh", "-c", prepare])).code).toBe(0);
    const running = await box.start([process.execPath, "dist/server.js"], {
      cwd: process.cwd(),
      env: { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: "127.0.0.9", DNS_CACHE_CONTROL: "off" },
      ready: /Listening/,
    });
    expect(running.stdout()).toContain("The table is not published, and hits go over the socket: ENOSPC");
    const listed = await box.run(["ls", "-A", directory]);
    expect(listed.stdout.split("\n").filter(Boolean).sort()).toEqual([
      "cache.table",
      "client.so",
      "dns.sock",
      "doctor",
    ]);
    expect((await box.run(["stat", "-c", "%s", tablePath])).stdout).toBe(`${layout.HEADER_BYTES}\n`);
    await running.stop();
  });

  it("has the table as soon as there is room, with what is known by then", async () => {
    const size = async () => Number((await box.run(["stat", "-c", "%s", tablePath])).stdout);
    const prepare = `mount -t tmpfs -o size=2m tmpfs ${directory} && fallocate -l 1m ${directory}/other`;
    expect((await box.run(["sh", "-c", prepare])).code).toBe(0);
    const zone = JSON.stringify({ "www.example": { A: ["192.0.2.1"] } });
    await box.startModule("test/support/zoneUpstream.ts", ["127.0.0.5", zone], { ready: /ready/ });
    const running = await box.start([process.execPath, "dist/server.js"], {
      cwd: process.cwd(),
      env: { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: "127.0.0.5", DNS_CACHE_ENTRIES: "2048" },
      ready: /Listening/,
    });
    expect(running.stdout()).toContain("The table is not published");
    const ask = `require("net").connect("${directory}/dns.sock").on("data", (data) => process.stdout.write(data)).end("www.example\\n")`;
    expect((await box.run([process.execPath, "-e", ask])).stdout).toBe("192.0.2.1\n");
    expect(await size()).toBe(layout.HEADER_BYTES);
    await box.run(["rm", `${directory}/other`]);
    await running.wrote(/The table is published again/);
    expect(await size()).toBe(layout.HEADER_BYTES + 256 * layout.SET_BYTES);
    // The masked record: of an empty table all behind the header is zero.
    const inUse = `cmp -s -i ${layout.HEADER_BYTES}:0 ${tablePath} /dev/zero -n ${256 * layout.SET_BYTES}`;
    expect((await box.run(["sh", "-c", inUse])).code).toBe(1);
    await running.stop();
  });
});
