// Reads a DNS reply and makes a record of it. What libc makes of replies is the measure; where a reply holds what a record
// cannot, the outcome is UNFIT and libc answers.

import { dataAtOf, dataBytesOf, findAnswer, indexAnswers, lookFor, ttlOf, unpackData } from "./answers";
import { advance, at, end, failed, load16, moveTo, open, read16, read32 } from "./bytes";
import {
  CHAIN_MAX,
  OUTCOME_DATA,
  OUTCOME_NO_DATA,
  OUTCOME_NO_NAME,
  OUTCOME_UNFIT,
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
  TYPE_OPT,
  TYPE_PTR,
  TYPE_SOA,
  VERDICT_ANSWER,
  VERDICT_BAD_COOKIE,
  VERDICT_FAILURE,
  VERDICT_FOREIGN,
  VERDICT_LAME,
  VERDICT_LOOP,
  VERDICT_MALFORMED,
  VERDICT_NO_EDNS,
  VERDICT_OTHER_COOKIE,
  VERDICT_TRUNCATED,
  VERDICT_UNREAD,
  VERDICT_WRONG_CASE,
} from "./layout";
import { ASKED, CURRENT, MESSAGE, OWNER, QUERY } from "./memory";
import { allowWork, isHost, isInZone, isOverworked, isText, lower, nameHash, unpack } from "./name";
import { cookie, extendedRcode, FOREIGN_COOKIE, hasOddOptions, lookForOpt, ODD_COOKIE, serverCookieBytes } from "./opt";
import { addChainName, addData, addDataName, addName, begin, endNames, finish } from "./record";
import { CLASS_IN, dataBytes, ownerBytes, readOwnerAndFields, recordClass, recordTtl, recordType } from "./rr";

const MESSAGE_HEADER_BYTES: u32 = 12;
const TYPE_NS: u32 = 2;
// Small servers give their denials no SOA, or one of some other zone, and the family that a name lacks is asked for at each
// lookup. RFC 2308 section 5 keeps none of these; unbound keeps them so long.
const TTL_WITHOUT_SOA_SECONDS: u32 = 5;

const FLAGS_REPLY_AND_OPCODE: u32 = 0xf800;
const FLAG_REPLY: u32 = 0x8000;
const FLAG_AUTHORITATIVE: u32 = 0x0400;
const FLAG_TRUNCATED: u32 = 0x0200;
const FLAG_RECURSION_AVAILABLE: u32 = 0x0080;
const RCODE: u32 = 0x000f;
const NOERROR: u32 = 0;
const FORMERR: u32 = 1;
const NXDOMAIN: u32 = 3;
const NOTIMP: u32 = 4;
const BADVERS: u32 = 16;
const BADCOOKIE: u32 = 23;

const DIFFERENT: i32 = 0;
const OTHER_CASE: i32 = 1;
const SAME: i32 = 2;

export let rcode: u32 = 0; // with the bits that OPT adds

let askedType: u32 = 0;
let askedBytes: u32 = 0;

// Where the chain has come to, and what it cost in ttl.
let currentBytes: u32 = 0;
let ttlSeconds: u32 = 0;
let dataCount: u32 = 0;
let unfit: bool = false;

// What the other sections say.
let hasNameServers: bool = false;
let hasSoa: bool = false;
let hasOwnSoa: bool = false; // of a zone that the chain's end is in
export let zoneBytes: u32 = 0; // of that zone's name; 0 where there is none
let negativeTtlSeconds: u32 = 0;

/**
 * The verdict on the message in MESSAGE as a reply to the query with this id whose question section is in QUERY and, where
 * one was sent, its client's cookie in COOKIE.
 */
