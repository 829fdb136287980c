// How the shared directory is, and what programs load, for people: looked at seldom, since they ask often.
import fs from "node:fs";
import path from "node:path";
import { nowMs } from "../clock.ts";
import { mountOf } from "./mounts.ts";

export interface DirectoryCondition {
  readonly path: string;
  /** Undefined where /proc does not tell. */
  readonly fileSystem: string | undefined;
  readonly isWritableByOthers: boolean;
  /** For the table that takes the place of the last one, which goes later. */
  readonly hasRoomForSecondTable: boolean;
  readonly libraryPath: string;
  readonly libraryArch: string;
  readonly isLibraryInstalled: boolean;
  /** No program can load it from there; undefined where /proc does not tell. */
  readonly isLibraryNoexec: boolean | undefined;
}

export interface ConditionOptions {
  readonly directory: string;
  readonly libraryPath: string;
  readonly libraryArch: string;
  readonly libraryBytes: number;
  /** 0 where none is published. */
  readonly tableBytes: number;
}

const LOOK_EVERY_MS = 5000;
const WRITABLE_BY_OTHERS = 0o022;

export function createCondition(options: ConditionOptions): () => DirectoryCondition {
  const { directory, libraryPath, libraryArch, libraryBytes, tableBytes } = options;
  let last: DirectoryCondition | undefined;
  let lookedAtMs = 0;
  return () => {
    if (last === undefined || nowMs() - lookedAtMs >= LOOK_EVERY_MS) {
      lookedAtMs = nowMs();
      last = look();
    }
    return last;
  };

  function look(): DirectoryCondition {
    return {
      path: directory,
      fileSystem: mountOf(realPathOf(directory))?.fileSystem,
      isWritableByOthers: ((statusOf(directory)?.mode ?? 0) & WRITABLE_BY_OTHERS) !== 0,
      hasRoomForSecondTable: freeBytesIn(directory) >= tableBytes,
      libraryPath,
      libraryArch,
      isLibraryInstalled: statusOf(libraryPath)?.size === libraryBytes,
      isLibraryNoexec: mountOf(realPathOf(path.dirname(libraryPath)))?.isNoexec,
    };
  }
}

/** Infinite where the volume has no limit of its own, or cannot be asked. */
function freeBytesIn(directory: string): number {
  try {
    const { blocks, bavail, bsize } = fs.statfsSync(directory);
    return blocks > 0 ? bavail * bsize : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function statusOf(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file);
  } catch {
    return undefined;
  }
}

function realPathOf(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    return file;
  }
}
