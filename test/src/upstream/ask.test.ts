import { DgramAsPromised } from "dgram-as-promised";
import dnsPacket from "dns-packet";
import { afterEach, describe, expect, it, vi } from "vitest";
import { OUTCOME_NO_DATA, OUTCOME_NO_NAME, TYPE_A } from "../../../assembly/layout.ts";
import { startUpstream, type Upstream, type UpstreamOptions } from "../../../demo/upstream.ts";
import { nowMs } from "../../../src/clock.ts";
import { type Counters, createCounters } from "../../../src/counters.ts";
import { createLog } from "../../../src/log.ts";
import { messageReader } from "../../../src/table/message.ts";
import { addressesOf, namesOf, outcomeOf, ttlOf } from "../../../src/table/record.ts";
import { loadWasm } from "../../../src/table/wasm.ts";
import type { UpstreamAddress } from "../../../src/upstream/address.ts";
import { createAsk } from "../../../src/upstream/ask.ts";
import { createConnect } from "../../../src/upstream/connect.ts";
import { createDialect } from "../../../src/upstream/dialect.ts";
import { createExchange, type Exchange } from "../../../src/upstream/exchange.ts";
import { createGroup, type Group } from "../../../src/upstream/group.ts";
import { createHealth } from "../../../src/upstream/health.ts";
import { createProbe } from "../../../src/upstream/probe.ts";
import type { Server } from "../../../src/upstream/server.ts";
import { createWindow } from "../../../src/upstream/window.ts";
import { createWheel } from "../../../src/wheel.ts";
import { makeRecord } from "../../support/records.ts";

const ZONE = {
  "a.example": { ttl: 60, A: ["192.0.2.1"] },
  "alias.example": { ttl: 30, CNAME: "a.example" },
  "many.example": { A: Array.from({ length: 200 }, (_, i) => `192.0.2.${i}`) },
};
const wasm = loadWasm({ entries: 64, minTtlSeconds: 0, maxTtlSeconds: 3600, maxNegativeTtlSeconds: 30, upstreams: "" });
const upstreams: Upstream[] = [];
const groups: Array<{ group: Group; counters: Counters }> = [];

async function upstream(options: Partial<UpstreamOptions> = {}): Promise<Upstream> {
  const started = await startUpstream({ zone: ZONE, ...options });
  upstreams.push(started);
  return started;
}
afterEach(async () => {
  for (const { group, counters } of groups.splice(0)) {
    group.close();
    const ways = group.state().upstreams.flatMap((each) => each.ways);
    for (const { requests, replies, timeouts, errors, unneeded, inFlight } of ways) {
      const replied = replies.flatMap(({ buckets }) => buckets).reduce((sum, count) => sum + count, 0);
      expect(replied + timeouts + errors + unneeded + inFlight).toBe(requests);
    }
    expect(ways.reduce((sum, { requests }) => sum + requests, 0)).toBe(counters.upstreamQueries);
  }
  await Promise.all(upstreams.splice(0).map((each) => each.close()));
});

function asker(servers: ReadonlyArray<{ host: string; port: number; transport?: "udp" | "tcp" }>, timeoutMs = 2500) {
  const counters = createCounters();
  const log = createLog("silent");
  const wheel = createWheel();
  const addresses: UpstreamAddress[] = servers.map(({ host, port, transport = "udp" }) => ({ transport, host, port }));
  const { read: readReply } = messageReader(wasm);
  const exchange = createExchange({ readReply, counters, log });
  const probe = createProbe({ readReply, wheel, counters });
  const connect = createConnect(wheel, counters);
  const group = createGroup({ upstreams: addresses, timeoutMs, connect, exchange, probe, wheel, counters, log });
  const { ask } = group;
  groups.push({ group, counters });
  return {
    counters,
    group,
    async answer(name: string): Promise<Uint8Array> {
      const asked = await ask({ name, type: TYPE_A }, () => undefined);
      if ("failure" in asked) throw new Error(asked.failure);
      return asked.record;
    },
    failure: async (name: string) => {
      const asked = await ask({ name, type: TYPE_A }, () => undefined);
      return "failure" in asked ? asked.failure : undefined;
    },
    why: async (name: string) => {
      const asked = await ask({ name, type: TYPE_A }, () => undefined);
      return "failure" in asked ? asked.why : undefined;
    },
  };
}

