// Publishes the table: each change of a slot goes to cache.table, where clients read it, and a heartbeat says that somebody
// does so. A start goes on with the table of the last server where it may. Who cannot publish goes on over the socket, and
// publishes the header alone: by it clients know whom this server asks. So it is while a new table is made beside the running
// server (making.ts), where its view has changed or there was no room before.
//
// Two servers may start at once, and dns.sock decides between them. So `prepare`, before that, changes nothing that others
// see, and `start`, after it and before any question is answered, does not wait for anything.
import { randomFillSync } from "node:crypto";
import fs from "node:fs";
import {
  BOOT_ID_BYTES,
  EPOCH_BYTES,
  HEADER_BOOT_ID,
  HEADER_BYTES,
  HEADER_EPOCH,
  HEADER_SEED_A,
  HEARTBEAT_EVERY_MS,
  SEEDS_BYTES,
  SET_BYTES,
} from "../../assembly/layout.ts";
import { nowMs, realMs } from "../clock.ts";
import type { Counters } from "../counters.ts";
import type { Log } from "../log.ts";
import { type Made, type Making, startMaking } from "./making.ts";
import type { Standstill } from "./standstill.ts";
import * as tablefile from "./tablefile.ts";
import { BOOT_ID_FILE, type TableView, type Wasm, writeView } from "./wasm.ts";

export interface Publisher {
  /** Reads the last table back, or makes a new file aside. */
  prepare(): void;
  /** From now on the table is published. */
  start(): void;
  /** A slot has changed; 0: none has. */
  publish(slotOffset: number): void;
  /** From now on an empty table, of this view of DNS; the last one ends at once, the next is published when it is made. */
  renew(view: TableView): void;
  /** Writes nothing more, for another server may go on with the file at once; hits go on from it until their ttl ends. */
  stop(): void;
  state(): TableState;
}

export interface TableState {
  /** "header": its first page alone, and hits go over the socket; "off": so it is on purpose. */
  readonly state: "published" | "header" | "none" | "off";
  /** Why it is not published, where it should be. */
  readonly reason: string | undefined;
  readonly heartbeatAgeSeconds: number | undefined;
  /** Of the file. */
  readonly bytes: number;
}

export interface PublisherOptions {
  readonly wasm: Wasm;
  readonly tablePath: string;
  readonly asidePath: () => string;
  /** Or else the header alone is published. */
  readonly isOn: boolean;
  /** False once dns.sock has been taken away: then another server can start, and go on with the file. */
  readonly isInPlace: () => boolean;
  /** It has been taken away: nothing is published any more. */
  readonly onPlaceLost: () => void;
  readonly realMsAt: Standstill["realMsAt"];
  readonly counters: Counters;
  readonly log: Log;
}

interface Published extends tablefile.TableFile {
  /** Or it is the header alone. */
  readonly hasSets: boolean;
}

interface LastTable {
  readonly kind: "last";
  readonly file: tablefile.TableFile;
  readonly header: Buffer;
  readonly changedSets: readonly number[];
  readonly dropped: number;
}
interface NewTable {
  readonly kind: "new";
  readonly file: Published;
  readonly aside: string;
  readonly setAside?: string | undefined;
  /** Why it is no more than a header. */
  readonly reason?: string | undefined;
}
interface NoTable {
  readonly kind: "none";
  readonly reason: string;
}

const RETRY_FIRST_MS = 2000; // clients look after the last table once a second, and then its room is free
const RETRY_MAX_MS = 60_000;

