// What has been learned of how a server wants to be asked. All of it ends: after its time, by a reply that says otherwise, and
// when the server is back from the dead, for it may be another one then.
//
//   learned              from                                                             for    ends sooner by
//   no EDNS              FORMERR, NOTIMP, BADVERS and an answer without; or an answer     10 min a reply to EDNS
//                        without where there was none with it, 3 questions in a row
//   small replies        an answer to 512 bytes where 1232 brought silence, 3 in a row    10 min a reply to 1232
//   TCP first            an answer over TCP where UDP brought silence, 3 in a row         1 min  a reply over UDP
//   no TCP               it is refused; or silent where a datagram was doubted, 3 in a    1 min  a reply over TCP
//                        row
//   no mixed letters     an answer to small letters where mixed ones were denied; or      10 min
//                        the question given back in other letters with what TCP says too,
//                        3 in a row
//   zones' ways          an answer shows that a zone's denials to the same way of asking   1 h    a denial that was none
//                        count: in mixed letters, with EDNS, with a cookie (a registry
//                        that forwards what it does not have minds the letters of its own
//                        names only). A denial that libc's way of asking brings too shows
//                        that EDNS does no harm there; small letters are used from then on
//   gives cookies        a cookie of its own: no datagram counts without (RFC 7873        until a reply over TCP has none, or TCP brings
//                        section 5.3)                                                     nothing: then not for 30 min, as BIND does
import { randomBytes } from "node:crypto";
import { isTcp, type Rung } from "./ladder.ts";
import type { QueryForm } from "./query.ts";

export interface Dialect {
  /** Where to begin. */
  firstRung(nowMs: number): "full" | "tcp";
  /** How to put a question of this name on a rung. */
  form(rung: Rung, name: string, nowMs: number): Form;
  /** Whether a denial counts that came to this form; `zone` is that of its SOA, "" the root, undefined where none came. */
  denies(form: Form, name: string, zone: string | undefined): boolean;
  /** A positive answer came. */
  answered(form: Form, name: string): void;
  /** Something came on this rung that passed all checks. */
  replied(rung: Rung, form: Form, isNoEdns: boolean, nowMs: number): void;
  /** It has replied to the topmost rung a while ago: silence is no sign that it does not bear it. */
  bearsFull(nowMs: number): boolean;
  /** An answer to one way of asking where another, `above`, has brought what is told. True where it is news. */
  foundBelow(below: Rung, above: Form, because: Because, nowMs: number): boolean;
  /** A denial to our way of asking was one to libc's too. */
  deniedAgain(name: string, zone: string | undefined): void;
  changedLetters(nowMs: number): boolean;
  givesCookies(nowMs: number): boolean;
  /** Its cookie as it came; empty where it only repeated ours. */
  gaveCookie(cookie: Uint8Array): void;
  forgetCookie(): void;
  hasNoTcp(nowMs: number): boolean;
  /** It was refused or closed, or silent. */
  lacksTcp(nowMs: number, isSilent: boolean): void;
  /** In which it is not as servers usually are, in words. */
  habits(nowMs: number): string[];
  /** It may be another server by now. */
  forget(): void;
}

export type Form = Omit<QueryForm, "padded">;
export type Because = "silence" | "no-edns" | "disliked" | "denied" | "letters" | "cookie" | "unread" | "flood";

const CLIENT_COOKIE_BYTES = 8;
const MINUTE_MS = 60_000;
const ZONES_MS = 60 * MINUTE_MS;
const NO_COOKIES_MS = 30 * MINUTE_MS;
const SIGNS = 3; // in a row: chance loses datagrams too, and who guesses one datagram of ours has not guessed three
const ZONES_MAX = 8192;
const LARGE_BYTES = 1232; // fits every path's packet: DNS flag day 2020
const SMALL_BYTES = 512; // RFC 1035 section 2.3.4

// What is known of a zone, as bits.
const MIXED = 1; // it has answered to mixed letters,
const EDNS = 2; // to EDNS,
const OPTIONS = 4; // to EDNS with a cookie
const AGREED = 8; // it has denied to libc's way of asking what it had denied to ours