const flagged = (reply: dnsPacket.Packet, rcode: number): dnsPacket.Packet => ({
  ...reply,
  flags: ((reply.flags ?? 0) & ~15) | rcode,
  answers: [],
  authorities: [],
});

/** A port on loopback where nobody listens. */
async function closedPort(): Promise<number> {
  const socket = DgramAsPromised.createSocket("udp4");
  const { port } = await socket.bind({ address: "127.0.0.1", port: 0 });
  await socket.close();
  return port;
}

describe("ask", () => {
  it("gets addresses, the chain and the shortest ttl over UDP", async () => {
    const server = await upstream();
    const record = await asker([server]).answer("alias.example");
    expect(addressesOf(record)).toEqual(["192.0.2.1"]);
    expect(namesOf(record)).toEqual(["alias.example", "a.example"]);
    expect(ttlOf(record)).toBe(30);
    expect(server.asked).toEqual([{ name: "alias.example", type: "A", transport: "udp" }]);
  });

  it("learns how long answers took, and nothing from failures", async () => {
    const dead = asker([{ host: "127.0.0.1", port: await closedPort() }]);
    expect(await dead.failure("a.example")).toBeDefined();
    expect(dead.group.usualMs()).toBe(0);
    const { answer, group } = asker([await upstream({ tamper: () => undefined }), await upstream()]);
    await answer("a.example"); // the second answers when the first has been waited for
    expect(group.usualMs()).toBeGreaterThan(300);
  });

  it("tells a name that does not exist from one without addresses", async () => {
    const { answer } = asker([await upstream({ zone: { "v6.example": { AAAA: ["2001:db8::1"] } } })]);
    expect(outcomeOf(await answer("v6.example"))).toBe(OUTCOME_NO_DATA);
    expect(outcomeOf(await answer("none.example"))).toBe(OUTCOME_NO_NAME);
  });

  it("asks again over TCP when the reply is truncated, and cuts nothing", async () => {
    const server = await upstream();
    const record = await asker([server]).answer("many.example");
    expect(addressesOf(record)).toEqual(ZONE["many.example"].A);
    expect(server.asked.map(({ transport }) => transport)).toEqual(["udp", "tcp"]);
  });

  it("asks a tcp:// upstream over TCP only", async () => {
    const server = await upstream();
    const record = await asker([{ ...server, transport: "tcp" }]).answer("a.example");
    expect(addressesOf(record)).toEqual(["192.0.2.1"]);
    expect(server.asked.map(({ transport }) => transport)).toEqual(["tcp"]);
  });

  it("goes to the next server when the first is silent, and begins there the next time", async () => {
    const silent = await upstream({ tamper: () => undefined });
    const alive = await upstream();
    const { answer, counters } = asker([silent, alive]);
    expect(addressesOf(await answer("a.example"))).toEqual(["192.0.2.1"]);
    expect(counters.upstreamTimeouts).toBe(1);
    await answer("alias.example");
    expect(silent.count("a.example", "A")).toBe(1);
    expect(silent.count("alias.example", "A")).toBe(0);
    expect(alive.asked).toHaveLength(2);
  });

  it("takes a late reply of the first server while the second is silent", async () => {
    const late = await upstream({ delayMs: 450 });
    const silent = await upstream({ tamper: () => undefined });
    expect(addressesOf(await asker([late, silent]).answer("a.example"))).toEqual(["192.0.2.1"]);
    expect(late.count("a.example", "A")).toBe(1);
  });

  it.each([
    ["SERVFAIL", 2],
    ["REFUSED", 5],
  ])("goes to the next server at once on %s", async (_name, rcode) => {
    const broken = await upstream({ tamper: (reply) => flagged(reply, rcode) });
    const { answer, counters } = asker([broken, await upstream()]);
    expect(addressesOf(await answer("a.example"))).toEqual(["192.0.2.1"]);
    expect(counters.upstreamTimeouts).toBe(0);
  });

  it("goes to the next server at once where nobody listens", async () => {
    const { answer, counters } = asker([{ host: "127.0.0.1", port: await closedPort() }, await upstream()]);
    expect(addressesOf(await answer("a.example"))).toEqual(["192.0.2.1"]);
    expect(counters.upstreamTimeouts).toBe(0);
  });

  it("fails long before its deadline when every server has failed, and says how each did", async () => {
    const broken = await upstream({ tamper: (reply) => flagged(reply, 2) });
    const port = await closedPort();
    const { failure, counters } = asker([broken, { host: "127.0.0.1", port }], 30_000);
    expect(await failure("a.example")).toBe(
      `udp 127.0.0.1:${broken.port}: SERVFAIL; udp 127.0.0.1:${port}: ECONNREFUSED`,
    );
    expect(counters.upstreamTimeouts).toBeLessThan(3); // where nobody listens, somebody may a moment later
  });

  it("ends at its deadline when nobody answers", async () => {
    const silent = await upstream({ tamper: () => undefined });
    expect(await asker([silent], 1000).failure("a.example")).toBe(`udp 127.0.0.1:${silent.port}: no reply in time`);
    expect(silent.asked.filter(({ type, transport }) => type === "A" && transport === "udp")).toHaveLength(3);
  });

  it("calls a failure silence where no server is there, and unanswered while it may only be slow", async () => {
    const silent = await upstream({ tamper: (reply, _query, { name }) => (name === "a.example" ? reply : undefined) });
    const nobody = { host: "127.0.0.1", port: await closedPort() };
    expect(await asker([nobody]).why("b.example")).toBe("silent");
    expect(await asker([silent], 300).why("b.example")).toBe("unanswered");
    expect(await asker([nobody, silent], 300).why("b.example")).toBe("unanswered");
    const known = asker([silent], 2500);
    await known.answer("a.example");
    expect(await known.why("b.example")).toBe("silent");
  });

  it.each([
    ["SERVFAIL", (reply: dnsPacket.Packet) => flagged(reply, 2)],
    ["REFUSED", (reply: dnsPacket.Packet) => flagged(reply, 5)],
    ["half a message", (reply: dnsPacket.Packet) => dnsPacket.encode(reply).subarray(0, 40)],
  ])("does not call it silence where one server has replied with %s", async (_what, tamper) => {
    const failing = await upstream({ tamper });
    const silent = await upstream({ tamper: () => undefined });
    expect(await asker([failing], 300).why("a.example")).toBe("said");
    expect(await asker([silent, failing], 400).why("a.example")).toBe("unanswered"); // nobody knows of the silent one yet
  });

  it("leaves EDNS out for a server that answers FORMERR to it, from then on", async () => {
    const queries: dnsPacket.Packet[] = [];
    const server = await upstream({
      tamper(reply, query) {
        queries.push(query);
        return query.additionals?.length ? { ...flagged(reply, 1), additionals: [] } : reply;
      },
    });
    const { answer } = asker([server]);
    expect(addressesOf(await answer("a.example"))).toEqual(["192.0.2.1"]);
    await answer("alias.example");
    expect(queries.map(({ additionals }) => additionals?.length)).toEqual([1, 0, 0]);
  });

  it("leaves EDNS out for all of several questions under way when the server refuses it", async () => {
    const server = await upstream({
      tamper: (reply, query) => (query.additionals?.length ? { ...flagged(reply, 1), additionals: [] } : reply),
    });
    const { answer } = asker([server]);
    const records = await Promise.all(["a.example", "alias.example", "many.example"].map(answer));
    expect(records.map((record) => addressesOf(record)[0])).toEqual(["192.0.2.1", "192.0.2.1", "192.0.2.0"]);
  });

  it("goes on with EDNS where a server refuses one question with and without it", async () => {
    const queries: dnsPacket.Packet[] = [];
    const server = await upstream({
      tamper(reply, query, { name }) {
        queries.push(query);
        return name === "odd.example" ? { ...flagged(reply, 1), additionals: [] } : reply;
      },
    });
    const { answer, failure } = asker([server]);
    expect(await failure("odd.example")).toBe(`udp 127.0.0.1:${server.port}: no-edns`);
    await answer("a.example");
    expect(queries.map(({ additionals }) => additionals?.length)).toEqual([1, 0, 1]);
  });

  it("gives each of many servers its turn before the deadline", async () => {
    const silent = await Promise.all(Array.from({ length: 7 }, () => upstream({ tamper: () => undefined })));
    expect(addressesOf(await asker([...silent, await upstream()]).answer("a.example"))).toEqual(["192.0.2.1"]);
  });

  it("begins the next question with a server that had no turn, where the deadline came first", async () => {
    const silent = await upstream({ tamper: () => undefined });
    const slow = await upstream({ delayMs: 350 });
    const { answer, failure } = asker([silent, slow], 400);
    expect(await failure("a.example")).toContain("no reply in time");
    expect(addressesOf(await answer("a.example"))).toEqual(["192.0.2.1"]);
  });

  it("takes no reply with another id or question, and counts them", async () => {
    const socket = DgramAsPromised.createSocket("udp4");
    const { port } = await socket.bind({ address: "127.0.0.1", port: 0 });
    socket.socket.on("message", (message, from) => {
      const query = dnsPacket.decode(message);
      const forged = (changes: Partial<dnsPacket.Packet>) =>
        dnsPacket.encode({
          type: "response",
          id: query.id ?? 0,
          flags: dnsPacket.RECURSION_AVAILABLE,
          questions: query.questions ?? [],
          answers: [{ type: "A", name: "a.example", ttl: 60, data: "203.0.113.66" }],
          ...changes,
        });
      const replies = [
        forged({ id: ((query.id ?? 0) + 1) & 0xffff }),
        forged({ questions: [{ type: "A", name: "b.example" }] }),
        forged({ questions: [{ type: "AAAA", name: "a.example" }] }),
        forged({ type: "query" }),
        Buffer.from("no DNS"),
        forged({ answers: [{ type: "A", name: "a.example", ttl: 60, data: "192.0.2.1" }] }),
      ];
      for (const reply of replies) socket.socket.send(reply, from.port, from.address);
    });
    const { answer, counters } = asker([{ host: "127.0.0.1", port }]);
    expect(addressesOf(await answer("a.example"))).toEqual(["192.0.2.1"]);
    expect(counters.repliesForeign).toBe(5);
    await socket.close();
  });

  it("asks over TCP when it is flooded with replies of wrong ids", async () => {
    const flood = DgramAsPromised.createSocket("udp4");
    const { port } = await flood.bind({ address: "127.0.0.1", port: 0 });
    flood.socket.on("message", (message, from) => {
      for (let i = 1; i <= 64; i++) {
        const wrong = Buffer.from(message);
        wrong.writeUInt16BE((message.readUInt16BE(0) + i) & 0xffff, 0);
        wrong.writeUInt16BE(0x8180, 2);
        flood.socket.send(wrong, from.port, from.address);
      }
    });
    // Nobody listens for TCP there: two more datagrams go out, each to a flood of its own, and none of that is believed.
    const { failure, counters } = asker([{ host: "127.0.0.1", port }]);
    expect(await failure("a.example")).toMatch(/no reply that counts/);
    expect(counters.repliesForeign).toBe(3 * 16);
    expect(counters.upstreamQueries).toBe(3 + 1);
    await flood.close();
  });

  it("opens a socket on a port of its own for each query", async () => {
    const ports = new Set<number>();
    const socket = DgramAsPromised.createSocket("udp4");
    const { port } = await socket.bind({ address: "127.0.0.1", port: 0 });
    const ids = new Set<number>();
    socket.socket.on("message", (message, from) => {
      ports.add(from.port);
      const query = dnsPacket.decode(message);
      ids.add(query.id ?? 0);
      const answers: dnsPacket.Answer[] = [{ type: "A", name: "a.example", ttl: 60, data: "192.0.2.1" }];
      const reply = {
        type: "response",
        id: query.id ?? 0,
        flags: 0,
        questions: query.questions ?? [],
        answers,
      } as const;
      socket.socket.send(dnsPacket.encode(reply), from.port, from.address);
    });
    const { answer } = asker([{ host: "127.0.0.1", port }]);
    for (let i = 0; i < 40; i++) await answer("a.example");
    await socket.close();
    expect(ports.size).toBeGreaterThan(35);
    expect(ids.size).toBeGreaterThan(35);
  });

  it("goes on listening to a silent server when another has answered, to know how it is", async () => {
    const takenBack: string[] = [];
    const server = (text: string) =>
      ({ text, health: createHealth(nowMs()), window: createWindow(), dialect: createDialect() }) as unknown as Server;
    const servers = [server("silent"), server("alive")];
    const record = makeRecord({ name: "a.example", type: TYPE_A, data: [] });
    const exchange: Exchange = ({ text, health }, { name }, _isAsLibc, { ended }) => {
      health.asked(nowMs(), name);
      if (text === "alive") setImmediate(() => ended({ record }));
      return {
        again: () => true,
        isOverTcp: () => false,
        isAsLibc: () => false,
        takeBack: () => void takenBack.push(text),
        waited: () => undefined,
      };
    };
    const ask = createAsk({
      order: () => servers,
      alongside: () => undefined,
      isList: false,
      timeoutMs: 2500,
      gate(go) {
        go();
        return () => undefined;
      },
      heard: () => undefined,
      exchange,
      wheel: createWheel(),
      counters: createCounters(),
    });
    expect(await ask({ name: "a.example", type: TYPE_A }, () => undefined)).toEqual({ record });
    expect(takenBack).toEqual([]);
    await vi.waitFor(() => expect(takenBack).toEqual(["silent"]), 10_000);
  });

  it("keeps its place in a full window, however long that takes, and takes nothing for lost that has not been sent", async () => {
    const sends: Array<() => void> = [];
    let taken = 0;
    let lost = 0;
    const window = {
      enter(_name: string, send: () => void) {
        sends.push(send);
        return () => void taken++;
      },
      lost: () => void lost++,
    };
    const server = {
      text: "busy",
      health: createHealth(nowMs()),
      window,
      dialect: createDialect(),
    } as unknown as Server;
    const record = makeRecord({ name: "a.example", type: TYPE_A, data: [] });
    const counters = createCounters();
    const ask = createAsk({
      order: () => [server],
      alongside: () => undefined,
      isList: false,
      timeoutMs: 60_000,
      gate(go) {
        go();
        return () => undefined;
      },
      heard: () => undefined,
      exchange(_server, _question, _isAsLibc, { ended }) {
        setImmediate(() => ended({ record }));
        return {
          again: () => true,
          isOverTcp: () => false,
          isAsLibc: () => false,
          takeBack: () => undefined,
          waited: () => undefined,
        };
      },
      wheel: createWheel(),
      counters,
    });
    const asked = ask({ name: "a.example", type: TYPE_A }, () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 700)); // twice the first wait
    expect([sends.length, taken, lost, counters.upstreamTimeouts]).toEqual([1, 0, 0, 0]);
    sends[0]?.();
    expect(await asked).toEqual({ record });
  });
});
