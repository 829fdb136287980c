// How a zone's server fails, the same for the one that libc asks and the one that the cache asks: by what a name's last
// labels say, for one type or all, and for the names of 198.51.100.0/24.
import type { UpstreamOptions } from "../../demo/upstream.ts";

export const BROKEN_ADDRESS = "198.51.100.66";
const [FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED] = [1, 2, 3, 4, 5];

const FAILURES: readonly { suffix: string; type?: string; rcode: number }[] = [
  { suffix: ".halfbroken.example", type: "AAAA", rcode: SERVFAIL },
  { suffix: ".fourbroken.example", type: "A", rcode: SERVFAIL },
  { suffix: ".sixmissing.example", type: "AAAA", rcode: NXDOMAIN },
  { suffix: ".fourmissing.example", type: "A", rcode: NXDOMAIN },
  { suffix: ".broken.example", rcode: SERVFAIL },
  { suffix: ".refused.example", rcode: REFUSED },
  { suffix: ".notimp.example", rcode: NOTIMP },
  { suffix: ".formerr.example", rcode: FORMERR },
  { suffix: ".100.51.198.in-addr.arpa", rcode: SERVFAIL },
];

export const failing: NonNullable<UpstreamOptions["tamper"]> = (reply, _query, asked) => {
  const failure = FAILURES.find(({ suffix, type }) => asked.name.endsWith(suffix) && (!type || type === asked.type));
  if (!failure) return reply;
  return { ...reply, answers: [], authorities: [], flags: ((reply.flags ?? 0) & ~0xf) | failure.rcode };
};
