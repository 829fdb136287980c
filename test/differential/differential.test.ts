// The judge: libc itself. One program prints every field of every result, once asking a real nameserver, once preloaded
// with client.so, cold (each answer comes over the socket) and warm (each comes from the published table), with a server
// whose upstream knows the same zone. Each call is a process of its own that has looked up nothing before, with values in
// errno and h_errno that nothing else leaves there.
import fs from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream } from "../../demo/upstream.ts";
import { failing } from "../support/failing.ts";
import { buildClient } from "../support/programs.ts";
import { type Sandbox, sandbox } from "../support/sandbox.ts";
import { brokenSearches, warming } from "./calls.ts";
import {
  ALIASES,
  ALIASES_FILE,
  ENVIRONMENTS,
  type Environment,
  EVERYWHERE,
  HOSTS,
  type Libc,
  leastSpared,
  NSSWITCH,
  resolvConfOf,
} from "./environments.ts";
import { explanation } from "./explained.ts";
import { enter, lookups, type Machine, machines } from "./machines.ts";
import { IS_FULL, SHARE, STEP } from "./size.ts";
import { ZONE } from "./zone.ts";

const CLIENT = buildClient("steady", "-DNAMEWELL_STEADY"); // where each process starts to rotate is chance otherwise
const UPSTREAM_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const MACHINES = await machines();
const PRESENT = MACHINES.filter(({ missing }) => missing === undefined);
// Failures, names that no client takes, and denials of Kubernetes' names, which last five seconds.
const NOT_KEPT =
  /broken|(four|six)missing\.|x\.(refused|notimp|formerr)\.|brief|sixty|about|round|100\.51\.198\.|hyphen|^(7|8|13)\.2\.0\.192\.|cluster\.local$/;
const NEGATIVE_SECONDS = 3600;
const FEW = 2; // questions, of a dozen perhaps

interface CacheServer {
  readonly directory: string;
  readonly process: ServerProcess;
  /** The names that clients have asked for over the socket. */
  questions(): string[];
}

/** Each libc has its own, so that its questions are counted apart. */
interface Place {
  readonly libc: Libc;
  readonly box: Sandbox;
  /** The socket that tells the number of questions. */
  readonly counter: string;
}

type Mode = "alone" | "cold" | "warm";
const places = new Map<string, Place>();
const totals = { calls: 0, cold: 0, warm: 0, explained: new Map<string, number>() };
const shares: string[] = [];
let machine: Machine;
let caches: string;
let upstream: Upstream;
let cold: CacheServer;
let warm: CacheServer;

