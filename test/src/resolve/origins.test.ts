import { expect, it } from "vitest";
import { createOrigins } from "../../../src/resolve/origins.ts";

const FROM = { upstream: "udp 10.0.0.2:53", transport: "udp", tookMs: 1 } as const;

it("remembers where the answers to the latest questions came from, and of no other question", () => {
  const { add, get } = createOrigins();
  add("A a.example", FROM, 1);
  add("AAAA a.example", { ...FROM, upstream: "tls 192.0.2.1:853", transport: "tls" }, 2);
  expect(get("A a.example")).toEqual({ upstream: "udp 10.0.0.2:53", transport: "udp", seconds: 0.001, atMs: 1 });
  expect(get("AAAA a.example")).toMatchObject({ upstream: "tls 192.0.2.1:853", transport: "tls", atMs: 2 });
  expect(get("A b.example")).toBeUndefined();
  add("A a.example", FROM, 3);
  expect(get("A a.example")?.atMs).toBe(3);
});

it("has room for so many, and forgets one for another", () => {
  const { add, get } = createOrigins(16);
  const keys = Array.from({ length: 100 }, (_, i) => `A n${i}.example`);
  for (const key of keys) add(key, FROM, 1);
  const kept = keys.filter((key) => get(key) !== undefined);
  expect(kept.length).toBeLessThanOrEqual(16);
  expect(kept).toContain(keys.at(-1));
});
