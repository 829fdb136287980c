#!/usr/bin/env node
// The start list of `node dist/server.js`.
import { fileURLToPath } from "node:url";
import { saidTo } from "./cli/serverArguments.ts";
import { createCounters } from "./counters.ts";
import { CONNECTIONS_MAX, createListener } from "./door/listener.ts";
import { createResponder } from "./door/responder.ts";
import { createUsage } from "./door/usage.ts";
import { createLog } from "./log.ts";
import { createControl } from "./operate/control.ts";
import { countsOf } from "./operate/counts.ts";
import { watchLoop } from "./operate/loop.ts";
import { createSide, type Side } from "./operate/side.ts";
import { createCondition } from "./place/condition.ts";
import { DirectoryError, openDirectory } from "./place/directory.ts";
import { LibraryError, readDoctor, readLibrary } from "./place/library.ts";
import { createNames } from "./resolve/names.ts";
import { createResolver } from "./resolve/resolver.ts";
import { IN_FLIGHT_MAX } from "./resolve/underway.ts";
import { tableView } from "./resolve/view.ts";
import { createViews } from "./resolve/views.ts";
import { type Config, ConfigError, readConfig } from "./settings/config.ts";
import { followNameservers, type Nameservers, nameserversAt, RESOLV_CONF } from "./settings/resolvconf.ts";
import { createCache } from "./table/cache.ts";
import { messageReader } from "./table/message.ts";
import { createPublisher } from "./table/publisher.ts";
import { createStandstill } from "./table/standstill.ts";
import { loadWasm, type TableView, type Wasm } from "./table/wasm.ts";
import { upstreamText } from "./upstream/address.ts";
import { createConnect } from "./upstream/connect.ts";
import { createExchange } from "./upstream/exchange.ts";
import { createGroup } from "./upstream/group.ts";
import { createProbe } from "./upstream/probe.ts";
import { VERSION } from "./version.ts";
import { createWheel } from "./wheel.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const OPERATE = new URL("operate.js", import.meta.url);
const STOP_GRACE_MS = 500; // past the end of the last question under way

async function start(): Promise<void> {
  const readNameservers = () => nameserversAt(RESOLV_CONF, process.env.RES_OPTIONS);
  const config = readConfig(process.env, readNameservers);
  const log = createLog(config.logLevel);
  const counters = createCounters();
  let view = tableView(config.upstreams, config.rules, config.listing);

  const library = readLibrary(HERE, process.arch);
  const doctor = readDoctor(HERE, process.arch);
  const wasm = loadTable(config, view);
  const directory = openDirectory(config.directory, log);
  const standstill = createStandstill(forget);
  const publishing = { isOn: config.sharedTable, realMsAt: standstill.realMsAt, onPlaceLost };
  const publisher = createPublisher({ ...directory, ...publishing, wasm, counters, log });
  const cache = createCache(wasm, publisher.publish);
  const wheel = createWheel();
  const { read: readReply } = messageReader(wasm);
  const exchange = createExchange({ readReply, counters, log });
  const probe = createProbe({ readReply, wheel, counters });
  const connect = createConnect(wheel, counters);
  const asking = { timeoutMs: config.timeoutMs, connect, exchange, probe, wheel, counters, log };
  const views = createViews({
    ...config,
    createGroup: (upstreams, listing) => createGroup({ ...asking, upstreams, listing }),
  });
  const names = createNames();
  const resolver = createResolver({ ...config, cache, views, standstill, wheel, names, counters, log });
  const usage = createUsage({ cache, refresh: resolver.refresh, names, counters, log });
  const responder = createResponder({
    resolver,
    usage,
    timeoutMs: config.timeoutMs,
    wheel,
    counters,
    log,
  });
  const listener = createListener(responder, counters);
  const isListening = () => listener.server.listening;
  const condition = createCondition({
    directory: config.directory,
    libraryPath: config.libraryPath,
    libraryArch: process.arch,
    libraryBytes: library.length,
    tableBytes: config.sharedTable ? wasm.image.length : 0,
  });
  const control = createControl({
    version: VERSION,
    entries: config.entries,
    socketPath: directory.socketPath,
    connectionsLimit: CONNECTIONS_MAX,
    questionsLimit: IN_FLIGHT_MAX,
    isListening,
    connections: listener.connections,
    directory: condition,
    cache,
    publisher,
    resolver,
    views,
    names,
    counters,
    log,
  });
  let side: Side | undefined;

  /** Other servers may have another view of DNS: what the last ones said does not count any more. */
  function useNameservers({ addresses, listing }: Nameservers): void {
    log.upstreamsChanged(addresses.map(upstreamText));
    views.replaceUpstreams(addresses, listing);
    const next = tableView(addresses, config.rules, listing);
    if (next.upstreams === view.upstreams) return;
    view = next;
    resolver.forget();
    cache.forgetLong();
    publisher.renew(view);
  }

  /** Nobody knows any more how old anything is. */
  function forget(lostMs: number): void {
    log.stoodStill(Math.round(lostMs / 1000));
    resolver.forget();
    cache.forgetLong();
    publisher.renew(view);
  }

  /**
   * A start puts everything in its place again, in a directory made anew if need be, and decides between two servers; meanwhile
   * libc answers. No socket can be linked that has no name any more.
   */
  function onPlaceLost(): void {
    log.placeLost(directory.socketPath);
    void end(1);
  }

  function stop(signal: NodeJS.Signals): void {
    log.stopping(signal);
    void end(0);
  }

  async function end(code: number): Promise<void> {
    side?.close();
    publisher.stop(); // before another server can start and go on with the table
    directory.leave();
    await listener.close(config.timeoutMs + STOP_GRACE_MS);
    log.stopped({ counts: countsOf(counters, cache.stats().evicted), groups: views.groups() });
    process.exit(code);
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
  if (doctor !== undefined) directory.installDoctor(doctor);
  publisher.prepare();
  try {
    await directory.listen(listener.server);
  } catch (error) {
    publisher.stop();
    throw error;
  }
  publisher.start();
  standstill.watch();
  directory.removeLeftOver();
  const { upstreams, listing } = config;
  if (listing !== undefined) followNameservers(readNameservers, useNameservers, { addresses: upstreams, listing });
  if (upstreams.length === 0) log.upstreamsMissing();
  const { isLibraryNoexec, hasRoomForSecondTable } = condition();
  if (isLibraryNoexec) log.libraryNoexec(config.libraryPath);
  if (!hasRoomForSecondTable) log.directorySmall(config.directory);
  log.listening(directory.socketPath, upstreams.map(upstreamText), config.entries);
  watchLoop(counters.eventLoopDelays);
  const { http, httpNames: areNamesShown, controlPath, timeoutMs } = config;
  side = createSide({ workerFile: OPERATE, http, areNamesShown, controlPath, timeoutMs, isListening, control, log });
}

function loadTable(config: Config, view: TableView): Wasm {
  try {
    return loadWasm({ ...config, ...view });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(`DNS_CACHE_ENTRIES: '${config.entries}' cannot be used: ${error.message}`);
  }
}

const said = saidTo(process.argv.slice(2));
if (said !== undefined) {
  (said.exitCode === 0 ? console.log : console.error)(said.text);
  process.exit(said.exitCode);
}
try {
  await start();
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof DirectoryError || error instanceof LibraryError)) throw error;
  console.error(error.message);
  process.exit(1);
}
