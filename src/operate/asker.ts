// What the worker thread asks of the main thread, and how often: however many ask for the numbers, the main thread gives them
// once in 50 ms; and other questions are bounded in number and rate, so that nobody keeps it from lookups.
import type { NamesReport } from "../resolve/names.ts";
import type { Answered, Answers, Asking, Snapshot } from "./snapshot.ts";

export interface Asker {
  /** Undefined where the main thread has never told. */
  snapshot(): Promise<Aged<Snapshot> | undefined>;
  names(): Promise<Aged<NamesReport> | undefined>;
  /** Undefined where it does not answer, or too much has been asked. */
  ask<What extends "lookup" | "flush" | "logLevel">(
    asking: Extract<Asking, { ask: What }>,
  ): Promise<Answered<What> | undefined>;
  /** From the main thread. */
  answered(id: number, answer: unknown): void;
}
export interface Aged<T> {
  readonly value: T;
  readonly ageMs: number;
}

export interface AskerOptions {
  readonly post: (id: number, asking: Asking) => void;
  readonly nowMs: () => number;
  /** For what may have to ask the servers. */
  readonly patienceMs: number;
}

const SHARED_MS = 50;
const SILENT_MS = 1000;
const UNDER_WAY_MAX = 32;
const BURST_MAX = 20;
const ASK_EVERY_MS = 10;

export function createAsker({ post, nowMs, patienceMs }: AskerOptions): Asker {
  const waiting = new Map<number, (answer: unknown) => void>();
  let lastId = 0;
  let burst = BURST_MAX;
  let burstAtMs = nowMs();

  function request<T>(asking: Asking): Promise<T> {
    return new Promise((resolve) => {
      waiting.set(++lastId, resolve as (answer: unknown) => void);
      post(lastId, asking);
    });
  }

  /** One question under way, whose answer all get that wait for it, and those that come soon after. */
  function shared<What extends keyof Answers>(asking: Extract<Asking, { ask: What }>) {
    let last: { readonly value: Answers[What]; readonly askedAtMs: number } | undefined;
    let underWay: Promise<void> | undefined;
    return async (): Promise<Aged<Answers[What]> | undefined> => {
      if (last === undefined || nowMs() - last.askedAtMs >= SHARED_MS) {
        const askedAtMs = nowMs();
        underWay ??= request<Answers[What]>(asking).then((value) => {
          last = { value, askedAtMs };
          underWay = undefined;
        });
        await atMost(underWay, SILENT_MS);
      }
      return last && { value: last.value, ageMs: nowMs() - last.askedAtMs };
    };
  }

  function mayAsk(): boolean {
    burst = Math.min(BURST_MAX, burst + (nowMs() - burstAtMs) / ASK_EVERY_MS);
    burstAtMs = nowMs();
    if (waiting.size >= UNDER_WAY_MAX || burst < 1) return false;
    burst--;
    return true;
  }

  return {
    snapshot: shared({ ask: "snapshot" }),
    names: shared({ ask: "names" }),
    async ask(asking) {
      if (!mayAsk()) return undefined;
      return await atMost(request(asking), patienceMs);
    },
    answered(id, answer) {
      waiting.get(id)?.(answer);
      waiting.delete(id);
    },
  };
}

/** Undefined when it takes longer. */
function atMost<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    void promise.then((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
