// The published table: whether somebody writes it, whether there is room in it, and whom it says that the server asks.
import fs from "node:fs";
import path from "node:path";
import {
  BOOT_ID_BYTES,
  HEADER_BOOT_ID,
  HEADER_BYTES,
  HEADER_HEARTBEAT_MS,
  HEADER_LAYOUT_VERSION,
  HEADER_MAGIC,
  HEADER_SET_COUNT,
  HEADER_STATE,
  HEADER_UPSTREAMS,
  HEARTBEAT_OLD_MS,
  LAYOUT_VERSION,
  SET_BYTES,
  STATE_LIVE,
  TABLE_MAGIC_HIGH,
  TABLE_MAGIC_LOW,
  TAG_BYTES,
  WAYS,
} from "../../assembly/layout.ts";
import { nowMs } from "../clock.ts";
import type { Config } from "../settings/config.ts";
import { type UpstreamAddress, upstreamAddress, upstreamText } from "../upstream/address.ts";
import type { Findings } from "./doctorReport.ts";

const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";
const FULL_SHARE = 0.95;

/** The servers that the running server asks, where its table says so. */
export function checkTable(
  findings: Findings,
  config: Config,
  hasDirectory: boolean,
  isAlive: boolean,
): UpstreamAddress[] | undefined {
  if (!hasDirectory) {
    findings.note("not looked for, without its directory");
    return undefined;
  }
  const file = path.join(config.directory, "cache.table");
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    const text = `${file} cannot be opened: ${(error as NodeJS.ErrnoException).code}`;
    if (isAlive) findings.found("NW-401", text);
    else findings.note(text);
    return undefined;
  }
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    const length = fs.readSync(descriptor, header, 0, HEADER_BYTES, 0);
    if (!checkHeader(findings, file, header, length, isAlive)) return undefined;
    checkBeat(findings, header, isAlive);
    checkRoom(findings, descriptor, header.readUInt32LE(HEADER_SET_COUNT));
    return checkView(findings, header, config, isAlive);
  } finally {
    fs.closeSync(descriptor);
  }
}

function checkHeader(findings: Findings, file: string, header: Buffer, length: number, isAlive: boolean): boolean {
  const isOurs =
    length === HEADER_BYTES &&
    header.readUInt32LE(HEADER_MAGIC) === TABLE_MAGIC_LOW &&
    header.readUInt32LE(HEADER_MAGIC + 4) === TABLE_MAGIC_HIGH;
  const layout = isOurs ? header.readUInt32LE(HEADER_LAYOUT_VERSION) : 0;
  const bootId = header.toString("hex", HEADER_BOOT_ID, HEADER_BOOT_ID + BOOT_ID_BYTES);
  if (!isOurs) findings.found("NW-403", `${file} is no table`);
  else if (layout !== LAYOUT_VERSION) {
    findings.found("NW-402", `the table is of layout ${layout}, and this doctor reads ${LAYOUT_VERSION}`);
  } else if (bootId !== ownBootId() && isAlive)
    findings.found("NW-404", "the table is of another boot, or another machine");
  else if (header.readUInt32LE(HEADER_STATE) !== STATE_LIVE && isAlive)
    findings.found("NW-406", "the table is retired");
  else if (bootId !== ownBootId() || header.readUInt32LE(HEADER_STATE) !== STATE_LIVE) {
    findings.note("the table is one that a server has left behind, and counts no more");
  } else {
    findings.fine(`${file} is of layout ${LAYOUT_VERSION}`);
    return true;
  }
  return false;
}

function ownBootId(): string {
  try {
    return fs.readFileSync(BOOT_ID_FILE, "latin1").replace(/[^0-9a-f]/g, "");
  } catch {
    return "";
  }
}

function checkBeat(findings: Findings, header: Buffer, isAlive: boolean): void {
  const ageMs = Math.max(0, Math.floor(nowMs() - Number(header.readBigUInt64LE(HEADER_HEARTBEAT_MS))));
  const text = `the server's heartbeat is ${ageMs} ms old`;
  if (ageMs < HEARTBEAT_OLD_MS) findings.fine(text);
  else if (isAlive) findings.found("NW-401", `${text}, and the server answers: this table is not its own`);
  else findings.note(`${text}; what has not expired is still answered`);
}

function checkRoom(findings: Findings, descriptor: number, setCount: number): void {
  const tags = Buffer.alloc(WAYS * TAG_BYTES);
  let used = 0;
  for (let set = 0; set < setCount; set++) {
    fs.readSync(descriptor, tags, 0, tags.length, HEADER_BYTES + set * SET_BYTES);
    for (let at = 0; at < tags.length; at += TAG_BYTES) used += tags.readBigUInt64LE(at) === 0n ? 0 : 1;
  }
  const slots = setCount * WAYS;
  const text = `${used} of the table's ${slots} entries are in use`;
  if (slots === 0) findings.found("NW-401", "the server publishes no entries, only whom it asks");
  else if (used >= slots * FULL_SHARE) findings.found("NW-408", `${text}: others give way to what is new`);
  else findings.fine(text);
}

/** As the header names it: servers with ", " or " then " between, then rules behind a ";". */
function checkView(findings: Findings, header: Buffer, { upstreams }: Config, isAlive: boolean) {
  const length = header.readUInt16LE(HEADER_UPSTREAMS);
  const [servers = ""] = header.toString("latin1", HEADER_UPSTREAMS + 2, HEADER_UPSTREAMS + 2 + length).split("; ", 1);
  const named = servers
    .split(/, | then /)
    .map((text) => upstreamAddress(text.replace(/^udp /, "").replace(" ", "://")));
  const known = named.filter((address) => address !== undefined);
  if (!isAlive || known.length === 0 || known.length < named.length) return undefined; // shortened to fit
  findings.note(`the server asks ${servers}`);
  const texts = (addresses: readonly UpstreamAddress[]) => addresses.map(upstreamText).sort().join(", ");
  if (texts(known) !== texts(upstreams))
    findings.note(`this environment would have it ask ${texts(upstreams) || "none"}`);
  return known;
}
