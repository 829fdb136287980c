// How files and directories that programs of other users need come to their place: whole, by rename, and of the right mode
// whatever the umask.
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

// Start of the names of files that are not in their place yet; a whole one is as long as dns.sock, since the path of a
// socket may have 107 bytes in all.
export const ASIDE = ".nw-";
const INSTALLED_MODE = 0o555;
const DIRECTORY_MODE = 0o755;

/** What a killed server leaves there is removed by the next one. */
export function asidePathIn(directory: string): string {
  return path.join(directory, `${ASIDE}${randomBytes(3).toString("base64url")}`);
}

/** With those that lead to it. Not left to the umask: whoever cannot enter one of them has no client.so. */
export function makeDirectory(directory: string): void {
  const first = fs.mkdirSync(directory, { recursive: true });
  if (first === undefined) return;
  for (let made = path.resolve(directory); made.length >= path.resolve(first).length; made = path.dirname(made)) {
    fs.chmodSync(made, DIRECTORY_MODE);
  }
}

/** Processes have the old file mapped; an equal one is left to them. False for that. */
export function installFile(file: string, bytes: Buffer): boolean {
  if (isInstalledAlready(file, bytes)) return false;
  const aside = asidePathIn(path.dirname(file));
  try {
    fs.writeFileSync(aside, bytes, { mode: INSTALLED_MODE, flag: "wx" });
    fs.chmodSync(aside, INSTALLED_MODE);
    fs.renameSync(aside, file);
  } catch (error) {
    fs.rmSync(aside, { force: true });
    throw error;
  }
  return true;
}

function isInstalledAlready(file: string, bytes: Buffer): boolean {
  try {
    return (fs.statSync(file).mode & 0o777) === INSTALLED_MODE && fs.readFileSync(file).equals(bytes);
  } catch {
    return false;
  }
}
