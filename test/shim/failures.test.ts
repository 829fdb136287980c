import { chmodSync } from "node:fs";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import { buildClient, buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { otherUsersMissing, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import {
  answersFrom,
  type Behaviour,
  damages,
  rightAnswer,
  type ScriptedServer,
  scriptedServer,
  staysSilent,
} from "../support/scriptedServer.ts";
import { answerFrame, frame, pendingFrame, refusedFrame, sealedRecord } from "../support/serverFrames.ts";
import { beatingHeader } from "../support/tableFile.ts";
import { ANY_CLOCK } from "./flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = "192.0.2.1";
const LIBC = "198.51.100.9";
const CALL = "getaddrinfo www.example 80 2 1 0 0";
const THOUSANDS = Array.from({ length: 4000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
const ZONE = { "www.example": { chain: ["web.example"], a: [CACHE] }, "large.example": { a: THOUSANDS } };
const { FAMILY_A, OUTCOME_DATA, OUTCOME_NO_DATA, OUTCOME_NO_NAME, OUTCOME_TEMPORARY, OUTCOME_UNFIT } = layout;

// A client that tries a hung server again after one second, and a script that calls it then.
const PROBE_PATIENCE_MS = 400;
const probing = () => buildClient("probing", `-DPROBE_EVERY_MS=1000 -DPROBE_PATIENCE_MS=${PROBE_PATIENCE_MS}`);
const AGAIN_LATER = `echo ${CALL}; sleep 4; echo ${CALL}; echo ${CALL}`;

type Run = { calls?: number; uid?: number; script?: string; client?: string };

const missing = sandboxMissing();
let box: Sandbox;
let server: ScriptedServer;

beforeAll(async () => {
  if (missing) return;
  box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
  const zone = JSON.stringify({ "www.example": { A: [LIBC] } });
  await box.startModule(`${root}/test/support/zoneUpstream.ts`, ["192.0.2.200", zone], { ready: /ready/ });
  server = await scriptedServer(answersFrom(ZONE));
});
afterAll(async () => {
  await server?.close();
  await box?.close();
});

for (const libc of ["glibc", "musl"] as const) {
  const without = missing ?? (libc === "musl" ? muslMissing() : undefined);
  describe.skipIf(without)(`when things go wrong, ${libc}${without ? ` (skipped: ${without})` : ""}`, () => {
    /** First addresses of so many calls in one process, or of what a shell script feeds it. */
    async function addresses(behaviour: Behaviour, { calls = 1, uid, script = "cat", client = CLIENT }: Run = {}) {
      server.behave(behaviour);
      const before = server.connections();
      const program = buildProgram("test/shim/lookup.c", libc);
      const command = ["sh", "-c", `(${script}) | env LD_PRELOAD=${client} "$0"`, program];
      const input = `${CALL}\n`.repeat(calls);
      const env = { DNS_CACHE_DIR: server.directory };
      const { stdout, stderr } = await box.run(command, { input, env, ...(uid !== undefined && { uid }) });
      expect(stderr).toBe("");
      const answers = [...stdout.matchAll(/(?:entry|returns) (?!0 )(\S+)/g)].map(([, address]) => address);
      return { answers, asked: server.connections() - before };
    }
    const allFrom = (address: string, calls: number) => Array<string>(calls).fill(address);

    it("libc answers when the socket is not permitted", async ({ skip }) => {
      const reason = otherUsersMissing();
      if (reason) skip(reason);
      chmodSync(server.socketPath, 0);
      const result = await addresses(answersFrom(ZONE), { calls: 3, uid: 65534 });
      chmodSync(server.socketPath, 0o777);
      expect(result).toEqual({ answers: allFrom(LIBC, 3), asked: 0 });
      chmodSync(server.directory, 0o755);
      expect((await addresses(answersFrom(ZONE), { uid: 65534 })).answers).toEqual([CACHE]);
    });

    const BOTH = { script: "echo getaddrinfo www.example 80 0 1 0 0" };
    const ends = async (a: string[] | number, aaaa: number) =>
      (await addresses(answersFrom({ "www.example": { a, aaaa } }), BOTH)).answers;

    it("an IPv6 lookup that fails, or denies the name, does not take the IPv4 address away", async () => {
      for (const aaaa of [OUTCOME_TEMPORARY, OUTCOME_NO_NAME, OUTCOME_NO_DATA])
        expect(await ends([CACHE], aaaa), String(aaaa)).toEqual([CACHE]);
    });

    it("a failure for a moment is not told as the lack of a name", async () => {
      const header = beatingHeader(server.directory);
      const again = ["-3"];
      for (const other of [OUTCOME_TEMPORARY, OUTCOME_NO_NAME, OUTCOME_NO_DATA]) {
        expect(await ends(OUTCOME_TEMPORARY, other), String(other)).toEqual(again);
        expect(await ends(other, OUTCOME_TEMPORARY), String(other)).toEqual(again);
      }
      expect(await ends(OUTCOME_NO_NAME, OUTCOME_NO_NAME)).toEqual(["-2"]);
      header.close();
    });

    it("a silent server is waited for once, and libc answers", async () => {
      expect(await addresses(staysSilent, { calls: 10 })).toEqual({ answers: allFrom(LIBC, 10), asked: 1 });
    });

    it("a server that has hung is tried again later, with little patience", async () => {
      let questions = 0;
      const awakes: Behaviour = (question, socket) => {
        if (++questions > 1) answersFrom(ZONE)(question, socket);
      };
      const run = { client: probing(), script: AGAIN_LATER };
      expect(await addresses(awakes, run)).toEqual({ answers: [LIBC, CACHE, CACHE], asked: 3 });
      expect(await addresses(staysSilent, run)).toEqual({ answers: allFrom(LIBC, 3), asked: 2 });
    });

    it("a server that has hung is taken back though its upstream is slow", async () => {
      let questions = 0;
      const awakes: Behaviour = (question, socket) => {
        if (++questions === 1) return;
        setTimeout(() => socket.write(pendingFrame(5000)), PROBE_PATIENCE_MS + 100);
        setTimeout(() => answersFrom(ZONE)(question, socket), PROBE_PATIENCE_MS + 200);
      };
      const run = { client: probing(), script: AGAIN_LATER };
      expect((await addresses(awakes, run)).answers).toEqual([LIBC, CACHE, CACHE]);
    });

    it("a silent server is waited for once though the clock stands", async () => {
      const frozen = buildProgram("test/shim/frozen.c", libc, ["-shared", "-fPIC"]);
      const client = `${buildClient("any-clock", ANY_CLOCK)}:${frozen}`;
      expect(await addresses(staysSilent, { calls: 3, client })).toEqual({ answers: allFrom(LIBC, 3), asked: 1 });
    });

    it("an answer cut short after any byte is none", async () => {
      const whole = rightAnswer(ZONE, { families: FAMILY_A, search: 0, names: ["www.example"] });
      let bytes = 0;
      const cutEverywhere: Behaviour = (question, socket) =>
        socket.end(rightAnswer(ZONE, question).subarray(0, bytes++));
      const calls = whole.length + 1;
      expect(await addresses(cutEverywhere, { calls })).toEqual({
        answers: [...allFrom(LIBC, whole.length), CACHE],
        asked: calls,
      });
    });

    it("an answer that comes byte by byte is one", async () => {
      const dribbles: Behaviour = (question, socket) => {
        socket.setNoDelay(true);
        const bytes = [...rightAnswer(ZONE, question)];
        const next = () => {
          const byte = bytes.shift();
          if (byte === undefined) socket.end();
          else socket.write(Buffer.from([byte]), () => setImmediate(next));
        };
        next();
      };
      expect((await addresses(dribbles)).answers).toEqual([CACHE]);
    });

    it("a server that needs time may say so", async () => {
      const later = (socket: Socket, ms: number, bytes: Buffer) => setTimeout(() => socket.write(bytes), ms);
      const needsTime: Behaviour = (question, socket) => {
        later(socket, 250, pendingFrame(1500));
        later(socket, 1200, pendingFrame(1500));
        later(socket, 2000, rightAnswer(ZONE, question));
      };
      expect((await addresses(needsTime)).answers).toEqual([CACHE]);
      const breaksItsWord: Behaviour = (_, socket) => socket.write(pendingFrame(100));
      expect(await addresses(breaksItsWord, { calls: 3 })).toEqual({ answers: allFrom(LIBC, 3), asked: 1 });
    });

    it("a flood of promises ends", async () => {
      const impatient = buildClient("impatient", "-DEXCHANGE_MS_MAX=800");
      const promises = Buffer.concat(Array(5000).fill(pendingFrame(0xffffffff)));
      const floods: Behaviour = (_, socket) => {
        const more = () => socket.writable && socket.write(promises, more);
        more();
      };
      expect(await addresses(floods, { calls: 2, client: impatient })).toEqual({ answers: [LIBC, LIBC], asked: 1 });
    });

    it("an answer of thousands of addresses comes whole, or on musl with the 48 that its own arrays hold", async () => {
      const { answers } = await addresses(answersFrom(ZONE), { script: `echo ${CALL} | sed s/www/large/` });
      const count = libc === "glibc" ? THOUSANDS.length : 48;
      expect(answers.length).toBe(count);
      expect(new Set(answers).size).toBe(count);
      expect(new Set(THOUSANDS)).toEqual(new Set([...answers, ...THOUSANDS]));
    });

    const record = sealedRecord({ name: "www.example", addresses: [CACHE] });
    const sends =
      (bytes: Buffer): Behaviour =>
      (_, socket) =>
        void socket.end(bytes);
    const ofVersion = (version: number, refusal: Buffer) => {
      refusal[layout.FRAME_VERSION_AT] = refusal[layout.REFUSED_VERSION] = version;
      return refusal;
    };
    const changed = (offset: number, ...values: number[]) =>
      damages(ZONE, (bytes) => {
        Buffer.from(values).copy(bytes, offset);
        return bytes;
      });
    const REFUSALS: [string, Behaviour][] = [
      ["a refusal", sends(refusedFrame(layout.REFUSED_BUSY))],
      [
        "that it speaks an earlier version",
        sends(ofVersion(layout.FRAME_VERSION - 1, refusedFrame(layout.REFUSED_UNKNOWN))),
      ],
      [
        "that it speaks a later version",
        sends(ofVersion(layout.FRAME_VERSION + 1, refusedFrame(layout.REFUSED_UNKNOWN))),
      ],
      ["a hello", sends(frame(layout.KIND_HELLO, Buffer.alloc(0)))],
      ["an unknown kind of frame", changed(layout.FRAME_KIND, 77)],
      ["a later version", changed(layout.FRAME_VERSION_AT, layout.FRAME_VERSION + 1)],
      ["an earlier version", changed(layout.FRAME_VERSION_AT, layout.FRAME_VERSION - 1)],
      ["a length of nothing", changed(layout.FRAME_LENGTH, 0, 0, 0, 0)],
      ["a length of no record", changed(layout.FRAME_LENGTH, 0, 0, 0, 16)],
      ["an absurd length", changed(layout.FRAME_LENGTH, 0, 255, 255, 255)],
      ["a length beyond 2^31", changed(layout.FRAME_LENGTH, 255, 255, 255, 255)],
      ["text", sends(Buffer.from("192.0.2.1\n".repeat(20)))],
      ["other families", changed(layout.ANSWER_FAMILIES, 2)],
      ["another candidate", changed(layout.ANSWER_CANDIDATE, 1)],
      ["another name", sends(answerFrame(FAMILY_A, [sealedRecord({ name: "ww.example", addresses: [CACHE] })]))],
      ["another type", sends(answerFrame(FAMILY_A, [sealedRecord({ name: "www.example", type: "AAAA" })]))],
      ["one record too many", sends(answerFrame(FAMILY_A, [record, record]))],
      ["no addresses", sends(answerFrame(FAMILY_A, [sealedRecord({ name: "www.example", outcome: OUTCOME_DATA })]))],
      ["unfit", sends(answerFrame(FAMILY_A, [sealedRecord({ name: "www.example", outcome: OUTCOME_UNFIT })]))],
      ["a flipped bit", changed(layout.ANSWER_RECORDS + layout.RECORD_NAMES + 26, 1)],
    ];
    for (const [what, behaviour] of REFUSALS)
      it(`libc answers when the server sends ${what}`, async () => {
        expect(await addresses(behaviour, { calls: 2 })).toEqual({ answers: [LIBC, LIBC], asked: 2 });
      });
  });
}
