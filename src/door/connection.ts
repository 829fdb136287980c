// One connection to dns.sock: frames, or lines of text, are taken and answered one after the other.
import type net from "node:net";
import { FRAME_HEADER_BYTES, QUESTION_FRAME_BYTES_MAX } from "../../assembly/layout.ts";
import { nowMs } from "../clock.ts";
import { LINE_BYTES_MAX } from "./textline.ts";
import { inTurn } from "./turns.ts";

/** What to write back, nothing perhaps. `last`: the connection ends with it. */
export interface Response {
  readonly bytes: Buffer | string;
  readonly last?: boolean;
}
export interface Responder {
  /** Length of the frame that starts here, where that is known already. */
  frameLength(bytes: Buffer): number | undefined | "malformed";
  respondToFrame(frame: Buffer, write: (bytes: Buffer) => void): Response | Promise<Response>;
  respondToLine(line: string): Response | Promise<Response>;
  respondToMalformed(): Response;
  /** To who has been given up for others' sake. */
  respondToBusy(): Response;
}

export interface Connection {
  /** A question of it is under way. */
  isBusy(): boolean;
  /** How long nothing has changed: since that was put, or the client sent something, or an answer went out. */
  sinceMs(): number;
  /** Takes nothing more; ends when the question under way, if there is one, has been answered. */
  close(): void;
  /** Ends at once. */
  drop(): void;
  /** Ends at once too: whoever waits for an answer is refused it. */
  giveUp(): void;
}

const NEWLINE = 0x0a;

/** @param onActive is called whenever the client has sent something */
export function serveConnection(
  socket: net.Socket,
  responder: Responder,
  idleMs: number,
  onActive: () => void,
): Connection {
  let received: Buffer = Buffer.alloc(0);
  let hasEnded = false;
  let isBusy = false;
  let sinceMs = nowMs();
  let isText = false; // what it asked last
  let isClosing = false;
  let isInTurn = false;

  socket.setTimeout(idleMs, () => {
    if (!isBusy) socket.destroy();
  });
  socket.on("error", () => socket.destroy());
  socket.on("end", () => {
    hasEnded = true;
    advance();
  });
  socket.on("drain", advance);
  socket.on("data", (chunk) => {
    if (isClosing) return;
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    if (!isBusy) sinceMs = nowMs();
    onActive();
    advance();
  });
  return {
    isBusy: () => isBusy,
    sinceMs: () => sinceMs,
    close,
    drop: () => void socket.destroy(),
    giveUp() {
      if (!isText) socket.write(responder.respondToBusy().bytes);
      socket.end(() => socket.destroy());
    },
  };

  function close(): void {
    received = Buffer.alloc(0);
    isClosing = true;
    if (!isBusy) socket.destroySoon();
  }

  /**
   * Answers that the client does not fetch are waited for before more are made: a client costs one answer at most. What it
   * sends beyond one frame is answered in turn with others.
   */
  function advance(): void {
    if (!isBusy && !isInTurn && !isClosing && !socket.destroyed && !socket.writableNeedDrain) {
      const response = respondToNext();
      if (response instanceof Promise) {
        isBusy = true;
        sinceMs = nowMs();
        void response.then((late) => {
          isBusy = false;
          answer(late);
          if (isClosing) socket.destroySoon();
          else advance();
        });
      } else if (response !== undefined) answer(response);
    }
    if (isInTurn || received.length > QUESTION_FRAME_BYTES_MAX) socket.pause();
    else socket.resume();
    if (hasEnded && !isBusy && !isInTurn && !socket.writableNeedDrain) socket.destroySoon();
  }

  function answer(response: Response): void {
    sinceMs = nowMs();
    write(response);
    if (received.length === 0) return;
    isInTurn = true;
    inTurn(() => {
      isInTurn = false;
      advance();
    });
  }

  function write({ bytes, last }: Response): void {
    if (socket.destroyed || socket.writableEnded) return;
    if (bytes.length > 0) socket.write(bytes);
    if (last) close();
  }

  /** Undefined until a whole frame or line is there. */
  function respondToNext(): Response | Promise<Response> | undefined {
    if (received.length === 0) return undefined;
    isText = received[0] !== 0;
    return isText ? respondToNextLine() : respondToNextFrame();
  }

  function respondToNextFrame(): Response | Promise<Response> | undefined {
    const length = responder.frameLength(received);
    if (length === "malformed") return responder.respondToMalformed();
    if (length === undefined || received.length < Math.max(length, FRAME_HEADER_BYTES)) return undefined;
    return responder.respondToFrame(take(length), (bytes) => write({ bytes }));
  }

  function respondToNextLine(): Response | Promise<Response> | undefined {
    const newline = received.subarray(0, LINE_BYTES_MAX).indexOf(NEWLINE);
    if (newline < 0 && received.length >= LINE_BYTES_MAX) return responder.respondToMalformed();
    if (newline < 0 && !hasEnded) return undefined;
    const line = take(newline < 0 ? received.length : newline + 1);
    return responder.respondToLine(line.toString("latin1").trimEnd());
  }

  function take(length: number): Buffer {
    const taken = received.subarray(0, length);
    received = received.subarray(length);
    return taken;
  }
}
