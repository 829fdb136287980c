// Many combinations side by side in one sandbox: each with servers of its own for libc and the same ones for us, on
// addresses of 10/8, and programs that see a resolv.conf which names them.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { habitOf, tcpOf } from "../story/habits.ts";
import { buildProgram } from "../support/programs.ts";
import { type Sandbox, sandbox } from "../support/sandbox.ts";
import { type Combination, zoneUnder } from "./combination.ts";
import type { Played } from "./serve.ts";

/**
 * Who asks: libc; a program with client.so, whose calls may go on in libc; one whose libc reaches another server, so that it
 * is seen what our server has left to it, and which tries again what fails, since late answers are kept.
 */
export const SIDES = ["libc", "ours", "alone"] as const;
export type Side = (typeof SIDES)[number];

/** What each got. */
export type Results = ReadonlyArray<{ readonly call: string; readonly got: Readonly<Record<Side, string>> }>;

interface Place {
  readonly combination: Combination;
  readonly id: string;
  readonly suffix: string;
}
type Found = ReadonlyMap<string, string>;

const SERVER = fileURLToPath(new URL("../../dist/server.js", import.meta.url));
const SERVE_MODULE = fileURLToPath(new URL("serve.ts", import.meta.url));
const NOBODY = "10.9.9.9";
const OTHER = "10.9.9.8";
/** What libc gets from the other server. */
export const LEFT = "203.0.113.99";
const TRIES: Readonly<Record<Side, number>> = { libc: 1, ours: 1, alone: 3 };
const SYN_RETRIES = "echo 1 > /proc/sys/net/ipv4/tcp_syn_retries"; // 3 s instead of two minutes for what is filtered

/** At most 200 that are equal, which one server of ours serves by rules; listed ones take a server each. */
export async function runWave(combinations: readonly Combination[]): Promise<Results[]> {
  const directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-upstreams-"));
  const places = combinations.map((combination, i) => ({ combination, id: `${i}`, suffix: `c${i}.example` }));
  const box = await sandbox({ addresses: ["10.0.0.1/8"] }); // behind loopback ones no denial is final
  try {
    fs.chmodSync(directory, 0o755);
    await box.run(["sh", "-c", SYN_RETRIES]);
    const played = path.join(directory, "played.json");
    const all = places.flatMap((place) => SIDES.flatMap((side) => play(place, side)));
    const other: Played = { host: OTHER, zone: {}, habits: [`gives ${LEFT} for all`] };
    fs.writeFileSync(played, JSON.stringify([...all, other]));
    await box.startModule(SERVE_MODULE, [played], { ready: /ready/ });
    const found = await Promise.all(SIDES.map((side) => lookFrom(side, box, directory, places)));
    return places.map(({ combination, id }) =>
      combination.calls.map((call, number) => {
        const got = found.map((each, i) => [SIDES[i], each.get(`${id} ${number}`) ?? "nothing"]);
        return { call, got: Object.fromEntries(got) as Record<Side, string> };
      }),
    );
  } finally {
    await box.close();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function hostsOf({ combination, id }: Place, side: Side): string[] {
  return combination.servers.map((_, server) => `10.${SIDES.indexOf(side) + 1}.${server}.${Number(id) + 1}`);
}

function play(place: Place, side: Side): Played[] {
  const zone = zoneUnder(place.suffix);
  return hostsOf(place, side).map((host, i) => ({
    host,
    zone,
    habits: (place.combination.servers[i] ?? []).map((words) => words.replaceAll("~", place.suffix)),
  }));
}

async function lookFrom(side: Side, box: Sandbox, directory: string, places: readonly Place[]): Promise<Found> {
  if (side === "libc") return look(side, box, directory, places);
  const equal = places.filter(({ combination }) => combination.mode === "equal");
  const listed = places.filter(({ combination }) => combination.mode === "listed");
  const all = await Promise.all(
    [...(equal.length === 0 ? [] : [equal]), ...listed.map((place) => [place])].map(async (own) =>
      look(side, box, directory, own, await startServer(side, box, directory, own)),
    ),
  );
  return new Map(all.flatMap((each) => [...each]));
}

/** For one that is listed, or for all those that rules can name; gives what its clients' environment is. */
async function startServer(
  side: Side,
  box: Sandbox,
  directory: string,
  places: readonly Place[],
): Promise<Record<string, string>> {
  const [first] = places as [Place];
  const isListed = first.combination.mode === "listed";
  const title = `${side}-${first.id}-server`;
  const shared = path.join(directory, title);
  fs.mkdirSync(shared, { mode: 0o755 });
  const rules = places.map((place) => `${place.suffix} upstream=${hostsOf(place, side).join(",")}`).join("; ");
  const env = {
    ...(isListed ? {} : { DNS_CACHE_RULES: rules, DNS_CACHE_UPSTREAMS: NOBODY }),
    DNS_CACHE_DIR: shared,
    DNS_CACHE_ENTRIES: "4096",
    DNS_CACHE_DENIALS: "final",
    DNS_CACHE_HTTP: "off",
  };
  const file = resolvConf(directory, title, hostsOf(first, side));
  const ownList = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', file];
  await box.start([...(isListed ? ownList : []), process.execPath, SERVER], { env, ready: /Listening/ });
  return { DNS_CACHE_DIR: shared, LD_PRELOAD: path.join(shared, "client.so") };
}

function resolvConf(directory: string, title: string, hosts: readonly string[]): string {
  const file = path.join(directory, `${title}.conf`);
  fs.writeFileSync(file, hosts.map((host) => `nameserver ${host}\n`).join(""));
  return file;
}

async function look(
  side: Side,
  box: Sandbox,
  directory: string,
  places: readonly Place[],
  env: Record<string, string> = {},
): Promise<Found> {
  const tasks = places.map((place) => {
    const { combination, id, suffix } = place;
    const hosts = side === "alone" ? [OTHER] : hostsOf(place, side);
    const calls = combination.calls.map((call) => `${call}.${suffix}`).join(" ");
    return `${id} ${resolvConf(directory, `${side}-${id}`, hosts)} ${combination.pauseMs} ${calls}\n`;
  });
  const filtered = places.flatMap((place) => filteredOf(place, side));
  const program = buildProgram("test/upstreams/looker.c", "glibc");
  const running = await box.start([program, `${TRIES[side]}`, ...filtered], { env, input: tasks.join("") });
  const { code, stdout, stderr } = await running.ended;
  if (code !== 0 || stderr !== "") throw new Error(`looker ended with ${code}: ${stderr}`);
  return new Map([...stdout.matchAll(/^(\d+ \d+) (.+)$/gm)].map(([, key = "", result = ""]) => [key, result]));
}

function filteredOf(place: Place, side: Side): string[] {
  const { servers } = place.combination;
  return hostsOf(place, side).filter((_, i) => tcpOf((servers[i] ?? []).map(habitOf)).connections === "filtered");
}
