// Programs under load (lookups.c) in a sandbox where libc has a nameserver of its own: the same names, other addresses. What
// happens meanwhile may change who answers, and nothing else.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream, type Zone } from "../../demo/upstream.ts";
import { report } from "../fuzz/size.ts";
import { buildProgram, muslMissing, type Target } from "../support/programs.ts";
import { type Sandbox, sandbox } from "../support/sandbox.ts";
import { type Side, today } from "./sides.ts";

const PROCESSES = 64;
const NAMES = 40;
const SHORT_TTL = 1; // of every second name: they keep the socket busy, and are libc's soon after the server has gone
export const LONG_NAME = "n1.example"; // and of the others
const LIBCS_NAMESERVER = "192.0.2.200";
const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const LOADER_SAYS =
  /^ERROR: ld\.so: object '.*' from (LD_PRELOAD|\/etc\/ld\.so\.preload) cannot be preloaded \(.*\): ignored\.$/;
const PATIENCE_MS = 100_000; // a failure then says what was seen instead

export interface Counts {
  readonly cache: number;
  readonly libc: number;
}
export interface Seen {
  readonly running: Counts;
  readonly started: Counts;
}
export interface Load {
  readonly libc: Target;
  /** The counts so far. */
  seen(): Seen;
  /** The first counts from now on that differ enough from those of this moment. */
  until(enough: (since: Seen) => boolean): Promise<Seen>;
  /** Ends it: nothing has failed, was wrong, did not start or was killed. True where the loader missed client.so. */
  close(): Promise<boolean>;
}

export class Scene {
  readonly base = fs.mkdtempSync(path.join(tmpdir(), "namewell-upgrade-"));
  readonly directory = path.join(this.base, "shared");
  #servers: ServerProcess[] = [];

  private constructor(
    readonly box: Sandbox,
    readonly upstream: Upstream,
  ) {
    fs.chmodSync(this.base, 0o755);
  }

  static async open(): Promise<Scene> {
    const box = await sandbox({ resolvConf: `nameserver ${LIBCS_NAMESERVER}\n` });
    const libcs = zone((i) => [`203.0.113.${i}`, `2001:db8:1::${i.toString(16)}`]);
    await box.startModule(ZONE_MODULE, [LIBCS_NAMESERVER, JSON.stringify(libcs)], { ready: /ready/ });
    const upstream = await startUpstream({ zone: zone((i) => [`198.51.100.${i}`, `2001:db8::${i.toString(16)}`]) });
    return new Scene(box, upstream);
  }

  async server({ server }: Side = today, directory = this.directory): Promise<ServerProcess> {
    const settings = { DNS_CACHE_DIR: directory, DNS_CACHE_UPSTREAMS: `127.0.0.1:${this.upstream.port}` };
    const started = startServer(settings, server);
    this.#servers.push(started);
    await started.seen("Listening");
    return started;
  }

  /** The client.so of the shared directory, unless it is told otherwise. */
  preload(client = path.join(this.directory, "client.so"), directory?: string): Record<string, string> {
    return { LD_PRELOAD: client, ...(directory !== undefined && { DNS_CACHE_DIR: directory }) };
  }

  async load(libc: Target, env = this.preload(), processes = PROCESSES): Promise<Load> {
    const command = [buildProgram("test/upgrade/lookups.c", libc), `${processes}`, `${NAMES}`];
    const running = await this.box.start(command, { env, ready: /^running/m });
    const seen = () => seenIn(running.stdout());
    return {
      libc,
      seen,
      async until(enough) {
        const before = seen();
        for (let waitedMs = 0; ; waitedMs += 20) {
          const since = difference(seen(), before);
          if (enough(since)) return since;
          if (waitedMs > PATIENCE_MS) throw new Error(`${libc}: ${JSON.stringify(since)}\n${running.stderr()}`);
          await sleep(20);
        }
      },
      async close() {
        const { code, stdout, stderr } = await running.stop();
        report(`${libc}, ${processes} processes`, stdout.trimEnd().split("\n").slice(-2).join(", "));
        const lines = stderr.split("\n").filter((line) => line !== "");
        expect({ code, told: lines.filter((line) => !LOADER_SAYS.test(line)) }).toEqual({ code: 0, told: [] });
        expect(stdout).toMatch(/^running \d+ \d+ 0 0 0 started \d+ \d+ 0 0 0\nkilled 0\n$/m);
        return lines.length > 0;
      },
    };
  }

  /** On each libc that is here, half of the processes each. */
  loads(env = this.preload(), processes = PROCESSES): Promise<Load[]> {
    const libcs: Target[] = muslMissing() === undefined ? ["glibc", "musl"] : ["glibc"];
    return Promise.all(libcs.map((libc) => this.load(libc, env, processes / libcs.length)));
  }

  async close(): Promise<void> {
    await this.box.close();
    await Promise.all(this.#servers.map((server) => server.stopped("SIGKILL")));
    await this.upstream.close();
    fs.rmSync(this.base, { recursive: true, force: true });
  }
}

/** What each of the loads has seen from now on until this one has answered so often, in running programs and started ones. */
export function each(loads: Load[], by: "cache" | "libc", [running, started] = [300, 12]): Promise<Seen[]> {
  return Promise.all(
    loads.map((load) => load.until((since) => since.running[by] >= running && since.started[by] >= started)),
  );
}

/** The loader has always found client.so. */
export async function end(loads: Load[]): Promise<void> {
  for (const load of loads) expect(await load.close()).toBe(false);
}

/** A new file in the place of an old one, as the server does it. */
export function replace(file: string, by: string): void {
  const aside = `${file}.aside`;
  fs.copyFileSync(by, aside);
  fs.chmodSync(aside, 0o555);
  fs.renameSync(aside, file);
}

function zone(addresses: (i: number) => [string, string]): Zone {
  const entry = (i: number) => {
    const [v4, v6] = addresses(i + 1);
    return [`n${i}.example`, { ttl: i % 2 ? 3600 : SHORT_TTL, A: [v4], AAAA: [v6] }];
  };
  return Object.fromEntries(Array.from({ length: NAMES }, (_, i) => entry(i)));
}

function seenIn(stdout: string): Seen {
  const line = /running (\d+) (\d+) [\d ]+ started (\d+) (\d+) [\d ]+\n(?:killed \d+\n)?[^\n]*$/.exec(stdout);
  const [cache = 0, libc = 0, startedCache = 0, startedLibc = 0] = (line?.slice(1) ?? []).map(Number);
  return { running: { cache, libc }, started: { cache: startedCache, libc: startedLibc } };
}

function difference(one: Seen, other: Seen): Seen {
  const less = (a: Counts, b: Counts) => ({ cache: a.cache - b.cache, libc: a.libc - b.libc });
  return { running: less(one.running, other.running), started: less(one.started, other.started) };
}
