// What dns.sock answers: to frames of client.so, and to lines of text typed by people.
import { FAMILY_A, FAMILY_AAAA, PENDING_AFTER_MS } from "../../assembly/layout.ts";
import { nowMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Log } from "../log.ts";
import { normalName } from "../name.ts";
import type { Resolver } from "../resolve/resolver.ts";
import type { Wheel } from "../wheel.ts";
import type { Responder, Response } from "./connection.ts";
import {
  decodeFrame,
  encodeAnswer,
  encodeHello,
  encodePending,
  encodeRefused,
  FAMILIES,
  frameLength,
  type QuestionFrame,
  type Refusal,
} from "./protocol.ts";
import { type Found, PLAIN_SEARCH, search } from "./search.ts";
import { textAnswer, textError } from "./textline.ts";
import type { Usage } from "./usage.ts";

export interface ResponderOptions {
  readonly resolver: Pick<Resolver, "resolve" | "together">;
  readonly usage: Usage;
  /** Within which a question to the upstreams ends. */
  readonly timeoutMs: number;
  readonly wheel: Wheel;
  readonly counters: Counters;
  readonly log: Log;
}

export function createResponder({ resolver, usage, timeoutMs, wheel, counters, log }: ResponderOptions): Responder {
  return {
    frameLength,
    respondToFrame(frame, write) {
      const received = decodeFrame(frame);
      if (received.kind === "hello") return { bytes: encodeHello() };
      if (received.kind === "refuse") return refuse(received.why);
      if (received.kind !== "question") {
        usage.take(received);
        return { bytes: "" };
      }
      const pending = promiseTo(write);
      const sinceMs = nowMs();
      const found = find(received, pending.renew);
      if (!(found instanceof Promise)) return answer(received, found);
      return found.then((late) => {
        pending.end();
        counters.questionDurations.count(nowMs() - sinceMs);
        return answer(received, late);
      });
    },
    respondToLine(line) {
      const name = normalName(line);
      if (name === undefined) return { bytes: textError(JSON.stringify(line), "not a name") };
      const families = FAMILY_A | FAMILY_AAAA;
      const sinceMs = nowMs();
      const found = find({ kind: "question", families, candidates: [name], rule: PLAIN_SEARCH });
      const text = ({ records }: Found) => ({ bytes: textAnswer(name, records) });
      if (!(found instanceof Promise)) return text(found);
      return found.then((late) => {
        counters.questionDurations.count(nowMs() - sinceMs);
        return text(late);
      });
    },
    respondToMalformed: () => refuse("malformed"),
    respondToBusy: () => ({ bytes: encodeRefused("busy"), last: true }),
  };

  /** To the client that waits: when the answer will be there. A search that asks once more promises once more. */
  function promiseTo(write: (bytes: Buffer) => void) {
    let untilMs = 0;
    let isPromised = false;
    let stopWaiting: (() => void) | undefined;
    function promise(): void {
      isPromised = true;
      write(encodePending(untilMs - nowMs()));
    }
    return {
      renew() {
        untilMs = nowMs() + timeoutMs;
        if (isPromised) promise();
        stopWaiting ??= wheel.after(PENDING_AFTER_MS, promise);
      },
      end: () => stopWaiting?.(),
    };
  }

  function find({ families, candidates, rule }: QuestionFrame, asks?: () => void): Found | Promise<Found> {
    counters.questions++;
    log.gotMessage(candidates.at(rule.asIsFirst ? 0 : -1) as string); // as the application wrote it
    const types = FAMILIES.filter(({ bit }) => families & bit).map(({ type }) => type);
    return search(resolver, candidates, types, rule, asks);
  }

  function answer({ families }: QuestionFrame, { candidate, records }: Found): Response {
    return { bytes: encodeAnswer(families, candidate, records) };
  }

  /** The place of the next frame is not to be trusted after a malformed one. */
  function refuse(why: Refusal): Response {
    counters[why === "malformed" ? "framesMalformed" : "framesUnknown"]++;
    log.frameRefused(why);
    return { bytes: encodeRefused(why), last: why === "malformed" };
  }
}