async function startCache(title: string, more: Record<string, string>): Promise<CacheServer> {
  const directory = path.join(caches, title);
  fs.mkdirSync(directory);
  const process = startServer({
    DNS_CACHE_DIR: directory,
    DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`,
    DNS_CACHE_DENIALS: "final", // the nameserver that libc asks says the same
    DNS_CACHE_MAX_NEGATIVE_TTL: String(NEGATIVE_SECONDS),
    DNS_CACHE_LOG_LEVEL: "debug",
    ...more,
  });
  await process.seen("Listening");
  const questions = () => process.log.flatMap(({ msg }) => /^Got message: '(.*)'$/.exec(msg)?.[1] ?? []);
  return { directory, process, questions };
}

async function placeOf({ network }: Environment, libc: Libc): Promise<Place> {
  const title = `${network.title}, ${libc}`;
  const known = places.get(title);
  if (known) return known;
  const box = await sandbox({ addresses: network.addresses, routes: network.routes });
  const counter = path.join(warm.directory, title);
  await box.startModule(UPSTREAM_MODULE, ["::", JSON.stringify(ZONE), counter], { ready: /ready/ });
  await box.write(ALIASES_FILE, ALIASES);
  await enter(machine, box, caches);
  const place = { libc, box, counter };
  places.set(title, place);
  return place;
}

const FURNISH = `hostname "$1"; shift
while [ $# -gt 0 ]; do rm -f "$1"; if [ "$2" != - ]; then printf %s "$2" > "$1"; fi; shift 2; done`;

async function furnish({ box }: Place, environment: Environment): Promise<void> {
  const files = {
    "/etc/resolv.conf": resolvConfOf(environment),
    "/etc/hosts": environment.hosts ?? HOSTS,
    "/etc/nsswitch.conf": environment.nsswitch ?? NSSWITCH,
    "/etc/host.conf": environment.hostConf ?? "multi on\n",
    "/etc/gai.conf": environment.gaiConf ?? "",
  };
  const furnished = await box.run([
    ...["sh", "-ec", FURNISH, "sh", environment.hostname ?? "sandbox"],
    ...Object.entries(files).flat(),
  ]);
  expect(furnished).toMatchObject({ code: 0, stderr: "" });
}

function callsOf(environment: Environment, index: number): string[] {
  const groups = IS_FULL && !environment.isSlow ? new Set([...environment.calls, ...EVERYWHERE]) : environment.calls;
  const lines = [...groups].flatMap((group) => group());
  const whole = [...new Set(lines)];
  const share = whole.filter((_, at) => environment.calls.includes(brokenSearches) || (at + index) % SHARE === 0);
  return share.length > 0 ? share : whole.slice(0, 1);
}

async function run({ libc, box }: Place, environment: Environment, mode: Mode, lines: readonly string[]) {
  const { directory } = mode === "cold" ? cold : warm;
  const preload = mode === "alone" ? undefined : { client: CLIENT, caches, directory };
  const { code, stdout, stderr } = await box.run(lookups(machine, libc, environment.variables ?? {}, preload), {
    input: `${lines.join("\n")}\n`,
    timeoutMs: 1_000_000,
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const results = stdout.split(/^(?=get)/m);
  expect(results.length).toBe(lines.length);
  return results;
}

function percent(shares: readonly number[]): string {
  return shares.map((share) => `${Math.round(share * 100)} %`).join(", ");
}

/** How many questions libc itself has asked in this place. */
function questionsOfLibc({ counter }: Place): Promise<number> {
  return text(net.connect(counter)).then(Number);
}

/** Those not explained count when they show twice: a machine that stands still for a second makes some that do not. */
async function differences(place: Place, environment: Environment, mode: Mode, expected: string[], got: string[]) {
  const { libc } = place;
  const again = got.flatMap((preloaded, i) => {
    const alone = String(expected[i]);
    const reason = explanation({ environment: environment.title, libc, alone, preloaded });
    if (reason) totals.explained.set(reason, (totals.explained.get(reason) ?? 0) + 1);
    return reason === undefined ? [String(preloaded.split("\n")[0])] : [];
  });
  if (again.length === 0) return [];
  const alone = await run(place, environment, "alone", again);
  const preloaded = await run(place, environment, mode, again);
  return preloaded.flatMap((text, i) => {
    const observed = { environment: environment.title, libc, alone: String(alone[i]), preloaded: text };
    return observed.alone === text || explanation(observed) !== undefined
      ? []
      : [`${environment.title}, ${libc}, ${mode}: ${observed.alone}--- preloaded:\n${text}`];
  });
}

for (const { title, missing } of MACHINES) {
  if (missing !== undefined) describe.skip(`client.so against the libcs of ${title}`, () => it(missing, () => {}));
}

describe.each(PRESENT)("client.so against the libcs of $title", (own) => {
  const { libcs } = own;
  beforeAll(async () => {
    machine = own;
    places.clear();
    Object.assign(totals, { calls: 0, cold: 0, warm: 0, explained: new Map() });
    shares.length = 0;
    caches = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    upstream = await startUpstream({ zone: ZONE, soaMinimum: NEGATIVE_SECONDS, tamper: failing });
    cold = await startCache("cold", { DNS_CACHE_SHARED_TABLE: "off" });
    warm = await startCache("warm", {});
  });
  afterAll(async () => {
    for (const { box } of places.values()) await box.close();
    for (const server of [cold, warm]) await server.process.stopped("SIGTERM");
    fs.rmSync(caches, { recursive: true, force: true });
    await upstream.close();
    if (!IS_FULL) return;
    const reasons = [...totals.explained].map(([reason, count]) => `${count} explained: ${reason}`);
    console.log(
      [
        `${machine.title}: ${totals.calls} calls, ${totals.cold} answered over the socket, ${totals.warm} from the table`,
        ...reasons,
        ...shares,
      ].join("\n"),
    );
  });

  for (const [index, environment] of ENVIRONMENTS.entries()) {
    if (
      !IS_FULL &&
      (environment.isSlow
        ? !environment.calls.includes(brokenSearches)
        : index % STEP !== 0 && environment.calls.length === 1)
    )
      continue;
    it(`gives every field as libc does: ${environment.title}`, { timeout: 1_800_000 }, async () => {
      const here = await Promise.all(libcs.map((libc) => placeOf(environment, libc)));
      await Promise.all(here.map((place) => furnish(place, environment)));
      const lines = callsOf(environment, index);
      const each = <T>(work: (place: Place) => Promise<T>) => Promise.all(here.map(work));
      const runs = (mode: Mode, lines: readonly string[]) => each((place) => run(place, environment, mode, lines));

      const libcAtFirst = await each(questionsOfLibc);
      const alone = await runs("alone", lines);
      const [libcBefore, coldBefore] = [await each(questionsOfLibc), cold.questions().length];
      const overSocket = await runs("cold", lines);
      const [libcCold, coldAsked] = [await each(questionsOfLibc), cold.questions().length - coldBefore];
      await runs("warm", warming(lines));
      const [libcBetween, warmBefore] = [await each(questionsOfLibc), warm.questions().length];
      const fromTable = await runs("warm", lines);
      const [libcWarm, warmAsked] = [await each(questionsOfLibc), warm.questions().slice(warmBefore)];

      // Of what a libc alone asks the nameserver, how much the cache spares it.
      for (const [i, { libc }] of here.entries()) {
        const between = (from: number[], to: number[]) => (to[i] as number) - (from[i] as number);
        const asked = between(libcAtFirst, libcBefore);
        const still = [between(libcBefore, libcCold), between(libcBetween, libcWarm)];
        const spared = still.map((questions) => 1 - questions / Math.max(1, asked));
        shares.push(`${percent(spared)} of ${asked} questions spared, cold and warm: ${environment.title}, ${libc}`);
        const most = asked * (1 - leastSpared(environment, libc)) + FEW;
        expect(Math.max(...still), `of ${asked} questions of ${libc}`).toBeLessThanOrEqual(most);
      }
      const isKept =
        !environment.calls.includes(brokenSearches) && !JSON.stringify(environment).includes("cluster.local");
      expect(isKept ? warmAsked.filter((name) => !NOT_KEPT.test(name)) : []).toEqual([]);
      totals.calls += lines.length * libcs.length;
      totals.cold += coldAsked;
      totals.warm += coldAsked - warmAsked.length;

      const found: string[] = [];
      for (const [i, place] of here.entries()) {
        found.push(
          ...(await differences(place, environment, "cold", alone[i] as string[], overSocket[i] as string[])),
          ...(await differences(place, environment, "warm", alone[i] as string[], fromTable[i] as string[])),
        );
      }
      if (found.length > 0) expect.fail(`${found.length} differences:\n${found.join("\n")}`);
    });
  }

  it("has compared what came from the cache, and not libc with itself", () => {
    expect(totals.cold).toBeGreaterThan(totals.calls / 4);
    expect(totals.warm).toBeGreaterThan(totals.calls / 4);
  });
});
