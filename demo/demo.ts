// `npm run demo`: real programs resolve real names through client.so, dns.sock, the table and our own queries, beside
// what they get without the cache. It ends with 0 only if all that it shows is as it should be.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { addressesIn, CLIENTS, isInstalled, run, timer } from "./clients.ts";
import { startServer } from "./serverProcess.ts";
import { startUpstream, type Zone } from "./upstream.ts";
import { EXAMPLE_ZONE } from "./zone.ts";

const NAMES = ["google.com", "github.com"];
const MISSING_NAME = "no-such-name.namewell.example.";
const LOOKUPS = 200;
const PAGE_NAME = "page.namewell.example";
const TOLD_MS = 5000;
const UPSTREAM_DELAY_MS = 20; // as far away as a real one
const PAGE = "served by its name\n";
const NAMEWELL = fileURLToPath(new URL("namewell.js", import.meta.url)); // beside this bundle
const isWatched = process.stdin.isTTY === true && process.stdout.isTTY === true;

let isAllTrue = true;
function check(isTrue: boolean, what: string): void {
  if (!isTrue) isAllTrue = false;
  console.log(`  ${isTrue ? "ok  " : "FAIL"}  ${what}`);
}

const page = http.createServer((_request, response) => void response.end(PAGE));
await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
const pagePort = (page.address() as AddressInfo).port;

const given = process.env.DNS_CACHE_UPSTREAMS;
const zone: Zone = { ...EXAMPLE_ZONE, [PAGE_NAME]: { ttl: 60, A: ["127.0.0.1"] } };
const upstream = given ? undefined : await startUpstream({ zone, delayMs: UPSTREAM_DELAY_MS });
const directory = mkdtempSync(path.join(tmpdir(), "namewell-"));
const statusPage = isWatched ? `127.0.0.1:${await freePort()}` : undefined;
const server = startServer({
  DNS_CACHE_DIR: directory,
  ...(statusPage !== undefined && { DNS_CACHE_HTTP: statusPage, DNS_CACHE_HTTP_NAMES: "on" }), // names of the demo's own
  DNS_CACHE_UPSTREAMS: given || `127.0.0.1:${upstream?.port}`,
  // The example upstream is none of this machine's nameservers, and what it denies is to be denied all the same.
  ...(upstream !== undefined && { DNS_CACHE_DENIALS: "final" }),
  DNS_CACHE_LOG_LEVEL: "debug",
});
const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DNS_CACHE_")));
const plain = { ...inherited, LD_PRELOAD: "", RES_OPTIONS: "timeout:1 attempts:1" };
const cached = { ...inherited, LD_PRELOAD: path.join(directory, "client.so") };

try {
  await server.seen("Listening");
  const loaded = await run("true", [], cached);
  check(loaded.stderr === "", `client.so can be loaded from ${directory} ${loaded.stderr}`);
  console.log(
    `Namewell in ${directory}, asking ${given ?? `an example upstream that only this demo has, ${UPSTREAM_DELAY_MS} ms away`}\n`,
  );
  await showClients();
  await showTimes();
  if (upstream !== undefined) {
    await showPage();
    await showMissing();
  }
  showLog();
  if (upstream !== undefined) showCounts(upstream.asked);
  await showStatus();
  if (statusPage !== undefined) await keepUp(statusPage);
} finally {
  const code = await server.stopped("SIGTERM");
  check(code === 0, "The server stopped cleanly");
  await upstream?.close();
  page.close();
  rmSync(directory, { recursive: true, force: true });
}
console.log(isAllTrue ? "\nAll of this is as it should be." : "\nNot all of this is as it should be.");
process.exit(isAllTrue ? 0 : 1);

async function showClients(): Promise<void> {
  console.log(
    "What programs get, and how long the whole program takes (ms): first without the cache, then twice with it\n",
  );
  console.log(row("program", "name", "without", "ms", "with", "ms", "again, ms"));
  const results: Array<[boolean, string]> = [];
  for (const client of CLIENTS) {
    if (!isInstalled(client.program)) {
      console.log(row(client.title, "(not on this machine)"));
      continue;
    }
    if (client.program === "getent" && !hasAddress()) {
      console.log(row(client.title, "(needs an address besides loopback)"));
      continue;
    }
    for (const name of NAMES) {
      const args = client.arguments(name + dot());
      const without = await run(client.program, args, plain);
      const first = await run(client.program, args, cached);
      const again = await run(client.program, args, cached);
      const addresses = addressesIn(first);
      const shown = [without, first].map((each) => addressesIn(each).join(" ") || "nothing");
      const times = [without, first, again].map((each) => each.ms.toFixed(0));
      console.log(row(client.title, name, shown[0], times[0], shown[1], times[1], times[2]));
      const expected = upstream === undefined ? addresses : [...(zone[name]?.A ?? [])].sort();
      const isRight =
        addresses.length > 0 && [addresses, addressesIn(again)].every((each) => `${each}` === `${expected}`);
      results.push([isRight, `${client.title} gets ${expected.join(" ") || "an address"} for ${name}, twice`]);
    }
  }
  console.log();
  for (const [isRight, what] of results) check(isRight, what);
  check(results.length > 0, "A program to try it with is on this machine");
}

