// The main thread's part of the HTTP side: starts its thread, gives it numbers when it asks, and starts it again, after waits
// that grow, when it has ended by a fault or hangs. Whatever it does, lookups go on.
import { Worker } from "node:worker_threads";
import { nowMs } from "../clock.ts";
import type { Log } from "../log.ts";
import { removeSocket } from "../place/socketfile.ts";
import type { HttpAddress } from "../settings/config.ts";
import type { Control } from "./control.ts";
import { beatMain, createBeats, type SideData, type ToMain, workerBeats } from "./sidemessages.ts";

export interface Side {
  /** Takes control.sock away. */
  close(): void;
}

export interface SideOptions {
  /** dist/operate.js */
  readonly workerFile: URL;
  readonly http: HttpAddress | undefined;
  readonly areNamesShown: boolean;
  readonly controlPath: string | undefined;
  /** For one question to the servers. */
  readonly timeoutMs: number;
  readonly isListening: () => boolean;
  readonly control: Control;
  readonly log: Log;
  readonly firstWaitMs?: number;
}

// Its own objects are few: the rest is room for what is being answered.
const RESOURCES = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8, stackSizeMb: 1 };
const BEAT_MS = 500;
const HUNG_BEATS = 60;
const WAIT_FIRST_MS = 1000;
const WAIT_MAX_MS = 60_000;
const LASTED_MS = 60_000; // so long that its next fault is another one
const ANSWER_MS = 5000; // beside what servers take

export function createSide(options: SideOptions): Side {
  const { http, controlPath, areNamesShown, control, log, firstWaitMs = WAIT_FIRST_MS } = options;
  if (http === undefined && controlPath === undefined) return { close: () => undefined };
  const beats = createBeats();
  let worker: Worker | undefined;
  let controlInode: bigint | undefined;
  let restarts = 0;
  let waitMs = firstWaitMs;
  let isClosed = false;
  let lastBeats = 0n;
  let silentBeats = 0;
  start();
  beat();
  const beating = setInterval(beat, BEAT_MS);
  beating.unref();

  function start(): void {
    if (isClosed) return;
    const patienceMs = options.timeoutMs + ANSWER_MS;
    const data: SideData = { http, controlPath, areNamesShown, patienceMs, restarts, beats };
    const startedAtMs = nowMs();
    silentBeats = 0;
    let fault = "it ended";
    const own = new Worker(options.workerFile, {
      workerData: data,
      resourceLimits: RESOURCES,
      env: {},
      execArgv: [],
      name: "operate",
    });
    worker = own;
    own.unref();
    own.on("message", (message: ToMain) => void hear(own, message));
    own.on("error", (error) => {
      fault = String((error as Error).message ?? error);
    });
    own.on("exit", () => {
      if (isClosed) return;
      if (nowMs() - startedAtMs >= LASTED_MS) waitMs = firstWaitMs;
      log.sideEnded(fault, waitMs / 1000);
      setTimeout(start, waitMs).unref();
      restarts++;
      waitMs = Math.min(2 * waitMs, WAIT_MAX_MS);
    });
  }

  async function hear(from: Worker, message: ToMain): Promise<void> {
    if ("asking" in message) {
      const answer = await control.answer(message.asking);
      from.postMessage({ id: message.id, answer });
    } else if ("refused" in message) {
      log.doorRefused(message.door === "tcp" ? "DNS_CACHE_HTTP" : "DNS_CACHE_CONTROL", message.refused);
    } else {
      if (message.door === "control") controlInode = message.opened.inode;
      log.doorOpened(message.opened.where);
    }
  }

  /** A count of beats, and no time: after a standstill of the whole machine both threads are late. */
  function beat(): void {
    beatMain(beats, options.isListening(), nowMs());
    const now = workerBeats(beats);
    silentBeats = now === lastBeats ? silentBeats + 1 : 0;
    lastBeats = now;
    if (silentBeats !== HUNG_BEATS) return;
    silentBeats = 0;
    void worker?.terminate();
  }

  return {
    close() {
      isClosed = true;
      clearInterval(beating);
      if (controlPath !== undefined && controlInode !== undefined) removeSocket(controlPath, controlInode);
      void worker?.terminate();
    },
  };
}
