// A stand-in for the server behind dns.sock, which does to each question what its test says: answers it rightly from a
// zone, or with any bytes, or not at all.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as layout from "../../assembly/layout.ts";
import {
  answerFrame,
  type Question,
  type RecordOptions,
  readQuestion,
  readUses,
  sealedRecord,
  type Uses,
} from "./serverFrames.ts";

/** What is known of a name: its canonical chain, its addresses or names, or how the looking-up ends. */
export type Entry = { chain?: string[]; a?: string[] | number; aaaa?: string[] | number; ptr?: string[] | number };
export type Zone = Record<string, Entry>;

/** What the server does with a question: bytes to send, then perhaps the end of the connection, or what it likes. */
export type Behaviour = (question: Question, socket: Socket) => void;

function familyRecord(name: string, entry: Entry | undefined, type: "A" | "AAAA" | "PTR"): Buffer {
  const options: RecordOptions = { name, type };
  if (!entry) return sealedRecord({ ...options, outcome: layout.OUTCOME_NO_NAME });
  const data = type === "A" ? entry.a : type === "AAAA" ? entry.aaaa : entry.ptr;
  if (typeof data === "number") return sealedRecord({ ...options, outcome: data });
  const chain = entry.chain ?? [];
  if (!data?.length) return sealedRecord({ ...options, chain, outcome: layout.OUTCOME_NO_DATA });
  return sealedRecord({ ...options, chain, addresses: data });
}

/** The right answer, as the true server would frame it; of several candidates the first in the zone, or the last. */
export function rightAnswer(zone: Zone, { families, names }: Question): Buffer {
  const known = names.findIndex((candidate) => zone[candidate]);
  const candidate = known < 0 ? names.length - 1 : known;
  const name = names[candidate] as string;
  const records: Buffer[] = [];
  if (families & layout.FAMILY_A) records.push(familyRecord(name, zone[name], "A"));
  if (families & layout.FAMILY_AAAA) records.push(familyRecord(name, zone[name], "AAAA"));
  if (families & layout.FAMILY_PTR) records.push(familyRecord(name, zone[name], "PTR"));
  return answerFrame(families, records, candidate);
}

export const answersFrom =
  (zone: Zone): Behaviour =>
  (question, socket) =>
    socket.end(rightAnswer(zone, question));

export const staysSilent: Behaviour = () => {};

/** Sends the answer's first bytes and hangs up. */
export const hangsUpAfter =
  (zone: Zone, bytes: number): Behaviour =>
  (question, socket) =>
    socket.end(rightAnswer(zone, question).subarray(0, bytes));

/** Sends the right answer as the given function has changed it. */
export const damages =
  (zone: Zone, damage: (answer: Buffer) => Buffer): Behaviour =>
  (question, socket) =>
    socket.end(damage(Buffer.from(rightAnswer(zone, question))));

export type ScriptedServer = {
  /** To be given to a client as DNS_CACHE_DIR. */
  directory: string;
  socketPath: string;
  /** All whole questions so far. */
  questions: Question[];
  /** All that clients have told of their hits in the table. */
  told: Uses[];
  connections(): number;
  openConnections(): number;
  /** From now on. */
  behave(behaviour: Behaviour): void;
  close(): Promise<void>;
};

export async function scriptedServer(behaviour: Behaviour): Promise<ScriptedServer> {
  const directory = mkdtempSync(join(tmpdir(), "namewell-socket-"));
  const socketPath = join(directory, "dns.sock");
  const questions: Question[] = [];
  const told: Uses[] = [];
  const open = new Set<Socket>();
  let connections = 0;
  let present = behaviour;
  const server: Server = createServer((socket) => {
    connections++;
    open.add(socket);
    let received: Buffer = Buffer.alloc(0);
    socket.on("error", () => {}); // a client may leave at any time
    socket.on("close", () => open.delete(socket));
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (received[layout.FRAME_KIND] === layout.KIND_HELLO && received.length === layout.FRAME_HEADER_BYTES) {
        if (present !== staysSilent) socket.write(received);
        received = Buffer.alloc(0);
      }
      const uses = readUses(received);
      if (uses) told.push(uses);
      const question = received[layout.FRAME_KIND] === layout.KIND_QUESTION && readQuestion(received);
      if (!question) return;
      received = Buffer.alloc(0);
      questions.push(question);
      present(question, socket);
    });
  });
  await new Promise<void>((resolve) =>
    server.listen({ path: socketPath, readableAll: true, writableAll: true }, resolve),
  );
  return {
    directory,
    socketPath,
    questions,
    told,
    connections: () => connections,
    openConnections: () => open.size,
    behave(next) {
      present = next;
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
