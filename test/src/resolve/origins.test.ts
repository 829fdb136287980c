import { expect, it } from "vitest";
import { TYPE_A, TYPE_AAAA } from "../../../assembly/layout.ts";
import { createOrigins } from "../../../src/resolve/origins.ts";

const FROM = { upstream: "udp 10.0.0.2:53", transport: "udp", tookMs: 1 } as const;
const A = (name: string) => ({ name, type: TYPE_A });

it("remembers where the answers to the latest questions came from, and of no other question", () => {
  const { add, get } = createOrigins();
  add(A("a.example"), FROM, 1);
  add({ name: "a.example", type: TYPE_AAAA }, { ...FROM, upstream: "tls 192.0.2.1:853", transport: "tls" }, 2);
  expect(get(A("a.example"))).toEqual({ upstream: "udp 10.0.0.2:53", transport: "udp", seconds: 0.001, atMs: 1 });
  expect(get({ name: "a.example", type: TYPE_AAAA })).toMatchObject({
    upstream: "tls 192.0.2.1:853",
    transport: "tls",
    atMs: 2,
  });
  expect(get(A("b.example"))).toBeUndefined();
  add(A("a.example"), FROM, 3);
  expect(get(A("a.example"))?.atMs).toBe(3);
});

it("begins anew where there were more upstreams than it can tell apart", () => {
  const { add, get } = createOrigins();
  const upstreams = Array.from({ length: 300 }, (_, i) => `udp 10.0.0.2:${i + 1}`);
  for (const [i, upstream] of upstreams.entries()) add(A(`n${i}.example`), { ...FROM, upstream }, i);
  const seen = upstreams.map((_, i) => get(A(`n${i}.example`))?.upstream);
  expect(seen.slice(255)).toEqual(upstreams.slice(255));
  expect(seen.slice(0, 255)).toEqual(new Array(255).fill(undefined));
});

it("has room for so many, and forgets one for another", () => {
  const { add, get } = createOrigins(16);
  const questions = Array.from({ length: 100 }, (_, i) => A(`n${i}.example`));
  for (const question of questions) add(question, FROM, 1);
  const kept = questions.filter((question) => get(question) !== undefined);
  expect(kept.length).toBeLessThanOrEqual(16);
  expect(kept).toContain(questions.at(-1));
});
