// What is compared: servers with habits, and calls whose results libc and we are to agree on. As text, one line:
//
//   refuses TCP; truncates | is silent for type AAAA // listed, 400 ms apart, both two, host big
//
// `~` in a habit is the suffix of the combination's names.
import fc from "fast-check";
import type { Zone } from "../../demo/upstream.ts";

export interface Combination {
  /** Each one's habits. */
  readonly servers: readonly (readonly string[])[];
  /** `listed`: they stand in the resolv.conf of our server as well. `equal`: a rule names them. */
  readonly mode: "equal" | "listed";
  /** From the beginning of one call to that of the next. */
  readonly pauseMs: number;
  /** `both two`: the call and the name, without its suffix. */
  readonly calls: readonly string[];
}

const MANY = Array.from({ length: 40 }, (_, i) => `198.51.100.${i + 1}`);
const NAMES = ["two", "four", "six", "big", "alias", "one.bad", "two.bad", "three.bad", "none"];

export function zoneUnder(suffix: string): Zone {
  const two = { ttl: 60, A: ["192.0.2.1", "192.0.2.2"], AAAA: ["2001:db8::1"] };
  return {
    [`two.${suffix}`]: two,
    [`four.${suffix}`]: { ttl: 60, A: ["192.0.2.4"] },
    [`six.${suffix}`]: { ttl: 60, AAAA: ["2001:db8::6"] },
    [`big.${suffix}`]: { ttl: 60, A: MANY },
    [`alias.${suffix}`]: { ttl: 60, CNAME: `two.${suffix}` },
    [`one.bad.${suffix}`]: two,
    [`two.bad.${suffix}`]: { ttl: 1, A: ["192.0.2.5"], AAAA: ["2001:db8::5"] },
    [`three.bad.${suffix}`]: { ttl: 60, A: ["192.0.2.6"] },
  };
}

const UPSET = ["says SERVFAIL", "says REFUSED", "says FORMERR", "says NOTIMP"].flatMap((words) =>
  ["", " without OPT", " without a question"].map((without) => words + without),
);
const BY_KIND: readonly (readonly string[])[] = [
  [
    "says NXDOMAIN to mixed case",
    "says NXDOMAIN to mixed case for names under bad.~",
    "is empty to mixed case",
    "is silent to mixed case",
    "says REFUSED to mixed case",
    "lowers the case",
  ],
  [
    "gives the cookie biscuit",
    "gives the cookie biscuit for names under bad.~",
    "gives the cookie biscuit the first time",
    "gives the cookie biscuit every 2nd time",
    "gives the cookie biscuit over udp",
    "gives the cookie biscuit of another client for names under bad.~",
    "gives the cookie biscuit of another client every 2nd time",
    "demands the cookie biscuit",
  ],
  [...UPSET, "cuts its replies short", "is silent"].flatMap((words) => [
    `${words} to EDNS`,
    `${words} to options`,
    `${words} to EDNS for names under bad.~`,
  ]),
  ["says BADVERS to EDNS", "says FORMERR to EDNS", "leaves the OPT out", "leaves the OPT out for names under bad.~"],
  [
    "loses replies over 512 bytes",
    "loses replies over 640 bytes",
    "truncates",
    "truncates for names under bad.~",
    "truncates to EDNS",
  ],
  [
    "takes 200 ms",
    "takes 1500 ms",
    "takes 4000 ms for type AAAA",
    "takes 3000 ms for what it does not know yet",
    "takes 4500 ms for what it does not know yet",
  ],
  [
    "is silent for type AAAA",
    "is silent for type AAAA for names under bad.~",
    "is silent for type A for names under bad.~",
    "says SERVFAIL for type AAAA",
    "says NXDOMAIN for type AAAA for names under bad.~",
    "says NOTIMP for type AAAA",
    "refers elsewhere for type AAAA",
  ],
  ["loses the next 2 queries", "is silent the first time", "is silent every 3rd time", "says SERVFAIL every 3rd time"],
  [
    "bears 2 questions at a time, of 50 ms each",
    "bears 8 questions at a time, of 300 ms each",
    "bears 10 packets a second, and drops the others",
    "bears 10 packets a second, and refuses the others",
  ],
  [
    "refuses TCP",
    "filters TCP",
    "is mute over TCP",
    "closes a connection after 1 reply",
    "closes a connection after 3 replies",
    "leads a connection into a black hole after 1 reply",
    "leads a connection into a black hole after 2 replies",
    "serves one connection at a time",
  ],
];
/** Of a server in a list that knows less than the other. */
const ELSEWHERE = ["says NXDOMAIN", "says NXDOMAIN for names under bad.~", "is empty for names under bad.~"];
const DEAD = ["is silent", "says REFUSED", "says SERVFAIL"];
/** Equals know the same: what one of them denies, or what libc takes for a denial, is denied. */
const DENIES = /^(says NXDOMAIN|refers elsewhere) for type/;

const habit = fc.constantFrom(...BY_KIND).chain((words) => fc.constantFrom(...words));
const habits = fc.uniqueArray(habit, { minLength: 1, maxLength: 3 });
const calls = fc.array(
  fc.tuple(fc.constantFrom("both", "both", "inet", "host"), fc.constantFrom(...NAMES)).map((words) => words.join(" ")),
  { minLength: 3, maxLength: 6 },
);
const pauseMs = fc.constantFrom(0, 400, 400, 2000);
const agreeing = habits.filter((words) => !words.some((each) => DENIES.test(each)));
const equal = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(habits) },
  { weight: 1, arbitrary: fc.tuple(agreeing, agreeing) },
);
const listed = fc.tuple(
  fc.oneof(
    { weight: 3, arbitrary: habits },
    { weight: 1, arbitrary: fc.constantFrom(...DEAD, ...ELSEWHERE).map((words) => [words]) },
  ),
  fc.oneof({ weight: 1, arbitrary: habits }, { weight: 1, arbitrary: fc.constantFrom(...ELSEWHERE).map((w) => [w]) }),
);

export function combinations(mode: Combination["mode"], seed: number, count: number): Combination[] {
  const servers: fc.Arbitrary<string[][]> = mode === "equal" ? equal : listed;
  return fc.sample(fc.record({ servers, mode: fc.constant(mode), pauseMs, calls }), { seed, numRuns: count });
}

/** Each habit by itself. */
export function single(): Combination[] {
  const calls = ["both two", "inet four", "both six", "host big", "both one.bad", "inet two.bad", "both none"];
  return BY_KIND.flat().map((words) => ({ servers: [[words]], mode: "equal", pauseMs: 400, calls }));
}

export function textOf({ servers, mode, pauseMs, calls }: Combination): string {
  const words = [...(mode === "listed" ? ["listed"] : []), `${pauseMs} ms apart`, ...calls];
  return `${servers.map((each) => each.join("; ")).join(" | ")} // ${words.join(", ")}`;
}

export function combinationOf(text: string): Combination {
  const [servers = "", more = ""] = text.split(" // ");
  const words = more.split(", ");
  const isCall = (word: string) => /^(both|inet|host) \S+$/.test(word);
  return {
    servers: servers.split(" | ").map((habits) => habits.split("; ").filter(Boolean)),
    mode: words.includes("listed") ? "listed" : "equal",
    pauseMs: Number(/(\d+) ms apart/.exec(more)?.[1] ?? 400),
    calls: words.filter(isCall),
  };
}
