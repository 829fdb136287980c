// The server of a story: all of it but sockets and files, wired as src/server.ts does, on the clock of the test.
import { EPOCH_BYTES, HEADER_BYTES, HEADER_EPOCH, SET_BYTES, SLOT_BYTES } from "../../assembly/layout.ts";
import { type Counters, createCounters } from "../../src/counters.ts";
import type { Responder } from "../../src/door/connection.ts";
import { createResponder } from "../../src/door/responder.ts";
import { createUsage } from "../../src/door/usage.ts";
import { createLog } from "../../src/log.ts";
import { createNames } from "../../src/resolve/names.ts";
import { createResolver } from "../../src/resolve/resolver.ts";
import { createViews, type Views } from "../../src/resolve/views.ts";
import { type Config, readConfig } from "../../src/settings/config.ts";
import { nameserversOf } from "../../src/settings/resolvconf.ts";
import { createCache } from "../../src/table/cache.ts";
import { messageReader } from "../../src/table/message.ts";
import { createPublisher } from "../../src/table/publisher.ts";
import { createStandstill } from "../../src/table/standstill.ts";
import { upstreamText } from "../../src/upstream/address.ts";
import { createExchange } from "../../src/upstream/exchange.ts";
import { createGroup, type Listing } from "../../src/upstream/group.ts";
import { createProbe } from "../../src/upstream/probe.ts";
import { createWheel } from "../../src/wheel.ts";
import { debugWasm } from "../support/wasm.ts";
import { createUpstream, transportTo, type Upstream } from "./network.ts";

export interface Machine {
  readonly config: Config;
  readonly responder: Responder;
  readonly views: Views;
  readonly counters: Counters;
  readonly logLines: string[];
  readonly epoch: Uint8Array;
  /** By the text of its address. */
  readonly upstreams: Map<string, Upstream>;
  /** All records that clients can see, by slot. */
  published(): Map<number, Buffer>;
  check(): void;
}

export function createMachine(env: Record<string, string>, listing?: Listing): Machine {
  const config = readConfig(env, () => nameserversOf(""));
  const logLines: string[] = [];
  const log = createLog("debug", { write: (line) => void logLines.push(line) });
  const counters = createCounters();
  const wasm = debugWasm({ ...config, upstreams: "" });
  const changed = new Set<number>();
  const cache = createCache(wasm, (slotOffset) => void (slotOffset !== 0 && changed.add(slotOffset)));
  const wheel = createWheel();
  const { read: readReply } = messageReader(wasm);
  const exchange = createExchange({ readReply, counters, log });
  const probe = createProbe({ readReply, wheel, counters });
  const upstreams = new Map<string, Upstream>();
  const views = createViews({
    ...config,
    ...(listing && { listing }),
    createGroup: (addresses, listing) =>
      createGroup({
        upstreams: addresses,
        listing,
        timeoutMs: config.timeoutMs,
        exchange,
        probe,
        wheel,
        counters,
        log,
        connect(address) {
          const key = upstreamText({ ...address, transport: "udp" });
          const upstream = upstreams.get(key) ?? createUpstream(address);
          upstreams.set(key, upstream);
          return transportTo(upstream, address.transport === "udp" ? "udp" : "tcp");
        },
      }),
  });
  const standstill = createStandstill((lostMs) => {
    log.stoodStill(Math.round(lostMs / 1000));
    resolver.forget();
    cache.forgetLong();
    publisher.renew({ upstreams: "" });
  });
  const nowhere = {
    tablePath: "",
    asidePath: () => "",
    isInPlace: () => true,
    onPlaceLost: () => undefined,
    isOn: false,
  };
  const publisher = createPublisher({ ...nowhere, realMsAt: standstill.realMsAt, wasm, counters, log });
  const names = createNames();
  const resolver = createResolver({ ...config, cache, views, standstill, wheel, names, counters, log });
  const usage = createUsage({ cache, refresh: resolver.refresh, names, counters, log });
  const responder = createResponder({ ...config, resolver, usage, wheel, counters, log });
  return {
    config,
    responder,
    views,
    counters,
    logLines,
    get epoch() {
      return Uint8Array.from(wasm.image.subarray(HEADER_EPOCH, HEADER_EPOCH + EPOCH_BYTES));
    },
    upstreams,
    published() {
      const used = [...changed].filter((at) => wasm.isUsed(Math.floor((at - HEADER_BYTES) / SET_BYTES)));
      return new Map(used.map((at) => [at, wasm.image.subarray(at, at + SLOT_BYTES)]));
    },
    check: () => wasm.check(),
  };
}