export function createDialect(): Dialect {
  const noEdns = createLesson(10 * MINUTE_MS);
  const smallReplies = createLesson(10 * MINUTE_MS);
  const tcpFirst = createLesson(MINUTE_MS);
  const noTcp = createLesson(MINUTE_MS);
  const noMixedLetters = createLesson(10 * MINUTE_MS);
  const zones = new Map<string, number>();
  let zonesUntilMs = 0;
  let repliedToFullAtMs = Number.NEGATIVE_INFINITY;
  let clientCookie: Uint8Array;
  let cookie: Uint8Array;
  let hasServerCookie: boolean;
  let noCookiesUntilMs = 0;
  setCookie(undefined);

  function setCookie(fromServer: Uint8Array | undefined): void {
    if (fromServer === undefined) clientCookie = new Uint8Array(randomBytes(CLIENT_COOKIE_BYTES));
    hasServerCookie = fromServer !== undefined;
    cookie = fromServer === undefined ? clientCookie : Uint8Array.of(...clientCookie, ...fromServer);
  }

  function mixes(name: string, nowMs: number): boolean {
    if (noMixedLetters.holds(nowMs)) return false;
    if (nowMs >= zonesUntilMs) {
      zones.clear();
      zonesUntilMs = nowMs + ZONES_MS;
    }
    for (const zone of zonesOf(name)) {
      const known = zones.get(zone) ?? 0;
      if (known & MIXED) return true;
      if (known & AGREED && zone.includes(".")) return false; // all that nobody has is denied by top-level zones
    }
    return true;
  }

  function learnZone(zone: string, bits: number): void {
    if (zones.size >= ZONES_MAX && !zones.has(zone)) zones.delete(zones.keys().next().value as string);
    zones.set(zone, (zones.get(zone) ?? 0) | bits);
  }

  return {
    firstRung: (nowMs) => (tcpFirst.holds(nowMs) && !noTcp.holds(nowMs) ? "tcp" : "full"),
    form(rung, name, nowMs) {
      const isPlain = rung === "plain" || rung === "plain-tcp";
      const isSmall = rung === "small" || (rung === "full" && smallReplies.holds(nowMs));
      const isEdns = !isPlain && !noEdns.holds(nowMs);
      const mayHaveCookie = isEdns && (hasServerCookie || !(isSmall || isTcp(rung)));
      return {
        ednsBytes: isEdns ? (isSmall ? SMALL_BYTES : LARGE_BYTES) : undefined,
        cookie: mayHaveCookie ? cookie : undefined,
        mixedCase: (rung === "full" || rung === "small") && mixes(name, nowMs),
      };
    },
    denies({ ednsBytes, cookie: sent, mixedCase }, name, zone) {
      const known = zones.get(zone || parentOf(name)) ?? 0;
      const wanted = sent === undefined ? EDNS : EDNS | OPTIONS;
      const isEdnsFine = ednsBytes === undefined || (known & AGREED) !== 0 || (known & wanted) === wanted;
      return isEdnsFine && (!mixedCase || (known & MIXED) !== 0);
    },
    answered({ ednsBytes, cookie: sent, mixedCase }, name) {
      const edns = ednsBytes === undefined ? 0 : sent === undefined ? EDNS : EDNS | OPTIONS;
      const bits = edns | (mixedCase ? MIXED : 0);
      if (bits !== 0) for (const zone of zonesOf(name)) learnZone(zone, bits);
    },
    replied(rung, form, isNoEdns, nowMs) {
      if (isTcp(rung)) noTcp.unlearn();
      else tcpFirst.unlearn();
      if (form.ednsBytes !== undefined && !isNoEdns) noEdns.unlearn();
      if (form.ednsBytes === LARGE_BYTES && !isTcp(rung)) smallReplies.unlearn();
      if (form.mixedCase) noMixedLetters.contradict();
      if (rung === "full") repliedToFullAtMs = nowMs;
    },
    foundBelow(below, above, because, nowMs) {
      switch (because) {
        case "letters": // these are learned otherwise
        case "flood":
          return false;
        case "cookie":
          if (below === "plain") noCookiesUntilMs = nowMs + NO_COOKIES_MS;
          return false;
        case "no-edns":
          return noEdns.learn(nowMs);
        case "unread":
          return below === "plain" && noEdns.sign(nowMs);
        case "denied":
          if (!above.mixedCase) return noEdns.learn(nowMs);
          zones.clear();
          return noMixedLetters.learn(nowMs);
        case "silence":
          if (below === "small") return smallReplies.sign(nowMs);
          if (below === "tcp") return tcpFirst.sign(nowMs);
      }
      return above.ednsBytes !== undefined ? noEdns.sign(nowMs) : above.mixedCase && noMixedLetters.sign(nowMs);
    },
    deniedAgain: (name, zone) => learnZone(zone || parentOf(name), AGREED),
    bearsFull: (nowMs) => nowMs - repliedToFullAtMs < MINUTE_MS,
    changedLetters: noMixedLetters.sign,
    givesCookies: (nowMs) => hasServerCookie && nowMs >= noCookiesUntilMs,
    gaveCookie(fromServer) {
      if (fromServer.length > 0) setCookie(fromServer);
    },
    forgetCookie: () => setCookie(undefined),
    hasNoTcp: noTcp.holds,
    lacksTcp: (nowMs, isSilent) => void (isSilent ? noTcp.sign(nowMs) : noTcp.learn(nowMs)),
    habits(nowMs) {
      const lessons = {
        "no EDNS": noEdns,
        "no large replies": smallReplies,
        "TCP only": tcpFirst,
        "no TCP": noTcp,
        "minds the letters' case": noMixedLetters,
      };
      return Object.entries(lessons).flatMap(([habit, { holds }]) => (holds(nowMs) ? [habit] : []));
    },
    forget() {
      for (const lesson of [noEdns, smallReplies, tcpFirst, noTcp, noMixedLetters]) lesson.unlearn();
      zones.clear();
      repliedToFullAtMs = Number.NEGATIVE_INFINITY;
      setCookie(undefined);
      noCookiesUntilMs = 0;
    },
  };
}

function parentOf(name: string): string {
  return name.slice(name.indexOf(".") + 1);
}

/** Those that a name is in, the smallest first, itself included, since it may be one. */
function* zonesOf(name: string): Generator<string> {
  yield name;
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) yield name.slice(dot + 1);
}

/** What is believed after some signs in a row, for a while. */
function createLesson(lastsMs: number) {
  let signs = 0;
  let untilMs = 0;

  function learn(nowMs: number): boolean {
    const isNews = nowMs >= untilMs;
    untilMs = nowMs + lastsMs;
    signs = 0;
    return isNews;
  }

  return {
    holds: (nowMs: number) => nowMs < untilMs,
    learn,
    /** True where this is the one that makes it news. */
    sign: (nowMs: number) => ++signs >= SIGNS && learn(nowMs),
    contradict() {
      signs = 0;
    },
    unlearn() {
      signs = 0;
      untilMs = 0;
    },
  };
}
