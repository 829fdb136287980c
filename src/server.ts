#!/usr/bin/env node
// The start list of `node dist/server.js`.
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { createCache } from "./cache.ts";
import { type Config, ConfigError, readConfig } from "./config.ts";
import { createCounters } from "./counters.ts";
import { DirectoryError, openDirectory } from "./directory.ts";
import { LibraryError, readLibrary } from "./library.ts";
import { createListener } from "./listener.ts";
import { createLog } from "./log.ts";
import { messageReader } from "./message.ts";
import { createPublisher } from "./publisher.ts";
import { createResolver } from "./resolver.ts";
import { createResponder } from "./responder.ts";
import { upstreamText } from "./upstream/address.ts";
import { createAsk } from "./upstream/ask.ts";
import { createExchange } from "./upstream/exchange.ts";
import { createUsual } from "./upstream/usual.ts";
import { createUsage } from "./usage.ts";
import { loadWasm, type Wasm } from "./wasm.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const STOP_GRACE_MS = 500; // past the end of the last question under way

async function start(): Promise<void> {
  const config = readConfig(process.env, systemResolvConf);
  const log = createLog(config.logLevel);
  const counters = createCounters();
  const upstreams = config.upstreams.map(upstreamText);

  const library = readLibrary(HERE, process.arch);
  const wasm = loadTable(config, upstreams);
  const directory = openDirectory(config.directory, log);
  const publisher = createPublisher({ ...directory, wasm, isOn: config.sharedTable, counters, log });
  const cache = createCache(wasm, publisher.publish);
  const exchange = createExchange({ readReply: messageReader(wasm).read, counters, log });
  const usual = createUsual();
  const ask = createAsk({ ...config, exchange, usual, counters });
  const { resolve, refresh } = createResolver({ ...config, cache, ask, usual, counters, log });
  const usage = createUsage({ cache, refresh, counters, log });
  const responder = createResponder({ resolve, usage, timeoutMs: config.timeoutMs, counters, log });
  const listener = createListener(responder, counters);

  async function stop(signal: NodeJS.Signals): Promise<void> {
    log.stopping(signal);
    publisher.stop(); // before another server can start and go on with the table
    directory.leave();
    await listener.close(config.timeoutMs + STOP_GRACE_MS);
    log.stopped(counters);
    process.exit(0);
  }
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  // A trap in the Wasm module is among these: its table is not to be trusted any more, so the process ends, clients go
  // to libc, and whoever supervises the server starts it anew.
  process.on("uncaughtException", (error) => {
    log.crashed(error);
    process.exit(1);
  });

  await directory.refuseSecondServer();
  directory.installClient(library);
  publisher.prepare();
  try {
    await directory.listen(listener.server);
  } catch (error) {
    publisher.stop();
    throw error;
  }
  publisher.start();
  directory.removeLeftOver();
  log.listening(directory.socketPath, upstreams, config.entries);
}

function systemResolvConf(): string {
  try {
    return fs.readFileSync("/etc/resolv.conf", "utf8");
  } catch {
    return "";
  }
}

function loadTable(config: Config, upstreams: readonly string[]): Wasm {
  try {
    return loadWasm({ ...config, upstreams: upstreams.join(", ") });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(`DNS_CACHE_ENTRIES: '${config.entries}' cannot be used: ${error.message}`);
  }
}

try {
  await start();
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof DirectoryError || error instanceof LibraryError)) throw error;
  console.error(error.message);
  process.exit(1);
}
