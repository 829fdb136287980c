// dns.sock: whether the server answers there, and what it says to a name.
import net from "node:net";
import path from "node:path";
import {
  ANSWER_RECORDS,
  FAMILY_A,
  FAMILY_AAAA,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  FRAME_LENGTH,
  FRAME_VERSION,
  FRAME_VERSION_AT,
  KIND_ANSWER,
  KIND_HELLO,
  KIND_PENDING,
  KIND_QUESTION,
  OUTCOME_DATA,
  OUTCOME_NO_DATA,
  OUTCOME_NO_NAME,
  OUTCOME_UNFIT,
  PENDING_FRAME_BYTES,
  QUESTION_NAMES,
  RECORD_LENGTH,
  RECORD_OUTCOME,
  SILENCE_MS,
} from "../../assembly/layout.ts";
import { nowMs } from "../clock.ts";
import { normalName } from "../name.ts";
import type { Config } from "../settings/config.ts";
import type { Findings } from "./doctorReport.ts";

const OUTCOMES = new Map([
  [OUTCOME_DATA, "data"],
  [OUTCOME_NO_DATA, "no such record"],
  [OUTCOME_NO_NAME, "no such name"],
]);

export async function checkServer(findings: Findings, directory: string, hasDirectory: boolean): Promise<boolean> {
  const socketPath = path.join(directory, "dns.sock");
  if (!hasDirectory) {
    findings.note("not looked for, without its directory");
    return false;
  }
  const sinceMs = nowMs();
  const reply = await exchange(socketPath, frame(KIND_HELLO), SILENCE_MS);
  if (reply instanceof Error) {
    notConnected(findings, socketPath, (reply as NodeJS.ErrnoException).code ?? reply.message);
    return false;
  }
  if (reply === undefined) {
    findings.found("NW-302", `it takes connections on ${socketPath} and does not answer`);
    return false;
  }
  const version = reply[FRAME_VERSION_AT];
  if (version !== FRAME_VERSION || reply[FRAME_KIND] !== KIND_HELLO) {
    const speaks = `speaks version ${version} of the socket's frames, and this doctor ${FRAME_VERSION}`;
    findings.found("NW-305", `what listens on ${socketPath} ${speaks}`);
    return false;
  }
  findings.fine(`it answers on ${socketPath} within ${Math.ceil(nowMs() - sinceMs)} ms`);
  return true;
}

function notConnected(findings: Findings, socketPath: string, code: string): void {
  if (code === "ENOENT") findings.found("NW-301", `${socketPath} is not there`);
  else if (code === "ECONNREFUSED") findings.found("NW-301", `nobody listens on ${socketPath}`);
  else if (code === "EAGAIN") findings.found("NW-304", `${socketPath} takes no more connections just now`);
  else findings.found("NW-303", `${socketPath} may not be connected to from here: ${code}`);
}

export async function checkName(findings: Findings, { directory, timeoutMs }: Config, text: string): Promise<void> {
  const name = normalName(text);
  if (name === undefined) {
    findings.found("NW-604", `${text} is no plain host name`);
    return;
  }
  const body = Buffer.alloc(QUESTION_NAMES - FRAME_HEADER_BYTES + 1 + name.length);
  body.set([FAMILY_A | FAMILY_AAAA, 1]);
  body[QUESTION_NAMES - FRAME_HEADER_BYTES] = name.length;
  body.write(name, QUESTION_NAMES - FRAME_HEADER_BYTES + 1, "latin1");
  const sinceMs = nowMs();
  const reply = await exchange(path.join(directory, "dns.sock"), frame(KIND_QUESTION, body), timeoutMs + SILENCE_MS);
  const tookMs = Math.ceil(nowMs() - sinceMs);
  if (!(reply instanceof Buffer) || reply[FRAME_KIND] !== KIND_ANSWER) {
    findings.found("NW-606", `the server gave no answer to ${name} within ${tookMs} ms`);
    return;
  }
  const second = ANSWER_RECORDS + reply.readUInt16LE(ANSWER_RECORDS + RECORD_LENGTH);
  const codes = [ANSWER_RECORDS, second].map((at) => reply[at + RECORD_OUTCOME] as number);
  if (codes.includes(OUTCOME_UNFIT)) {
    findings.found("NW-605", `the server leaves ${name} to libc, told within ${tookMs} ms`);
    return;
  }
  const outcomes = codes.map((code) => OUTCOMES.get(code));
  if (outcomes.includes(undefined)) {
    findings.found("NW-606", `the server's upstreams fail for ${name}, told within ${tookMs} ms`);
    return;
  }
  findings.fine(`${name} is answered within ${tookMs} ms: A ${outcomes[0]}, AAAA ${outcomes[1]}`);
}

/** The first whole frame that is no promise; undefined where none came in time. */
function exchange(socketPath: string, sent: Buffer, timeoutMs: number): Promise<Buffer | Error | undefined> {
  return new Promise((resolve) => {
    let received: Buffer = Buffer.alloc(0);
    const socket = net.connect(socketPath, () => socket.write(sent));
    const timer = setTimeout(() => end(undefined), timeoutMs);
    function end(result: Buffer | Error | undefined): void {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    }
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, bytes]);
      const isPending = () => received[FRAME_KIND] === KIND_PENDING && received.length >= PENDING_FRAME_BYTES;
      while (isPending()) received = received.subarray(PENDING_FRAME_BYTES);
      const isWhole = received.length >= FRAME_HEADER_BYTES && received.length >= received.readUInt32BE(FRAME_LENGTH);
      if (isWhole && received[FRAME_KIND] !== KIND_PENDING) end(received);
    });
    socket.on("end", () => end(undefined));
    socket.on("error", end);
  });
}

function frame(kind: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32BE(header.length + body.length, FRAME_LENGTH);
  header.writeUInt8(FRAME_VERSION, FRAME_VERSION_AT);
  header.writeUInt8(kind, FRAME_KIND);
  return Buffer.concat([header, body]);
}