export function read(messageBytes: u32, id: u32, queryBytes: u32, isCookieSent: bool): u32 {
  open(messageBytes);
  const messageId = read16();
  const flags = read16();
  const questionCount = read16();
  const answerCount = read16();
  const authorityCount = read16();
  const additionalCount = read16();
  if (failed || messageId != id || (flags & FLAGS_REPLY_AND_OPCODE) != FLAG_REPLY) return VERDICT_FOREIGN;

  // A server that could not read the query need not repeat the question.
  const unread = (flags & RCODE) == FORMERR || (flags & RCODE) == NOTIMP;
  let likeness = SAME;
  if (!unread || questionCount != 0) {
    likeness = questionCount == 1 ? likenessOfQuestion(queryBytes) : DIFFERENT;
    if (likeness == DIFFERENT) return VERDICT_FOREIGN;
    advance(queryBytes);
  }
  lookForOpt(answerCount + authorityCount, additionalCount, isCookieSent);
  rcode = (extendedRcode << 4) | (flags & RCODE);
  if (cookie == FOREIGN_COOKIE) {
    return likeness == SAME && questionCount == 1 ? VERDICT_OTHER_COOKIE : VERDICT_FOREIGN;
  }
  if (likeness == OTHER_CASE) return VERDICT_WRONG_CASE;
  if (cookie == ODD_COOKIE) return VERDICT_MALFORMED;
  if (unread && questionCount == 0) return VERDICT_UNREAD;
  if (flags & FLAG_TRUNCATED) return VERDICT_TRUNCATED;
  if (unread || rcode == BADVERS) return VERDICT_NO_EDNS;
  if (rcode == BADCOOKIE && serverCookieBytes > 0) return VERDICT_BAD_COOKIE;
  if (rcode != NOERROR && rcode != NXDOMAIN) return VERDICT_FAILURE;
  if (hasOddOptions) return VERDICT_MALFORMED;

  allowWork();
  askedBytes = unpack(MESSAGE_HEADER_BYTES, ASKED);
  if (askedBytes < 2 || !advance(4)) return VERDICT_MALFORMED;
  askedType = load16(MESSAGE + at - 4);
  const askedHash = nameHash;
  if (!indexAnswers(answerCount, askedType)) return VERDICT_MALFORMED;
  const sectionAt = at;
  memory.copy(CURRENT, ASKED, askedBytes);
  currentBytes = askedBytes;
  lookFor(askedHash, askedBytes);
  const verdict = makeRecord();
  if (verdict == VERDICT_MALFORMED) return verdict;
  moveTo(sectionAt);
  if (!readAuthority(authorityCount) || !readAdditional(additionalCount) || isOverworked()) {
    return VERDICT_MALFORMED;
  }

  if (verdict == VERDICT_LOOP) return verdict;
  const lame = rcode == NOERROR && answerCount == 0 && hasNameServers && !hasSoa;
  if (lame && !(flags & (FLAG_AUTHORITATIVE | FLAG_RECURSION_AVAILABLE))) return VERDICT_LAME;
  conclude();
  return VERDICT_ANSWER;
}

/** Of what stands at the cursor to what was asked. Letters are the name's alone: type and class have no case. */
function likenessOfQuestion(queryBytes: u32): i32 {
  if (queryBytes < 5 || queryBytes > end - at) return DIFFERENT;
  const given = MESSAGE + at;
  if (memory.compare(given, QUERY, queryBytes) == 0) return SAME;
  const nameBytes = queryBytes - 4;
  for (let i: u32 = 0; i < nameBytes; i++) {
    if (lower(load<u8>(given + i)) != lower(load<u8>(QUERY + i))) return DIFFERENT;
  }
  return memory.compare(given + nameBytes, QUERY + nameBytes, 4) == 0 ? OTHER_CASE : DIFFERENT;
}

