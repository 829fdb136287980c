// Frames as a client writes and reads them, made here from assembly/layout.ts alone: the server's codec is not used.
import net from "node:net";
import * as layout from "../../assembly/layout.ts";

export function questionFrame(names: readonly string[], families = layout.FAMILY_A): Buffer {
  const encoded = names.map((name) => Buffer.concat([Buffer.from([name.length]), Buffer.from(name, "latin1")]));
  const body = Buffer.concat([Buffer.from([families, names.length, 0, 0]), ...encoded]);
  return frame(layout.KIND_QUESTION, body);
}

export function frame(kind: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(layout.FRAME_HEADER_BYTES);
  header.writeUInt32BE(header.length + body.length, layout.FRAME_LENGTH);
  header.writeUInt8(layout.FRAME_VERSION, layout.FRAME_VERSION_AT);
  header.writeUInt8(kind, layout.FRAME_KIND);
  return Buffer.concat([header, body]);
}

export interface Use {
  slot: number;
  nonce: number;
  hits: number;
}

/** A touch or a report of hits; `epoch` is 8 bytes of the table's header. */
export function useFrame(kind: number, epoch: Uint8Array, uses: readonly Use[]): Buffer {
  const entries = uses.map(({ slot, nonce, hits }) => {
    const entry = Buffer.alloc(layout.USE_ENTRY_BYTES);
    entry.writeUInt32BE(slot, layout.USE_SLOT);
    entry.writeUInt16BE(nonce, layout.USE_NONCE);
    entry.writeUInt16BE(hits, layout.USE_HITS);
    return entry;
  });
  return frame(kind, Buffer.concat([epoch, ...entries]));
}

/** The whole frames at the start of `bytes`. */
export function framesIn(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (at + length > bytes.length) break;
    frames.push(bytes.subarray(at, at + length));
    at += length;
  }
  return frames;
}

export const kindOf = (bytes: Buffer): number | undefined => bytes[layout.FRAME_KIND];

/** The records of an answer frame. */
export function recordsOf(answer: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = layout.ANSWER_RECORDS; at < answer.length; ) {
    const length = answer.readUInt16LE(at + layout.RECORD_LENGTH);
    records.push(answer.subarray(at, at + length));
    at += length;
  }
  return records;
}

export interface RawClient {
  readonly socket: net.Socket;
  /** Resolves when the first `count` frames are there; rejects when the server closes before. */
  frames(count: number): Promise<Buffer[]>;
  /** All that came, once the server has closed. */
  ended(): Promise<Buffer>;
}

export function connectTo(socketPath: string): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path: socketPath, allowHalfOpen: true });
    let received = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      socket.emit("grown");
    });
    const end = new Promise<Buffer>((resolve) => {
      socket.on("end", () => resolve(received));
      socket.on("error", () => resolve(received));
    });
    const client: RawClient = {
      socket,
      frames: (count) =>
        new Promise((done, failed) => {
          const look = () => {
            const frames = framesIn(received);
            if (frames.length < count) return;
            socket.off("grown", look);
            done(frames.slice(0, count));
          };
          socket.on("grown", look);
          look();
          void end.then(() => failed(new Error(`the server closed after ${framesIn(received).length} frames`)));
        }),
      ended: () => end,
    };
    socket.once("error", reject);
    socket.once("connect", () => resolve(client));
  });
}

/** One question on a connection of its own; the answer frame. */
export async function askOnce(
  socketPath: string,
  names: readonly string[],
  families = layout.FAMILY_A,
): Promise<Buffer> {
  const client = await connectTo(socketPath);
  client.socket.write(questionFrame(names, families));
  try {
    for (let count = 1; ; count++) {
      const last = (await client.frames(count)).at(-1) as Buffer;
      if (kindOf(last) !== layout.KIND_PENDING) return last;
    }
  } finally {
    client.socket.destroy();
  }
}
