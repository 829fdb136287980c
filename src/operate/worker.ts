// The start list of the HTTP side: a thread of its own (dist/operate.js), of low priority and with a bounded heap, so that
// whatever is done to it, lookups go on. It gets copies of numbers from the main thread (asker.ts), answers over TCP and on
// control.sock (routes.ts, http.ts), and keeps its doors open (doors.ts). side.ts starts it, again if need be.
import fs from "node:fs";
import os from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { nowMs } from "../clock.ts";
import { createAsker, FLUSH_MS } from "./asker.ts";
import { controlDoor, keepOpen, tcpDoor } from "./doors.ts";
import { createExposition } from "./exposition.ts";
import { createHistory, HISTORY_EVERY_MS } from "./history.ts";
import { createHttpServer } from "./http.ts";
import { createRoutes } from "./routes.ts";
import { beatWorker, isMainLive, type SideData, type ToMain, type ToWorker } from "./sidemessages.ts";
import type { Door, SideState } from "./sidestate.ts";

const NICE = 10;
const BEAT_MS = 1000;
const IDLE_MS = 15_000; // beside the wait for what the servers are asked
const CONTROL_LIFE_MS = 300_000; // of somebody who may do everything anyway

const data = workerData as SideData;
const post = (message: ToMain) => parentPort?.postMessage(message);
giveWay();

const asker = createAsker({ post: (id, asking) => post({ id, asking }), nowMs, patienceMs: data.patienceMs });
const history = createHistory();
const answer = createRoutes({
  asker,
  exposition: createExposition(),
  history: history.samples,
  areNamesShown: data.areNamesShown,
  sideState,
  isLive: () => isMainLive(data.beats, nowMs()),
});
const controlLimits = { idleMs: IDLE_MS + Math.max(FLUSH_MS, data.patienceMs), lifeMs: CONTROL_LIFE_MS };
const hosts = [os.hostname(), ...(data.http ? [data.http.host] : [])];
const servers = {
  tcp: createHttpServer({ door: "tcp", answer, hosts }),
  control: createHttpServer({ door: "control", answer, hosts, limits: controlLimits }),
};
const doors = {
  tcp: data.http && keepOpen(tcpDoor(servers.tcp.server, data.http), (event) => post({ door: "tcp", ...event })),
  control:
    data.controlPath === undefined
      ? undefined
      : keepOpen(controlDoor(servers.control.server, data.controlPath), (event) => post({ door: "control", ...event })),
};

parentPort?.on("message", ({ id, answer }: ToWorker) => asker.answered(id, answer));
setInterval(() => beatWorker(data.beats), BEAT_MS);
setInterval(sample, HISTORY_EVERY_MS);
void sample();

async function sample(): Promise<void> {
  const seen = await asker.snapshot();
  if (seen !== undefined) history.add(seen.value);
}

function sideState(snapshotAgeMs: number): SideState {
  const ofEach = <T>(read: (door: Door) => T) => ({ tcp: read("tcp"), control: read("control") });
  return {
    snapshotAgeSeconds: snapshotAgeMs / 1000,
    isUp: ofEach((door) => doors[door]?.isOpen()),
    connections: ofEach((door) => servers[door].connections.count()),
    connectionsDropped: ofEach((door) => servers[door].connections.dropped()),
    restarts: data.restarts,
  };
}

/** On Linux a thread has a priority of its own. Where /proc is not there, it is as the others. */
function giveWay(): void {
  try {
    os.setPriority(Number(fs.readlinkSync("/proc/thread-self").split("/").at(-1)), NICE);
  } catch {
    // It matters where there is too little CPU only.
  }
}
