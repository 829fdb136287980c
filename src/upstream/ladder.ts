// The ladder: how one question is put to one server, in which order, and what leads from one way to the next. A query goes
// out on the topmost rung that the server is known to bear, and all that have gone out go on being listened to.
//
//   rung       way  EDNS  cookie  letters    what it is for
//   full       UDP  1232  yes     mixed      what is fast, and hard to forge
//   small      UDP  512   its own mixed      paths that lose large replies, or any option
//   plain      UDP  none  no      as libc's  servers that heed more than a name's letters, or are upset by EDNS
//   tcp        TCP  1232  its own as libc's  what does not fit a datagram, or cannot be trusted to one
//   plain-tcp  TCP  none  no      as libc's  the same where EDNS upsets
//
// Silence goes down one rung a wait. A server that is asked over TCP, TLS or HTTPS alone begins at `tcp`, and what it is
// silent to goes out again on another connection. At most three queries go out on each transport (RFC 9520 section 3.1).
// What a server bears, where its ladder begins, what is remembered and what makes it forget: dialect.ts. How long a wait
// is, and which server comes next: health.ts, ask.ts.
//
//   sign          what came                                                          says
//   truncated     TC                                                                 TCP has it whole
//   doubted       the question in other letters, no cookie or another's, no          somebody may have sent it who does not see our queries: TCP
//                 question at all (FORMERR, NOTIMP), or a flood                        tells. Where there is none, a datagram as libc's, which is as
//                                                                                    easy to forge as libc's
//   disliked      FORMERR, NOTIMP, BADVERS, SERVFAIL, REFUSED and all such, or a     it may be our way of asking: so is libc's asked, and counts
//                 reply that cannot be read; and it passed all checks
//   denied        no such name or no data, where the server has not answered         letters: it may know names in small ones only
//                 this way of asking yet (src/upstream/dialect.ts)
//   wants cookie  BADCOOKIE with a fresh one                                         with it, once
//   nothing       TCP is refused or closed, or silent for a wait, where UDP          a datagram after all, as libc would send it, if none has gone
//                 brought it there                                                   out yet
//   kept back     EPERM, ENOBUFS, no free port, nobody listens: of this machine or   as a lost packet: from another port after the wait
//                 for a moment
//
// What is disliked or denied counts only where libc's way of asking brings the same; where that brings silence, the call goes
// on in libc (ask.ts).

export type Rung = "full" | "small" | "plain" | "tcp" | "plain-tcp";
export type Sign = "silence" | "truncated" | "doubted" | "disliked" | "denied" | "nothing";

/** What a sign on a rung leads to; undefined: nothing is left to try for it. */
const NEXT: Readonly<Record<Rung, Partial<Record<Sign, Rung>>>> = {
  full: { silence: "small", truncated: "tcp", doubted: "tcp", disliked: "plain", denied: "plain" },
  small: { silence: "plain", truncated: "tcp", doubted: "tcp", disliked: "plain", denied: "plain" },
  plain: { silence: "tcp", truncated: "plain-tcp", doubted: "tcp" },
  tcp: { silence: "plain-tcp", disliked: "plain-tcp", denied: "plain-tcp", nothing: "plain" },
  "plain-tcp": { silence: "plain-tcp", nothing: "plain" },
};

export const QUERIES_PER_WAY_MAX = 3; // RFC 9520 section 3.1: the original, and two more

export function nextRung(rung: Rung, sign: Sign): Rung | undefined {
  return NEXT[rung][sign];
}

export function isTcp(rung: Rung): boolean {
  return rung === "tcp" || rung === "plain-tcp";
}
