// The judge: libc itself. One program prints every field of every result, once asking a real nameserver, once preloaded
// with client.so and a server that knows the same zone. Each call is a process of its own, so rotation does not show.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as layout from "../../assembly/layout.ts";
import type { Zone } from "../../demo/upstream.ts";
import { buildClient, buildProgram, muslMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, type Entry, type ScriptedServer, scriptedServer } from "../support/scriptedServer.ts";

const CLIENT = buildClient("steady", "-DNAMEWELL_STEADY"); // where each process starts to rotate is chance otherwise
const LONG = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(53)}.example`;

const ZONE: Zone = {
  "one.example": { A: ["192.0.2.1"] },
  "six.example": { AAAA: ["2001:db8::6"] },
  "both.example": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
  "three.example": { A: ["192.0.2.1", "198.51.100.2", "203.0.113.3"] },
  "near.example": { A: ["198.51.100.2", "192.0.2.200", "127.0.0.5", "192.0.2.201", "169.254.1.1"] },
  "crowd.example": {
    A: ["198.51.100.2", "192.0.2.1"],
    AAAA: ["2001:db8::1", "2001:db8::200", "fd00::1", "2002:c000:201::1", "fe80::1", "::1", "2001:0:1::1", "2a00::1"],
  },
  "sixes.example": { AAAA: ["fec0::1", "fd00::1", "2001:db8::2", "2001:db8::203", "2001:db8:1::1", "::c000:201"] },
  "www.example": { CNAME: "web.example" },
  "web.example": { CNAME: "host.example" },
  "host.example": { A: ["192.0.2.7"], AAAA: ["2001:db8::7"] },
  "under.example": { CNAME: "_score.example" },
  "_score.example": { A: ["192.0.2.8"] },
  "dangling.example": { CNAME: "nowhere.example" },
  "empty.example": { CNAME: "six.example" },
  "nothing.example": { PTR: ["one.example"] },
  "xn--bcher-kva.example": { A: ["192.0.2.9"] },
  "puny.example": { CNAME: "xn--bcher-kva.example" },
  "x.broken.example": { A: ["192.0.2.1"] },
  "x.halfbroken.example": { A: ["192.0.2.1"] },
  single: { A: ["192.0.2.11"] },
  "under_score.example": { A: ["192.0.2.12"] },
  [LONG]: { A: ["192.0.2.13"] },
  "hosted.example": { A: ["192.0.2.14"] },
  sandbox: { A: ["192.0.2.15"] },
  "4me.example": { A: ["192.0.2.16"] },
};

// The same, as the cache's server would have learned it.
function learned(): Record<string, Entry> {
  const entries: Record<string, Entry> = {};
  for (const name of Object.keys(ZONE)) {
    const chain: string[] = [];
    let at = name;
    for (let target = ZONE[at]?.CNAME; target !== undefined; target = ZONE[at]?.CNAME) {
      chain.push(target);
      at = target;
    }
    const found = ZONE[at];
    const { OUTCOME_NO_NAME, OUTCOME_TEMPORARY } = layout;
    entries[name] = {
      chain,
      a: name === "x.broken.example" ? OUTCOME_TEMPORARY : found ? [...(found.A ?? [])] : OUTCOME_NO_NAME,
      aaaa: name.endsWith("broken.example") ? OUTCOME_TEMPORARY : found ? [...(found.AAAA ?? [])] : OUTCOME_NO_NAME,
    };
  }
  return entries;
}

const NAMES = [
  ...Object.keys(ZONE),
  ..."BOTH.example WwW.ExAmPlE one.example. www.example. single. missing.example missing.example. missing".split(" "),
  ..."192.0.2.1 127.1 0x7f.1 010.1 1.2.3.4. 1.2.3 :: ::1 fe80::1%lo localhost x.localhost a.local -x.example".split(
    " ",
  ),
  ..."a..example .example one.example.. . '' bad*name.example b\u00fccher.example - * _gateway".split(" "),
  `x${LONG}`,
  "e".repeat(64),
];
const FLAGS = [0, 0x1, 0x2, 0x4, 0x8, 0x18, 0x10, 0x20, 0x22, 0x28, 0x2a, 0x400, 0x40, 0xc2, 0xea, 0x1000];
const SERVICES = "- 80 0 00080 65535 65536 http domain nosuch '' -1 +80 80x *".split(" ");
const TYPES = [
  [0, 0],
  [1, 0],
  [2, 0],
  [3, 0],
  [4, 0],
  [5, 0],
  [1, 6],
  [2, 17],
  [1, 17],
  [2, 6],
  [0, 6],
  [0, 17],
  [0, 1],
  [3, 1],
  [1, 132],
  [99, 0],
];

function calls(): string[] {
  const lines: string[] = [];
  for (const name of NAMES) {
    lines.push(`getaddrinfo ${name} -`, `getaddrinfo ${name} 80`, `gethostbyname ${name}`);
    lines.push(`gethostbyname2 ${name} 10`, `gethostbyname_r ${name} 8192 0`, `gethostbyname2_r ${name} 10 8192 3`);
    if (name.includes("broken")) continue; // slow ones
    for (const family of [0, 2, 10]) for (const flags of [0, 0x2, 0x28, 0xea]) lines.push(gai(name, family, flags));
  }
  for (const name of ["both.example", "www.example", "one.example", "six.example", "missing.example"])
    for (const family of [0, 2, 10, 1, 99]) for (const flags of FLAGS) lines.push(gai(name, family, flags));
  for (const service of SERVICES)
    for (const [type, protocol] of TYPES)
      for (const flags of [0, 0x400]) lines.push(`getaddrinfo both.example ${service} 0 ${type} ${protocol} ${flags}`);
  for (const family of [0, 1, 2, 10, 99]) lines.push(`gethostbyname2 both.example ${family}`);
  return lines.filter((line) => !line.includes(" - -") && !/^gethostbyname\S* -/.test(line)); // both crash libc, or say little
}

function gai(name: string, family: number, flags: number): string {
  return `getaddrinfo ${name} 443 ${family} 1 0 ${flags}`;
}

const EACH_ITS_OWN_PROCESS = 'while read -r line; do printf "%s\\n" "$line" | env $PRELOAD "$PROGRAM"; done';

/** A difference that we chose, with its reason. */
function isChosen(libc: string, call: string): boolean {
  // A good A is given out although AAAA is broken; musl says EAI_AGAIN.
  if (libc === "musl" && call.includes("halfbroken")) return true;
  // musl before 1.2.4 has no TCP: a reply above 512 bytes is lost to it.
  if (libc === "musl" && call.includes(LONG)) return true;
  // A CNAME that ends at a name without such an address is "no data", as it is for a name without CNAME. glibc says
  // "non-recoverable error" instead, in some of its functions and some of its versions.
  const v4Only = / (under|puny)\.example/.test(call);
  if (
    libc === "glibc" &&
    (v4Only || call.includes("empty.example")) &&
    /returns (NULL h_errno 3|11 .*h_errno 3|-2)/.test(call)
  )
    return true;
  return false;
}

const missing = sandboxMissing();
const environments = [
  { title: "IPv4 only", addresses: ["192.0.2.200/24"] },
  { title: "IPv4 and IPv6", addresses: ["192.0.2.200/24", "2001:db8::200/64"] },
  {
    title: "with ways out",
    addresses: ["192.0.2.200/24", "2001:db8::200/64", "fd00:1::200/64", "fe80::200/64"],
    routes: ["route add default dev lo", "-6 route add default dev lo"],
  },
  { title: "IPv6 only", addresses: ["2001:db8::200/64"] },
];

for (const { title, addresses, routes = [] } of environments) {
  describe.skipIf(missing)(`client.so against libc, ${title}${missing ? ` (skipped: ${missing})` : ""}`, () => {
    let box: Sandbox;
    let server: ScriptedServer;

    beforeAll(async () => {
      const host = title === "IPv6 only" ? "2001:db8::200" : "192.0.2.200";
      const hosts = "127.0.0.1 localhost\n::1 localhost\n192.0.2.99 hosted.example other # one.example\n";
      box = await sandbox({
        addresses,
        routes,
        hosts,
        resolvConf: `nameserver ${host}\noptions timeout:1 attempts:1\n`,
      });
      await box.startModule(
        fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url)),
        [host, JSON.stringify(ZONE)],
        { ready: /ready/ },
      );
      server = await scriptedServer(answersFrom(learned()));
    });
    afterAll(async () => {
      await server.close();
      await box.close();
    });

    for (const libc of ["glibc", "musl"] as const) {
      const noMusl = libc === "musl" ? muslMissing() : undefined;
      it.skipIf(noMusl)(
        `gives every field as ${libc} does${noMusl ? ` (skipped: ${noMusl})` : ""}`,
        { concurrent: true, timeout: 300_000 },
        async () => {
          const program = buildProgram("test/shim/lookup.c", libc);
          const input = `${calls().join("\n")}\n`;
          const run = async (PRELOAD: string) => {
            const env = { PROGRAM: program, PRELOAD };
            const result = await box.run(["sh", "-c", EACH_ITS_OWN_PROCESS], { input, env, timeoutMs: 240_000 });
            expect(result).toMatchObject({ code: 0, stderr: "" });
            // musl leaves in errno whatever its inner calls did
            const told = libc === "musl" ? result.stdout.replaceAll(/ errno \d+$/gm, "") : result.stdout;
            return told.split(/^(?=get)/m);
          };
          const alone = await run("UNUSED=1");
          const before = server.questions.length;
          const preloaded = await run(`DNS_CACHE_DIR=${server.directory} LD_PRELOAD=${CLIENT}`);
          expect(server.questions.length - before).toBeGreaterThan(400); // or else libc would be compared with itself
          expect(preloaded.length).toBe(alone.length);
          const differences = alone.flatMap((expected, i) =>
            expected === preloaded[i] || isChosen(libc, expected) ? [] : [`${expected}--- preloaded:\n${preloaded[i]}`],
          );
          expect(differences.join("\n")).toBe("");
        },
      );
    }
  });
}