export function createPublisher({
  wasm,
  tablePath,
  asidePath,
  isOn,
  isInPlace,
  onPlaceLost,
  realMsAt,
  counters,
  log,
}: PublisherOptions): Publisher {
  const { image } = wasm;
  /** Else nobody can tell whether the table's times are of his boot. */
  const hasBootId = image.subarray(HEADER_BOOT_ID, HEADER_BOOT_ID + BOOT_ID_BYTES).some((byte) => byte !== 0);
  const hasTable = isOn && hasBootId;
  let prepared: LastTable | NewTable | NoTable | undefined;
  let published: Published | undefined;
  let making: Making | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let retryMs = RETRY_FIRST_MS;
  let retryAtMs = 0;
  let saidReason: string | undefined; // since it was last published
  let beatAtMs: number | undefined;
  let hasRead = false; // the image holds what was read of a last table

  return {
    prepare() {
      prepared = prepareTable();
    },

    start() {
      if (prepared === undefined) return; // stopped meanwhile
      if (prepared.kind === "last" && hasMoved(prepared)) {
        fs.closeSync(prepared.file.descriptor);
        prepared = prepareTable();
      }
      const ready = prepared;
      prepared = undefined;
      if (ready.kind === "last") goOn(ready);
      else putInPlace(ready);
      settle();
      heartbeat = setInterval(beat, HEARTBEAT_EVERY_MS).unref();
    },

    /** The whole set in one write, tags and slots: what has not changed is the same bytes, so no neighbour is torn. */
    publish(slotOffset) {
      if (slotOffset !== 0) writeSet(slotOffset - ((slotOffset - HEADER_BYTES) % SET_BYTES));
    },

    renew(view) {
      writeView(image, view);
      empty();
      if (heartbeat === undefined || !holdsPlace()) return;
      making?.giveUp();
      making = undefined;
      const last = published;
      published = undefined;
      if (last !== undefined) tablefile.retireAndClose(last); // before anything that may fail
      putInPlace(makeHeader());
      if (hasTable) make();
      else settle();
    },

    state() {
      const bytes = published === undefined ? 0 : published.hasSets ? image.length : HEADER_BYTES;
      const withoutTable = !isOn ? "off" : published === undefined ? "none" : "header";
      return {
        state: published?.hasSets ? "published" : withoutTable,
        reason: isWanting() ? saidReason : undefined,
        heartbeatAgeSeconds: beatAtMs === undefined ? undefined : (nowMs() - beatAtMs) / 1000,
        bytes,
      };
    },

    stop() {
      standDown();
      if (prepared !== undefined && prepared.kind !== "none") fs.closeSync(prepared.file.descriptor);
      if (prepared?.kind === "new") fs.rmSync(prepared.aside, { force: true });
      prepared = undefined;
    },
  };

  function prepareTable(): LastTable | NewTable | NoTable {
    if (hasRead) empty(); // the time before: what is empty by now would stay
    const last = hasTable ? readLast() : undefined;
    if (typeof last === "object") return last;
    if (hasRead) empty();
    return makeNew(last);
  }

  /** Where there is no room for a table there may still be some for its header. */
  function makeNew(setAside?: string): NewTable | NoTable {
    if (!hasTable) return makeHeader();
    try {
      const aside = asidePath();
      const file = { ...tablefile.makeTable(aside, image), hasSets: true };
      return { kind: "new", file, aside, setAside };
    } catch (error) {
      return makeHeader((error as Error).message);
    }
  }

  function makeHeader(reason?: string): NewTable | NoTable {
    if (!hasBootId) return { kind: "none", reason: `${BOOT_ID_FILE} cannot be read` };
    try {
      const aside = asidePath();
      const file = { ...tablefile.makeTable(aside, tablefile.headerAlone(image)), hasSets: false };
      return { kind: "new", file, aside, reason };
    } catch (error) {
      return { kind: "none", reason: reason ?? (error as Error).message };
    }
  }

  /** Or the reason why it is set aside; undefined where there is none. */
  function readLast(): LastTable | string | undefined {
    let file: tablefile.TableFile | undefined;
    try {
      file = tablefile.openTable(tablePath);
      if (file === undefined) return undefined;
      const header = tablefile.readHeader(file);
      const reason = tablefile.reasonAgainst(file, header, image, nowMs(), realMs());
      if (reason === undefined) {
        hasRead = true;
        return { kind: "last", file, header, ...adopt(tablefile.readTable(file, header, image)) };
      }
      fs.closeSync(file.descriptor);
      return reason;
    } catch (error) {
      if (file !== undefined) fs.closeSync(file.descriptor);
      return `it cannot be read: ${(error as Error).message}`;
    }
  }

  function adopt(sets: readonly number[]): { changedSets: number[]; dropped: number } {
    const changedSets: number[] = [];
    const now = nowMs();
    let dropped = 0;
    wasm.takeOver();
    for (const index of sets) {
      const changed = wasm.adopt(index, now);
      if (changed > 0) changedSets.push(HEADER_BYTES + index * SET_BYTES);
      dropped += changed;
    }
    return { changedSets, dropped };
  }

  function empty(): void {
    randomFillSync(image, HEADER_SEED_A, SEEDS_BYTES);
    randomFillSync(image, HEADER_EPOCH, EPOCH_BYTES);
    wasm.takeOver();
    hasRead = false;
  }

  function make(): void {
    try {
      const lack = tablefile.lackOfRoom(tablePath, image.length);
      if (lack !== undefined) throw new Error(lack);
      making = startMaking(wasm, asidePath(), finish);
    } catch (error) {
      finish(error as Error);
    }
  }

  function finish(end: Made | Error): void {
    making = undefined;
    if (end instanceof Error) {
      say(end.message);
      settle();
      return;
    }
    const { file, aside } = end;
    if (!holdsPlace()) {
      tablefile.dropTable(aside, file);
      return;
    }
    const last = published;
    published = undefined;
    putInPlace({ kind: "new", file: { ...file, hasSets: true }, aside });
    if (last !== undefined) tablefile.retireAndClose(last);
    settle();
  }

  function isWanting(): boolean {
    return published === undefined ? hasBootId : hasTable && !published.hasSets;
  }

  /** After each attempt to have what is wanted. */
  function settle(): void {
    if (isWanting()) {
      retryAtMs = nowMs() + retryMs;
      retryMs = Math.min(2 * retryMs, RETRY_MAX_MS);
      return;
    }
    if (published === undefined) return;
    retryMs = RETRY_FIRST_MS;
    if (saidReason !== undefined) log.tablePublished();
    saidReason = undefined;
  }

  function say(reason: string): void {
    if (reason !== saidReason) log.tableNotPublished(reason);
    saidReason = reason;
  }

  /** Another server has come and gone since the table was read. */
  function hasMoved({ file, header }: LastTable): boolean {
    return tablefile.inodeAt(tablePath) !== file.inode || !tablefile.readHeader(file).equals(header);
  }

  function goOn({ file, changedSets, dropped }: LastTable): void {
    published = { ...file, hasSets: true };
    log.tableContinued(wasm.usedCount(), dropped);
    attempt(published, tablefile.restoreMode);
    for (const at of changedSets) writeSet(at);
    beat();
  }

  function putInPlace(ready: NewTable | NoTable): void {
    if (ready.kind === "none") {
      goWithout(ready.reason);
      return;
    }
    const { file, aside, setAside, reason } = ready;
    if (setAside !== undefined) log.tableSetAside(setAside);
    if (reason !== undefined) say(reason);
    try {
      setHeartbeat();
      tablefile.writeHeader(file.descriptor, file.hasSets ? image : tablefile.headerAlone(image));
      tablefile.replaceTable(tablePath, aside);
      published = file;
    } catch (error) {
      fs.closeSync(file.descriptor);
      fs.rmSync(aside, { force: true });
      goWithout((error as Error).message);
    }
  }

  /** What an older server left must go: clients would take its old heartbeat for a dead server. */
  function goWithout(reason: string): void {
    try {
      tablefile.removeTable(tablePath);
      say(reason);
    } catch (error) {
      say(`${reason}; the last one cannot be removed: ${(error as Error).message}`);
    }
  }

  function beat(): void {
    if (!holdsPlace()) return;
    setHeartbeat();
    if (published !== undefined) attempt(published, beatThere);
    if (making !== undefined || !isWanting() || nowMs() < retryAtMs) return;
    if (published === undefined) putInPlace(makeHeader());
    if (published !== undefined && hasTable) make();
    else settle();
  }

  function beatThere(descriptor: number): void {
    if (tablefile.inodeAt(tablePath) !== published?.inode) throw new Error(`somebody has taken ${tablePath} away`);
    tablefile.writeHeartbeat(descriptor, image);
  }

  function holdsPlace(): boolean {
    if (isInPlace()) return true;
    standDown();
    onPlaceLost();
    return false;
  }

  function setHeartbeat(): void {
    const now = nowMs();
    beatAtMs = now;
    wasm.setHeartbeat(now, realMsAt(now));
  }

  /** The file stays as it is: it may be another server's by now, and if it is not, its heartbeat grows old. */
  function standDown(): void {
    clearInterval(heartbeat);
    heartbeat = undefined;
    making?.giveUp();
    making = undefined;
    if (published !== undefined) fs.closeSync(published.descriptor);
    published = undefined;
  }

  function writeSet(at: number): void {
    making?.change(at);
    if (!published?.hasSets) return;
    counters.published++;
    attempt(published, (descriptor) => tablefile.write(descriptor, image, at, SET_BYTES));
  }

  /** After a write that failed, clients may have an older answer than the server: it is the last one. */
  function attempt(file: Published, write: (descriptor: number, image: Buffer) => void): void {
    try {
      write(file.descriptor, image);
    } catch (error) {
      published = undefined;
      counters.publishFailures++;
      say((error as Error).message);
      tablefile.retireAndClose(file);
      takeAway(file);
      if (file.hasSets && isInPlace()) putInPlace(makeHeader());
      settle();
    }
  }

  function takeAway({ inode }: tablefile.TableFile): void {
    try {
      if (tablefile.inodeAt(tablePath) === inode) fs.unlinkSync(tablePath);
    } catch {
      // It is retired, or its heartbeat grows old.
    }
  }
}
