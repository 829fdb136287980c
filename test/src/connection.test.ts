import type net from "node:net";
import { Duplex } from "node:stream";
import { expect, it } from "vitest";
import { FRAME_HEADER_BYTES, KIND_HELLO, KIND_HITS } from "../../assembly/layout.ts";
import { type Responder, serveConnection } from "../../src/connection.ts";
import { frameLength } from "../../src/protocol.ts";
import { frame, kindOf } from "../support/frames.ts";

it("writes nothing, not even an empty chunk, for a frame that has no answer", async () => {
  const written: Buffer[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write(chunk, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  const socket = Object.assign(stream, { setTimeout: () => socket, destroySoon: () => stream.destroy() });
  const responder: Responder = {
    frameLength,
    respondToFrame: (bytes) => ({ bytes: kindOf(bytes) === KIND_HITS ? "" : bytes }),
    respondToLine: (line) => ({ bytes: line }),
    respondToMalformed: () => ({ bytes: "malformed" }),
  };
  serveConnection(socket as unknown as net.Socket, responder, 1000, () => undefined);
  stream.push(
    Buffer.concat([frame(KIND_HITS, Buffer.alloc(16)), frame(KIND_HELLO), frame(KIND_HITS, Buffer.alloc(16))]),
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(written.map((bytes) => bytes.length)).toEqual([FRAME_HEADER_BYTES]);
  stream.destroy();
});
