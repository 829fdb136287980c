// The start list of `node dist/server.js`.
import fs from "node:fs";
import { createCache } from "./cache.ts";
import { ConfigError, readConfig, upstreamText } from "./config.ts";
import { createCounters } from "./counters.ts";
import { DirectoryError, openDirectory } from "./directory.ts";
import { createListener } from "./listener.ts";
import { createLog } from "./log.ts";
import { messageReader } from "./message.ts";
import { createResolver } from "./resolver.ts";
import { createResponder } from "./responder.ts";
import { createAsk } from "./upstream/ask.ts";
import { loadWasm } from "./wasm.ts";

const CLIENT_FILE = new URL("client.so", import.meta.url).pathname;

async function start(): Promise<void> {
  const config = readConfig(process.env, () => fs.readFileSync("/etc/resolv.conf", "utf8"));
  const log = createLog(config.logLevel);
  const counters = createCounters();
  const upstreams = config.upstreams.map(upstreamText);

  const wasm = loadWasm({ ...config, upstreams: upstreams.join(", ") });
  const cache = createCache(wasm);
  const ask = createAsk({ ...config, readReply: messageReader(wasm).read, counters, log });
  const resolve = createResolver({ cache, ask, counters, log });
  const responder = createResponder({ resolve, timeoutMs: config.timeoutMs, counters, log });
  const listener = createListener(responder, counters);

  const directory = openDirectory(config.directory, log);
  await directory.refuseSecondServer();
  directory.installClient(CLIENT_FILE);
  await directory.listen(listener.server);

  async function stop(signal: NodeJS.Signals): Promise<void> {
    log.stopping(signal);
    directory.leave();
    await listener.close();
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
  log.listening(directory.socketPath, upstreams, config.entries);
}

try {
  await start();
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof DirectoryError)) throw error;
  console.error(error.message);
  process.exit(1);
}
