// Servers and client.so's of other versions with today's, and one in the other's place while programs look up and start:
// nothing fails, and whoever can be served is served.
import path from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sandboxMissing } from "../support/sandbox.ts";
import { each, end, LONG_NAME, replace, Scene } from "./load.ts";
import { firstLayout, historyMissing, nextLayout, type Side, sameLayout, today } from "./sides.ts";

const missing = sandboxMissing() ?? historyMissing();
const ROUNDS = 40;
const FEW = 16; // where nothing is replaced under them

type Name = "today's" | "an earlier" | "the first layout's" | "the next layout's";
let sides: Record<Name, Side>;
let scene: Scene;

describe.skipIf(missing)(`an upgrade${missing ? ` (skipped: ${missing})` : ""}`, { timeout: 240_000 }, () => {
  beforeAll(async () => {
    sides = {
      "today's": today,
      "an earlier": await sameLayout(),
      "the first layout's": await firstLayout(),
      "the next layout's": await nextLayout(),
    };
  }, 120_000);
  beforeEach(async () => {
    scene = await Scene.open();
  });
  afterEach(() => scene?.close());

  it.each<[Name, Name, "the table" | "another layout"]>([
    ["an earlier", "today's", "the table"],
    ["today's", "an earlier", "the table"],
    ["the next layout's", "today's", "another layout"],
    ["today's", "the next layout's", "another layout"],
  ])("lets %s client.so use %s server, which has %s for it", async (client, server, has) => {
    const running = await scene.server(sides[server]);
    const loads = await scene.loads(scene.preload(sides[client].client, scene.directory), FEW);
    await each(loads, "cache");
    await running.stopped("SIGKILL");
    await each(loads, "libc"); // names of a short ttl
    const left = await each(loads, has === "the table" ? "cache" : "libc");
    if (has === "another layout") {
      for (const { running, started } of left) expect([running.cache, started.cache]).toEqual([0, 0]);
    }
    await end(loads);
  });

  it.each<[Name, Name]>([
    ["the first layout's", "today's"],
    ["today's", "the first layout's"],
  ])("lets %s client.so go to libc beside %s server, whose frames are of another version", async (client, server) => {
    await scene.server(sides[server]);
    const loads = await scene.loads(scene.preload(sides[client].client, scene.directory), FEW);
    await each(loads, "libc");
    for (const load of loads) expect(load.seen()).toMatchObject({ running: { cache: 0 }, started: { cache: 0 } });
    await end(loads);
  });

  it("of the server, and a downgrade, go on with the table while programs look up and start", async () => {
    let server = await scene.server(sides["an earlier"]);
    const loads = await scene.loads();
    await each(loads, "cache");
    for (const [next, signal] of [
      ["today's", "SIGTERM"],
      ["an earlier", "SIGTERM"],
      ["today's", "SIGKILL"],
    ] as const) {
      await server.stopped(signal);
      server = await scene.server(sides[next]);
      expect(await server.seen("Went on with")).toMatchObject({ dropped: 0 });
      await each(loads, "cache");
    }
    await end(loads);
    expect(scene.upstream.count(LONG_NAME, "A")).toBe(1);
  });

  it("to another layout, and a downgrade, make a table anew while programs look up and start", async () => {
    let server = await scene.server(sides["the first layout's"]);
    const loads = await scene.loads();
    await each(loads, "cache");
    for (const next of ["today's", "the next layout's", "today's", "the first layout's"] as const) {
      await server.stopped("SIGTERM");
      server = await scene.server(sides[next]);
      expect(await server.seen("Set the last table aside")).toMatchObject({ reason: "it is of another layout" });
      await each(loads, "cache", [0, 20]); // programs that run have the first client.so
    }
    await each(loads, "cache");
    await end(loads);
  });

  it("of client.so alone, again and again, is nothing to programs that look up and start", async () => {
    await scene.server();
    const loads = await scene.loads();
    const client = path.join(scene.directory, "client.so");
    for (let round = 0; round < ROUNDS; round++) {
      replace(client, sides[round % 2 ? "today's" : "an earlier"].client);
      await each(loads, "cache", [50, 1]);
    }
    await end(loads);
  });
});