/** Where this machine's own resolver knows the name, its times stand beside the cache's. */
async function showTimes(): Promise<void> {
  const name = NAMES[0] as string;
  const { title, program, ...each } = timer();
  console.log(
    `\nOne lookup of ${name} inside a running ${title} program (µs): the first, then the mean of ${LOOKUPS} more\n`,
  );
  const args = [...each.arguments(name + dot()), `${LOOKUPS}`];
  const without = await run(program, args, plain);
  const warm = await run(program, args, cached);
  console.log(row("without the cache", ...(without.code === 0 ? without.stdout.trim().split(" ") : ["not found"])));
  console.log(row("with the cache", ...warm.stdout.trim().split(" ")));
  console.log();
  check(warm.code === 0, `${LOOKUPS + 2} lookups of ${name} in one program all gave an address`);
  await Promise.race([server.seen(`Cache hit ${name}`), sleep(TOLD_MS)]); // by a frame that the program has not waited for
}

async function showPage(): Promise<void> {
  if (!isInstalled("curl")) return;
  const got = await run("curl", ["-s", "--noproxy", "*", `http://${PAGE_NAME}${dot()}:${pagePort}/`], cached);
  check(got.stdout === PAGE, `curl reads a page from http://${PAGE_NAME}, a name that only the example upstream has`);
}

async function showMissing(): Promise<void> {
  if (!isInstalled("getent")) return;
  const [without, got] = [
    await run("getent", ["ahostsv4", MISSING_NAME], plain),
    await run("getent", ["ahostsv4", MISSING_NAME], cached),
  ];
  check(
    got.code !== 0 && got.code === without.code && got.stdout === without.stdout,
    `getent fails for ${MISSING_NAME} as it does without the cache`,
  );
}

function showLog(): void {
  console.log("\nThe server's log:");
  const lines = server.log.map(({ msg }) => msg).filter((msg) => /^(Got message|Cache )/.test(msg));
  for (const line of lines.slice(0, 12)) console.log(`  ${line}`);
  if (lines.length > 12) console.log(`  … and ${lines.length - 12} more`);
  console.log();
  for (const start of [`Got message: '${NAMES[0]}'`, `Cache warmup ${NAMES[0]}`, `Cache hit ${NAMES[0]}`]) {
    check(lines.includes(start), `The log says: ${start}`);
  }
}

function showCounts(asked: ReadonlyArray<{ name: string; type: string }>): void {
  const lines = server.log.filter(({ msg }) => msg.startsWith("Cache hit"));
  const hits = lines.reduce((sum, line) => sum + Number(line.hits), 0);
  console.log(`\nAsked upstream: ${asked.length}. Hits that the server knows of: ${hits}.\n`);
  for (const name of NAMES) {
    const count = asked.filter((entry) => entry.name === name && entry.type === "A").length;
    check(count === 1, `The upstream was asked once for the address of ${name}`);
  }
  check(hits >= LOOKUPS, "All else came from the cache, most of it without asking the server");
}

async function showStatus(): Promise<void> {
  await server.seen(`Serving numbers and health on ${directory}/control.sock`);
  const status = await run(process.execPath, [NAMEWELL, "status", "--dir", directory], inherited);
  console.log(`\nnamewell status:\n\n${status.stdout}`);
  check(status.code === 0, `namewell status tells how the server is ${status.stderr}`);
}

async function keepUp(address: string): Promise<void> {
  console.log(`\nThe server's page is http://${address}/ until Enter is pressed, and its commands are`);
  console.log(`  node ${NAMEWELL} lookup ${NAMES[0]} --dir ${directory}`);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  await once(terminal, "line", "close", "SIGINT");
  terminal.close();
}

/** Whichever comes first. */
function once(terminal: Interface, ...events: string[]): Promise<void> {
  return new Promise((resolve) => {
    for (const event of events) terminal.once(event, resolve);
  });
}

async function freePort(): Promise<number> {
  const listener = net.createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

/** getent asks only for families that this machine has an address of, loopback apart. */
function hasAddress(): boolean {
  return Object.values(networkInterfaces()).some((each) =>
    each?.some(({ family, internal }) => family === "IPv4" && !internal),
  );
}

/** Where names need a search list first, as in Kubernetes' pods, this version asks only for absolute ones. */
function dot(): string {
  const text = existsSync("/etc/resolv.conf") ? readFileSync("/etc/resolv.conf", "utf8") : "";
  return Number(/^options\b.*\bndots:(\d+)/m.exec(text)?.[1] ?? 1) > 1 ? "." : "";
}

function row(...cells: ReadonlyArray<string | undefined>): string {
  const widths = [20, 12, 16, 6, 16, 6, 9];
  return `  ${cells
    .map((cell, i) => (cell ?? "").padEnd(widths[i] ?? 0))
    .join(" ")
    .trimEnd()}`;
}