/** Follows the chain and writes names and data; conclude() does the rest, when all sections are read. */
function makeRecord(): u32 {
  ttlSeconds = u32.MAX_VALUE;
  dataCount = 0;
  begin(askedType);
  unfit = (askedType != TYPE_A && askedType != TYPE_AAAA && askedType != TYPE_PTR) || !isText(ASKED);
  if (!addName(ASKED, askedBytes)) return VERDICT_MALFORMED;
  for (let links = 0; ; links++) {
    const entry = findAnswer(0, TYPE_CNAME); // the first of an owner counts
    if (entry == 0) break;
    if (links == CHAIN_MAX) return VERDICT_LOOP;
    currentBytes = unpackData(entry, CURRENT);
    if (currentBytes == 0) return VERDICT_MALFORMED;
    lookFor(nameHash, currentBytes);
    ttlSeconds = min(ttlSeconds, ttlOf(entry));
    const isGiven = askedType == TYPE_PTR ? isText(CURRENT) : isHost(CURRENT);
    if (!isGiven || !addChainName(CURRENT, currentBytes)) unfit = true;
  }
  endNames();
  // NXDOMAIN counts even where the section holds data: both libcs look at the rcode first, and unbound hands it on. It
  // speaks of the chain's end.
  return rcode == NXDOMAIN || addAnswers() ? VERDICT_ANSWER : VERDICT_MALFORMED;
}

function addAnswers(): bool {
  for (let entry = findAnswer(0, askedType); entry != 0; entry = findAnswer(entry, askedType)) {
    dataCount++;
    ttlSeconds = min(ttlSeconds, ttlOf(entry));
    if (askedType == TYPE_PTR) {
      const bytes = unpackData(entry, OWNER);
      if (bytes == 0) return false;
      if (!isHost(OWNER) || !addDataName(OWNER, bytes)) unfit = true;
    } else if (!addData(MESSAGE + dataAtOf(entry), dataBytesOf(entry))) {
      unfit = true;
    }
  }
  return true;
}

function readAuthority(count: u32): bool {
  hasNameServers = false;
  hasSoa = false;
  hasOwnSoa = false;
  zoneBytes = 0;
  negativeTtlSeconds = 0;
  for (; count > 0; count--) {
    if (!readOwnerAndFields() || recordType == TYPE_OPT) return false;
    const next = at + dataBytes;
    if (recordClass == CLASS_IN && recordType == TYPE_NS) hasNameServers = true;
    if (recordClass == CLASS_IN && recordType == TYPE_SOA && !readSoa(next)) return false;
    moveTo(next);
  }
  return true;
}

/** RFC 2308 section 5: the ttl of a negative answer is the lesser of the SOA's own and its MINIMUM. */
function readSoa(next: u32): bool {
  const own = !hasOwnSoa && isInZone(CURRENT, currentBytes, OWNER, ownerBytes);
  const bytes = ownerBytes;
  if (unpack(at, OWNER) == 0 || unpack(at, OWNER) == 0 || at + 20 != next) return false;
  advance(16);
  const minimumSeconds = read32();
  hasSoa = true;
  if (own) {
    hasOwnSoa = true;
    zoneBytes = bytes;
    negativeTtlSeconds = minimumSeconds & 0x80000000 ? 0 : min(recordTtl, minimumSeconds);
  }
  return true;
}

function readAdditional(count: u32): bool {
  let hasOpt = false;
  for (; count > 0; count--) {
    if (!readOwnerAndFields()) return false;
    if (recordType == TYPE_OPT) {
      if (hasOpt || ownerBytes != 1) return false;
      hasOpt = true;
    }
    advance(dataBytes);
  }
  return true;
}

function conclude(): void {
  if (unfit) {
    begin(askedType);
    addName(ASKED, askedBytes);
    endNames();
    finish(OUTCOME_UNFIT, 0);
  } else if (dataCount == 0) {
    const denialSeconds = hasOwnSoa ? negativeTtlSeconds : TTL_WITHOUT_SOA_SECONDS;
    finish(rcode == NXDOMAIN ? OUTCOME_NO_NAME : OUTCOME_NO_DATA, min(ttlSeconds, denialSeconds));
  } else {
    finish(OUTCOME_DATA, ttlSeconds);
  }
}
