// How the shared directory is, for people: looked at seldom, since they ask often.
import fs from "node:fs";
import path from "node:path";
import { nowMs } from "../clock.ts";
import { mountOf } from "./mounts.ts";

export interface DirectoryCondition {
  readonly path: string;
  /** Undefined where /proc does not tell. */
  readonly fileSystem: string | undefined;
  readonly isNoexec: boolean | undefined;
  readonly isWritableByOthers: boolean;
  /** Of client.so in it. */
  readonly libraryArch: string;
  readonly isLibraryInstalled: boolean;
}

const LOOK_EVERY_MS = 5000;
const WRITABLE_BY_OTHERS = 0o022;

/** @param libraryBytes of client.so */
export function createCondition(
  directory: string,
  libraryArch: string,
  libraryBytes: number,
): () => DirectoryCondition {
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
    const mount = mountOf(realPathOf(directory));
    return {
      path: directory,
      fileSystem: mount?.fileSystem,
      isNoexec: mount?.isNoexec,
      isWritableByOthers: ((statusOf(directory)?.mode ?? 0) & WRITABLE_BY_OTHERS) !== 0,
      libraryArch,
      isLibraryInstalled: statusOf(path.join(directory, "client.so"))?.size === libraryBytes,
    };
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
