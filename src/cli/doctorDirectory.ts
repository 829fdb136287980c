// The shared directory as the node has it: who may write there, what lies there, how it is mounted.
import fs from "node:fs";
import path from "node:path";
import { HEADER_BYTES, SET_BYTES, WAYS } from "../../assembly/layout.ts";
import { LibraryError, readDoctor, readLibrary } from "../place/library.ts";
import { mountOf, readMounts } from "../place/mounts.ts";
import type { Config } from "../settings/config.ts";
import type { Findings } from "./doctorReport.ts";

// Where a page that one process writes is not at once what all the others see, or a file is copied at its first write.
const NOT_SHARED = /^(overlay|nfs4?|cifs|smb3|9p|fuse(\..*)?|virtiofs|ceph|glusterfs)$/;
const OF_OTHERS = 0o022;
const MEBIBYTE = 1024 * 1024;

/** False where there is nothing to look into. */
export function checkDirectory(findings: Findings, config: Config, build: string): boolean {
  const { directory } = config;
  let status: fs.Stats;
  try {
    status = fs.statSync(directory);
  } catch (error) {
    findings.found("NW-201", `${directory} cannot be entered: ${codeOf(error)}`);
    return false;
  }
  if (!status.isDirectory()) {
    findings.found("NW-202", `${directory} is not a directory`);
    return false;
  }
  if (!["client.so", "dns.sock", "cache.table"].some((name) => fs.existsSync(path.join(directory, name)))) {
    findings.found("NW-202", `${directory} holds none of the server's files`);
    return false;
  }
  findings.fine(`${directory} is the server's directory`);
  checkRights(findings, directory, status);
  checkVolume(findings, config);
  checkReplaced(findings, directory);
  checkFiles(findings, config, build);
  return true;
}

function checkRights(findings: Findings, directory: string, { mode, uid }: fs.Stats): void {
  if (mode & OF_OTHERS) findings.found("NW-208", `${directory} can be written to by others than its owner`);
  const server = fs.statSync(path.join(directory, "dns.sock"), { throwIfNoEntry: false })?.uid;
  if (server !== undefined && server !== 0 && server !== uid && !(mode & OF_OTHERS)) {
    findings.found("NW-210", `${directory} is of user ${uid}, and the server runs as user ${server}`);
  }
}

function checkVolume(findings: Findings, { directory, libraryPath, entries, sharedTable }: Config): void {
  const mount = mountOf(directory);
  const on = mount === undefined ? "" : ` on ${mount.fileSystem}, mounted at ${mount.point}`;
  if (mount !== undefined && NOT_SHARED.test(mount.fileSystem)) findings.found("NW-212", `${directory} lies${on}`);
  const folder = path.dirname(libraryPath);
  if (mountOf(folder)?.isNoexec)
    findings.found("NW-213", `${folder}, from which client.so is loaded, is mounted noexec`);
  const { blocks, bavail, bsize } = fs.statfsSync(directory);
  const wanted = HEADER_BYTES + Math.ceil(entries / WAYS) * SET_BYTES;
  const free = bavail * bsize;
  const isLimited = blocks > 0; // a tmpfs need not be
  if (sharedTable && isLimited && free < wanted) {
    findings.found("NW-209", `a second table takes ${inMebibytes(wanted)}, and ${inMebibytes(free)} are free`);
  } else {
    findings.fine(`there is room for a second table${on}`);
  }
}

/** Of the processes that this user may look into. */
function checkReplaced(findings: Findings, directory: string): void {
  const own = mountOf(directory);
  if (own === undefined) return;
  const removed = `${path.join(own.root, path.relative(own.point, path.resolve(directory)))}//deleted`;
  const seen = new Set<string>();
  for (const entry of processes()) {
    for (const { device, root, point } of readMounts(Number(entry))) {
      if (device !== own.device || root !== removed) continue;
      const space = readLink(`/proc/${entry}/ns/mnt`);
      if (seen.has(space)) continue;
      seen.add(space);
      findings.found("NW-207", `process ${entry} has at ${point} a directory that was removed since`);
    }
  }
}

function checkFiles(findings: Findings, { directory, libraryPath: file }: Config, build: string): void {
  let library: Buffer;
  try {
    library = readLibrary(build, process.arch);
  } catch (error) {
    if (!(error instanceof LibraryError)) throw error;
    findings.note(error.message);
    return;
  }
  let installed: Buffer;
  try {
    installed = fs.readFileSync(file);
  } catch (error) {
    findings.found("NW-205", `${file} cannot be opened: ${codeOf(error)}`);
    return;
  }
  const machineAt = 18; // of an ELF header
  if (installed.length < machineAt + 2 || installed.readUInt16LE(machineAt) !== library.readUInt16LE(machineAt)) {
    findings.found("NW-204", `${file} is not for ${process.arch}`);
  } else if (!installed.equals(library)) {
    findings.found("NW-211", `${file} is another than this build's`);
  } else {
    findings.fine(`${file} is this build's, for ${process.arch}`);
  }
  const program = path.join(directory, "doctor");
  const doctor = readDoctor(build, process.arch);
  if (doctor !== undefined && fs.existsSync(program)) {
    findings.note(`within a container, ${program} says why its lookups do not come from here`);
  }
}

function processes(): string[] {
  try {
    return fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function readLink(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch {
    return file;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

function inMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MEBIBYTE)} MiB`;
}
