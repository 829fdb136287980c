// The OPT record of a reply (RFC 6891) and the cookie in it (RFC 7873). It is looked for before the sections are read, for
// it counts also in replies of which nothing else does; so names are skipped, and sections that cannot be walked hold none.

import { advance, at, end, failed, moveTo, open, read16 } from "./bytes";
import {
  CLIENT_COOKIE_BYTES,
  LABEL_BYTES_MAX,
  SERVER_COOKIE_BYTES_MAX,
  SERVER_COOKIE_BYTES_MIN,
  TYPE_OPT,
} from "./layout";
import { COOKIE, MESSAGE } from "./memory";
import { dataBytes, readFields, recordType } from "./rr";

const OPTION_COOKIE: u32 = 10;

export const NO_COOKIE: i32 = 0;
export const OWN_COOKIE: i32 = 1; // the client's part is the one that was sent
export const FOREIGN_COOKIE: i32 = 2;
export const ODD_COOKIE: i32 = 3; // of a length that no cookie has

export let extendedRcode: u32 = 0; // the upper eight bits
export let hasOpt: bool = false;
export let hasOddOptions: bool = false;
export let cookie: i32 = NO_COOKIE;
export let serverCookieBytes: i32 = -1; // of the server's part in COOKIE, -1 where no cookie came

/** Looks through the sections after the cursor, which stays; the first OPT of the additional section counts. */
export function lookForOpt(othersCount: u32, additionalCount: u32, isCookieSent: bool): void {
  extendedRcode = 0;
  hasOpt = false;
  hasOddOptions = false;
  cookie = NO_COOKIE;
  serverCookieBytes = -1;
  const start = at;
  for (let left = othersCount + additionalCount; left > 0 && skipName() && readFields(); left--) {
    if (left <= additionalCount && recordType == TYPE_OPT) {
      readOpt(isCookieSent);
      break;
    }
    advance(dataBytes);
  }
  open(end);
  moveTo(start);
}

function skipName(): bool {
  while (at < end) {
    const head = <u32>load<u8>(MESSAGE + at);
    if (head >= 0xc0) return advance(2);
    if (head > <u32>LABEL_BYTES_MAX || !advance(head + 1)) return false;
    if (head == 0) return true;
  }
  return false;
}

function readOpt(isCookieSent: bool): void {
  const next = at + dataBytes;
  hasOpt = true;
  extendedRcode = load<u8>(MESSAGE + at - 6); // first byte of what is a ttl elsewhere
  while (at < next) {
    const code = read16();
    const bytes = read16();
    if (failed || at > next || bytes > next - at) {
      hasOddOptions = true;
      return;
    }
    if (isCookieSent && code == OPTION_COOKIE && cookie == NO_COOKIE) readCookie(bytes);
    advance(bytes);
  }
}

function readCookie(bytes: u32): void {
  const serverBytes = bytes - CLIENT_COOKIE_BYTES;
  const isFit = serverBytes >= <u32>SERVER_COOKIE_BYTES_MIN && serverBytes <= <u32>SERVER_COOKIE_BYTES_MAX;
  if (serverBytes != 0 && !isFit) {
    cookie = ODD_COOKIE;
  } else if (memory.compare(MESSAGE + at, COOKIE, CLIENT_COOKIE_BYTES) != 0) {
    cookie = FOREIGN_COOKIE;
  } else {
    cookie = OWN_COOKIE;
    serverCookieBytes = serverBytes;
    memory.copy(COOKIE + CLIENT_COOKIE_BYTES, MESSAGE + at + CLIENT_COOKIE_BYTES, serverBytes);
  }
}
