// What the worker thread asks of the main thread, and how often: however many ask for the numbers, the main thread gives them
// once in 50 ms, anew; and other questions are bounded in number and rate, so that nobody keeps it from lookups.
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

export const FLUSH_MS = 60_000; // a table of millions is gone through, between lookups
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

  /** What all get who wait for it has been asked for after all of them did: whoever has done something sees it counted. */
  function shared<What extends keyof Answers>(asking: Extract<Asking, { ask: What }>) {
    let last: { readonly value: Answers[What]; readonly askedAtMs: number } | undefined;
    let askedAtMs = Number.NEGATIVE_INFINITY;
    let underWay: Promise<unknown> = Promise.resolve();
    let next: Promise<void> | undefined; // not asked for yet

    async function askNext(): Promise<void> {
      await underWay;
      await after(askedAtMs + SHARED_MS - nowMs());
      next = undefined;
      askedAtMs = nowMs();
      const sinceMs = askedAtMs;
      const answer = request<Answers[What]>(asking);
      underWay = answer;
      last = { value: await answer, askedAtMs: sinceMs };
    }

    return async (): Promise<Aged<Answers[What]> | undefined> => {
      next ??= askNext();
      await atMost(next, SILENT_MS);
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
      return await atMost(request(asking), (asking as Asking).ask === "flush" ? FLUSH_MS : patienceMs);
    },
    answered(id, answer) {
      waiting.get(id)?.(answer);
      waiting.delete(id);
    },
  };
}

function after(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
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
