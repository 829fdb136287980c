import type net from "node:net";
import { Duplex } from "node:stream";
import { afterEach, describe, expect, it, vi } from "vitest";
import { FRAME_HEADER_BYTES, KIND_HELLO, KIND_HITS } from "../../../assembly/layout.ts";
import { type Responder, serveConnection } from "../../../src/door/connection.ts";
import { frameLength } from "../../../src/door/protocol.ts";
import { frame, kindOf } from "../../support/frames.ts";

const streams: Duplex[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const stream of streams.splice(0)) stream.destroy();
});

/** A connection whose client sends and fetches within this process. */
function connect(respondToFrame: Responder["respondToFrame"]) {
  const written: Buffer[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write(chunk, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  streams.push(stream);
  const socket = Object.assign(stream, { setTimeout: () => socket, destroySoon: () => stream.destroy() });
  const responder: Responder = {
    frameLength,
    respondToFrame,
    respondToLine: (line) => (line === "later" ? new Promise(() => undefined) : { bytes: line }),
    respondToMalformed: () => ({ bytes: "malformed", last: true }),
    respondToBusy: () => ({ bytes: "busy", last: true }),
  };
  const connection = serveConnection(socket as unknown as net.Socket, responder, 1000, () => undefined);
  return { written, stream, connection, send: (...frames: Buffer[]) => stream.push(Buffer.concat(frames)) };
}
const round = () => new Promise((resolve) => setImmediate(resolve));

it("writes nothing, not even an empty chunk, for a frame that has no answer", async () => {
  const answered: Array<number | undefined> = [];
  const { written, send } = connect((bytes) => {
    answered.push(kindOf(bytes));
    return { bytes: kindOf(bytes) === KIND_HITS ? "" : bytes };
  });
  send(frame(KIND_HITS, Buffer.alloc(16)), frame(KIND_HELLO), frame(KIND_HITS, Buffer.alloc(16)));
  while (answered.length < 3) await round();
  expect(answered).toEqual([KIND_HITS, KIND_HELLO, KIND_HITS]);
  expect(written.map((bytes) => bytes.length)).toEqual([FRAME_HEADER_BYTES]);
});

it("is busy while its question is under way, and refused an answer where it is given up: a person gets none", async () => {
  for (const [sent, refused] of [
    [frame(KIND_HELLO), ["busy"]],
    [Buffer.from("later\n"), []],
  ] as const) {
    const { written, stream, connection, send } = connect(() => new Promise(() => undefined));
    expect(connection.isBusy()).toBe(false);
    send(sent);
    await round();
    expect(connection.isBusy()).toBe(true);
    connection.giveUp();
    while (!stream.destroyed) await round();
    expect(written.map(String)).toEqual(refused);
  }
});

describe("clients that send much at once", () => {
  const FLOODS = 5;
  const FRAMES = 100;
  const HOW: Array<[string, boolean]> = [
    ["at once", false],
    ["late", true],
  ];
  const flood = Array.from({ length: FRAMES }, () => frame(KIND_HELLO));

  /** A server whose every frame takes as long as told; `answered` says for which client, in order. */
  function clock(frameMs: number) {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    const answered: string[] = [];
    const client = (name: string, isLate: boolean) =>
      connect((bytes) => {
        answered.push(name);
        now += frameMs;
        return isLate ? Promise.resolve({ bytes }) : { bytes };
      });
    return { answered, client };
  }

  it.each(HOW)(
    "are answered one frame before another client is, and the rest in turn, where answers are made %s",
    async (_how, isLate) => {
      const { answered, client } = clock(0.3);
      const floods = Array.from({ length: FLOODS }, (_, i) => client(`flood ${i}`, isLate));
      for (const { send } of floods) send(...flood);
      client("another", isLate).send(frame(KIND_HELLO));
      while (answered.length < FLOODS * FRAMES + 1) await round();
      const turn = floods.map((_, i) => `flood ${i}`);
      expect(answered.slice(0, FLOODS + 1)).toEqual([...turn, "another"]);
      expect(answered.slice(FLOODS + 1)).toEqual(
        Array(FRAMES - 1)
          .fill(turn)
          .flat(),
      );
      for (const { written } of floods) expect(Buffer.concat(written)).toEqual(Buffer.concat(flood));
    },
  );

  it.each(HOW)("take a millisecond of each round of the event loop, answered %s", async (_how, isLate) => {
    const { answered, client } = clock(0.3);
    for (let i = 0; i < FLOODS; i++) client(`flood ${i}`, isLate).send(...flood);
    await round();
    let before = answered.length;
    for (let i = 0; i < 10; i++) {
      await round();
      expect(answered.length - before).toBe(4); // the one during which the millisecond ends is the last
      before = answered.length;
    }
    client("another", isLate).send(frame(KIND_HELLO));
    await round();
    expect(answered.slice(before)).toContain("another");
    expect(answered.length).toBeLessThan(FLOODS * FRAMES);
  });

  it("lose nothing of it by having ended, and are ended by what is malformed in it", async () => {
    const { answered, client } = clock(0);
    const ended = client("ended", false);
    ended.send(...flood);
    ended.stream.push(null);
    const wrong = client("wrong", false);
    wrong.send(...flood.slice(1), Buffer.alloc(FRAME_HEADER_BYTES), ...flood);
    while (!ended.stream.destroyed || !wrong.stream.destroyed) await round();
    expect(Buffer.concat(ended.written)).toEqual(Buffer.concat(flood));
    expect(Buffer.concat(wrong.written)).toEqual(Buffer.concat([...flood.slice(1), Buffer.from("malformed")]));
    expect(answered).toHaveLength(2 * FRAMES - 1);
  });
});
