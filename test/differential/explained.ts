// The short list: where the preload's answer may differ from libc's, and why. docs/limits.md has the same list.
import { constants } from "node:os";

export interface Observed {
  readonly environment: string;
  readonly libc: string;
  /** What lookup.c printed: the call, and what came of it. */
  readonly alone: string;
  readonly preloaded: string;
}

interface Explanation {
  readonly reason: string;
  covers(observed: Observed): boolean;
}

interface LeftExplanation {
  readonly reason: string;
  readonly libc: string;
  readonly of: "errno" | "h_errno";
  /** What libc leaves there, and what the cache does. */
  readonly alone: readonly string[];
  readonly preloaded: readonly string[];
  /** What lookup.c printed, of libc alone. */
  readonly result: { test(result: string): boolean };
}

const FAILS_FOR_A_MOMENT = /returns (-3 |NULL h_errno 2|11 result NULL h_errno 2)/;

function lowerCase(text: string): string {
  return text.replaceAll(/(canonical|name|alias|host) \S+/g, (words) => words.toLowerCase());
}

const EXPLANATIONS: readonly Explanation[] = [
  {
    reason: "the target of an alias is in lower case: replies may spell it as the question's random case has it",
    covers: ({ alone, preloaded }) => lowerCase(alone) === lowerCase(preloaded),
  },
  {
    reason: "a good A is given out on musl too where only AAAA fails, or is denied with the name",
    covers: ({ libc, alone, preloaded }) =>
      libc === "musl" &&
      / x\.(halfbroken|sixmissing)/.test(alone) &&
      /returns -[23]/.test(alone) &&
      /entry 192\.0\.2\.1 /.test(preloaded),
  },
  {
    reason: "a loop of aliases and a FORMERR are failures for a moment, and not the lack of a name",
    covers: ({ alone, preloaded }) =>
      / (about|round|x\.formerr)\.example/.test(alone) &&
      !/returns (0 \(|a host)|the host/.test(alone) &&
      FAILS_FOR_A_MOMENT.test(preloaded),
  },
  {
    reason: "an answer of more than 512 bytes is given out on musl before 1.2.4 too, which knows no TCP",
    covers: ({ libc, alone, preloaded }) =>
      libc === "musl" &&
      / (forty|sixty(-fours|-all)?)\./.test(alone) &&
      /returns (-2|2|NULL)/.test(alone) &&
      /198\.51\.100\.1\b|2001:db8:(39::1|59::3)|returns 34/.test(preloaded),
  },
  {
    reason: "an _r form wants another size of buffer: libc's mostly more than it fills",
    covers: ({ alone, preloaded }) =>
      /_r .* \d+ \d\n/.test(alone) && /returns 34/.test(alone) !== /returns 34/.test(preloaded),
  },
];

const { EAGAIN, EBUSY, EINPROGRESS, EINVAL, ENETUNREACH, ENOENT, ERANGE } = constants.errno;
const numbers = (errors: readonly number[]) => errors.map(String);
const MUSL_LEAVES = ["kept", ...numbers([EAGAIN, EINPROGRESS, EINVAL, ENETUNREACH, ENOENT])];
const [HOST_NOT_FOUND, NO_DATA, NETDB_INTERNAL] = ["1", "4", "-1"] as const;
const FOUND = /returns (0 \(|0 result the|a host)/;
const FAILED = /^getaddrinfo .*\n {2}returns -[25] /;

const LEFT_EXPLANATIONS: readonly LeftExplanation[] = [
  {
    reason: "musl leaves in errno what its last system call came to, found or not; the cache leaves it alone",
    libc: "musl",
    of: "errno",
    alone: MUSL_LEAVES,
    preloaded: MUSL_LEAVES, // libc's own, where the cache is not asked
    result: /./,
  },
  {
    reason: "where glibc sorts, it leaves in errno what the last route came to",
    libc: "glibc",
    of: "errno",
    alone: numbers([EINVAL, ENETUNREACH]),
    preloaded: ["0"],
    result: /^getaddrinfo .*\n {2}returns 0 [\s\S]*entry [\s\S]*entry /,
  },
  {
    reason: "AI_IDN and its kin: glibc looks for libidn2, which is not there",
    libc: "glibc",
    of: "errno",
    alone: numbers([ENOENT]),
    preloaded: ["0", "kept"],
    result: { test: (result) => (Number(/^getaddrinfo (?:\S+ ){5}(\d+)\n/.exec(result)?.[1]) & 0xc0) !== 0 },
  },
  {
    reason: "a getaddrinfo that fails leaves in errno what glibc did before it asked the DNS: reading /etc/hosts, say",
    libc: "glibc",
    of: "errno",
    alone: numbers([EBUSY, EINVAL, ENOENT, ERANGE]),
    preloaded: ["kept"],
    result: FAILED,
  },
  {
    reason: "a getaddrinfo that fails leaves in errno that glibc had found the service",
    libc: "glibc",
    of: "errno",
    alone: ["0"],
    preloaded: ["kept"],
    result: /^getaddrinfo \S+ [a-z].*\n {2}returns -[25] /,
  },
  {
    reason:
      "behind an address, glibc's h_errno is of the search list's last domain but one; here always HOST_NOT_FOUND",
    libc: "glibc",
    of: "h_errno",
    alone: [NO_DATA],
    preloaded: [HOST_NOT_FOUND],
    result: FOUND,
  },
  {
    reason: "behind an alias's IPv4 address, where it has no IPv6 address, old glibc's h_errno is NETDB_INTERNAL",
    libc: "glibc",
    of: "h_errno",
    alone: [NETDB_INTERNAL],
    preloaded: [HOST_NOT_FOUND],
    result: /^getaddrinfo .*\n {2}returns 0 /,
  },
  {
    reason: "with ERANGE, h_errno tells whether glibc had asked the DNS already",
    libc: "glibc",
    of: "h_errno",
    alone: [HOST_NOT_FOUND],
    preloaded: ["kept"],
    result: /returns 34 /,
  },
];

const LEAVES = / {2}leaves errno (\S+), h_errno (\S+)\n/;
function parted(text: string) {
  const [, errno = "", h_errno = ""] = LEAVES.exec(text) ?? [];
  return { result: text.replace(LEAVES, ""), errno, h_errno };
}
type Parted = ReturnType<typeof parted>;

function whyLeft(of: "errno" | "h_errno", alone: Parted, preloaded: Parted, { libc }: Observed) {
  if (alone[of] === preloaded[of]) return "";
  return LEFT_EXPLANATIONS.find(
    (left) =>
      left.libc === libc &&
      left.of === of &&
      left.alone.includes(alone[of]) &&
      left.preloaded.includes(preloaded[of]) &&
      left.result.test(alone.result),
  )?.reason;
}

/** Undefined where the two differ as nothing here says they may; empty where they do not differ. */
export function explanation(observed: Observed): string | undefined {
  const [alone, preloaded] = [parted(observed.alone), parted(observed.preloaded)];
  const results = { ...observed, alone: alone.result, preloaded: preloaded.result };
  const why = alone.result === preloaded.result ? "" : EXPLANATIONS.find(({ covers }) => covers(results))?.reason;
  if (why !== undefined && lowerCase(alone.result) !== lowerCase(preloaded.result)) return why; // and so is the rest
  const reasons = [why, whyLeft("errno", alone, preloaded, observed), whyLeft("h_errno", alone, preloaded, observed)];
  return reasons.includes(undefined) ? undefined : (reasons.find((reason) => reason !== "") ?? "");
}
