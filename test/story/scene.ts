// Where a story plays: its servers' names, its settings, and the machine, which starts with the first sentence that needs it.
import { type UpstreamAddress, upstreamAddress, upstreamText } from "../../src/upstream/address.ts";
import type { Listing } from "../../src/upstream/group.ts";
import type { Begun } from "./clients.ts";
import { createMachine, type Machine } from "./machine.ts";
import { createUpstream, type Upstream } from "./network.ts";

export type Step = (scene: Scene, ...words: string[]) => void | Promise<void>;
export type Steps = ReadonlyArray<readonly [RegExp, Step]>;

export interface Scene {
  /** Before the machine starts. */
  readonly env: Record<string, string>;
  /** Of a list of nameservers. */
  listing: Listing | undefined;
  readonly addresses: Map<string, string>;
  readonly machine: Machine;
  /** Lookups whose answer the story has not told yet, by what was asked. */
  readonly begun: Map<string, Begun>;
  upstream(name: string): Upstream;
}

const SETTINGS: Record<string, string> = {
  entries: "DNS_CACHE_ENTRIES",
  stale: "DNS_CACHE_STALE",
  prefetch: "DNS_CACHE_PREFETCH",
  timeout: "DNS_CACHE_TIMEOUT_MS",
  "min-ttl": "DNS_CACHE_MIN_TTL",
  "max-ttl": "DNS_CACHE_MAX_TTL",
  negative: "DNS_CACHE_MAX_NEGATIVE_TTL",
};

export const SCENE_STEPS: Steps = [
  [/^settings (.+)$/, settings],
  [/^rules (.+)$/, rules],
  [/^servers (.+)$/, servers],
  [/^resolv\.conf (\w+(?: \w+)*?)((?: (?:rotate|timeout:\d+|attempts:\d+))*)$/, list],
  [/^nameservers are now (.+)$/, nameservers],
];

export function createScene(): Scene {
  const env: Record<string, string> = {};
  const addresses = new Map([["ns", "192.0.2.53"]]);
  let machine: Machine | undefined;
  let listing: Listing | undefined;
  function started(): Machine {
    if (machine === undefined) {
      env.DNS_CACHE_UPSTREAMS ??= "192.0.2.53";
      env.DNS_CACHE_ENTRIES ??= "1024";
      machine = createMachine(env, listing);
    }
    return machine;
  }
  return {
    get env() {
      if (machine !== undefined) throw new Error("this comes before all other sentences");
      return env;
    },
    get listing() {
      return listing;
    },
    set listing(value) {
      listing = value;
    },
    addresses,
    begun: new Map(),
    get machine() {
      return started();
    },
    upstream(name) {
      const address = addressOf(addresses, name);
      const key = upstreamText({ ...address, transport: "udp" });
      const known = started().upstreams.get(key) ?? createUpstream(address);
      started().upstreams.set(key, known);
      return known;
    },
  };
}

function addressOf(addresses: Scene["addresses"], name: string): UpstreamAddress {
  const text = addresses.get(name);
  if (text === undefined) throw new Error(`no such server: ${name}`);
  const address = upstreamAddress(text);
  if (address === undefined) throw new Error(`no address: ${text}`);
  return address;
}

function settings({ env }: Scene, text: string): void {
  for (const word of text.split(" ")) {
    const [key = "", value = ""] = word.split("=");
    const variable = SETTINGS[key];
    if (variable === undefined) throw new Error(`no such setting: ${key}`);
    env[variable] = value;
  }
}

function rules({ env }: Scene, text: string): void {
  env.DNS_CACHE_RULES = text;
}

/** `one two tcp:three`: 192.0.2.1, 192.0.2.2 and so on; `other*` is none of the global ones. */
function servers({ env, addresses }: Scene, text: string): void {
  const global: string[] = [];
  addresses.clear();
  for (const [index, word] of text.split(" ").entries()) {
    const [, tcp, name, extra] = /^(tcp:)?(\w+)(\*)?$/.exec(word) ?? [];
    if (name === undefined) throw new Error(`no such form of a server: ${word}`);
    const address = `${tcp ? "tcp://" : ""}192.0.2.${index + 1}`;
    addresses.set(name, address);
    if (extra === undefined) global.push(address);
  }
  env.DNS_CACHE_UPSTREAMS = global.join(",");
}

/** `first second rotate timeout:1`: as they stand in `/etc/resolv.conf`. */
function list(scene: Scene, names: string, options: string): void {
  servers(scene, names);
  const number = (option: string, unless: number) =>
    Number(new RegExp(`${option}:(\\d+)`).exec(options)?.[1] ?? unless);
  scene.listing = {
    rotate: options.includes("rotate"),
    timeoutMs: number("timeout", 5) * 1000,
    attempts: number("attempts", 2),
  };
}

function nameservers({ machine, addresses }: Scene, text: string): void {
  machine.views.replaceUpstreams(text.split(" ").map((name) => addressOf(addresses, name)));
}
