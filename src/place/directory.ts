// The map of this folder: directory.ts, and library.ts, which reads client.so and the doctor from the build.
//
// The shared directory: client.so and doctor are put in place by rename, and dns.sock by hard link, so that none is ever missing,
// half written or of a wrong mode; the link also decides between two servers that start at once.
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import type { Log } from "../log.ts";

export class DirectoryError extends Error {}

export interface Directory {
  readonly socketPath: string;
  readonly tablePath: string;
  /** A new name for a file that is to be put in place by rename; what a killed server leaves under one is removed. */
  asidePath(): string;
  /** Throws where a server answers on the socket already. */
  refuseSecondServer(): Promise<void>;
  installClient(library: Buffer): void;
  /** The program that says within a container why lookups do not come from here. */
  installDoctor(program: Buffer): void;
  /** Listens on dns.sock, in place of a dead server's. */
  listen(server: net.Server): Promise<void>;
  /** Whether dns.sock is still the one of `listen`. */
  isInPlace(): boolean;
  /** What killed servers have left. For the server that listens, when its files are in their place: any other is refused. */
  removeLeftOver(): void;
  /** Takes dns.sock away, unless it is another server's by now. */
  leave(): void;
}

// Start of the names of files that are not in their place yet; a whole one is as long as dns.sock, since the path of a
// socket may have 107 bytes in all.
const ASIDE = ".nw-";
const INSTALLED_MODE = 0o555;
const SOCKET_MODE = 0o666; // connecting asks for write permission
const DIRECTORY_MODE = 0o755;
const BACKLOG = 4096;
const LEFT_OVER_MS = 10_000; // a server that starts just now puts each file in its place sooner

export function openDirectory(directory: string, log: Log): Directory {
  const socketPath = path.join(directory, "dns.sock");
  const tablePath = path.join(directory, "cache.table");
  const clientPath = path.join(directory, "client.so");
  const doctorPath = path.join(directory, "doctor");
  let ownInode: bigint | undefined;
  attempt(() => {
    makeDirectory(directory);
    fs.accessSync(directory, fs.constants.W_OK | fs.constants.X_OK);
  });
  if (fs.statSync(directory).mode & 0o022) log.directoryWritable(directory);

  return {
    socketPath,
    tablePath,
    asidePath,
    async refuseSecondServer() {
      const isSecond = await isAnswering(socketPath).catch((error) => {
        throw unusable(error);
      });
      if (isSecond) throw new DirectoryError(`Another server is listening on ${socketPath}`);
    },
    installClient(library) {
      const isInstalled = attempt(() => {
        removeLeftOver(LEFT_OVER_MS);
        return install(clientPath, library);
      });
      if (isInstalled) log.clientInstalled(clientPath);
    },
    installDoctor(program) {
      try {
        install(doctorPath, program);
      } catch {
        // No lookup needs it; what is half written goes with what is left over.
      }
    },
    async listen(server) {
      const aside = asidePath();
      try {
        await listenOn(server, aside);
        fs.chmodSync(aside, SOCKET_MODE);
        await linkInPlace(aside);
        ownInode = inodeOf(socketPath);
      } catch (error) {
        throw unusable(error);
      } finally {
        fs.rmSync(aside, { force: true });
      }
    },
    isInPlace: holdsSocket,
    removeLeftOver: () => attempt(() => removeLeftOver(0)),
    leave() {
      if (holdsSocket()) fs.rmSync(socketPath, { force: true });
    },
  };

  function attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw unusable(error);
    }
  }

  function unusable(error: unknown): DirectoryError {
    if (error instanceof DirectoryError) return error;
    return new DirectoryError(`DNS_CACHE_DIR: '${directory}' cannot be used: ${(error as Error).message}`);
  }

  function asidePath(): string {
    return path.join(directory, `${ASIDE}${randomBytes(3).toString("base64url")}`);
  }

  function holdsSocket(): boolean {
    try {
      return ownInode !== undefined && inodeOf(socketPath) === ownInode;
    } catch {
      return false; // the directory cannot be entered any more
    }
  }

  /** Files that old, and sockets that cannot be ours, which another server's `removeDead` moves away for a moment. */
  function removeLeftOver(fileMs: number): void {
    for (const name of fs.readdirSync(directory)) {
      if (!name.startsWith(ASIDE)) continue;
      const file = path.join(directory, name);
      try {
        const status = fs.lstatSync(file);
        const ageMs = Date.now() - status.mtimeMs;
        if (ageMs >= (status.isFile() ? fileMs : LEFT_OVER_MS)) fs.rmSync(file);
      } catch {
        // It is gone, or it is a directory: no reason not to start.
      }
    }
  }

  /** Processes have the old file mapped; an equal one is left to them. False for that. */
  function install(file: string, bytes: Buffer): boolean {
    if (isInstalledAlready(file, bytes)) return false;
    const aside = asidePath();
    fs.writeFileSync(aside, bytes, { mode: INSTALLED_MODE, flag: "wx" });
    fs.chmodSync(aside, INSTALLED_MODE);
    fs.renameSync(aside, file);
    return true;
  }

  function isInstalledAlready(file: string, bytes: Buffer): boolean {
    try {
      return (fs.statSync(file).mode & 0o777) === INSTALLED_MODE && fs.readFileSync(file).equals(bytes);
    } catch {
      return false;
    }
  }

  async function linkInPlace(aside: string): Promise<void> {
    for (;;) {
      try {
        return fs.linkSync(aside, socketPath);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      await removeDead();
    }
  }

  /** What was found dead is first moved away and looked at again: a third server may have replaced it meanwhile. */
  async function removeDead(): Promise<void> {
    const inode = inodeOf(socketPath);
    if (await isAnswering(socketPath)) throw new DirectoryError(`Another server is listening on ${socketPath}`);
    const moved = asidePath();
    try {
      fs.renameSync(socketPath, moved);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    if (inodeOf(moved) !== inode) {
      fs.renameSync(moved, socketPath);
      throw new DirectoryError(`Another server is listening on ${socketPath}`);
    }
    fs.rmSync(moved, { force: true });
    log.staleSocketReplaced(socketPath);
  }
}

/** With those that lead to it. Not left to the umask: whoever cannot enter one of them has no client.so. */
function makeDirectory(directory: string): void {
  const first = fs.mkdirSync(directory, { recursive: true });
  if (first === undefined) return;
  for (let made = path.resolve(directory); made.length >= path.resolve(first).length; made = path.dirname(made)) {
    fs.chmodSync(made, DIRECTORY_MODE);
  }
}

function inodeOf(file: string): bigint | undefined {
  return fs.lstatSync(file, { bigint: true, throwIfNoEntry: false })?.ino;
}

function listenOn(server: net.Server, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path: file, backlog: BACKLOG }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Whether somebody accepts connections there; a hung server does too. Rejects where that cannot be told. */
function isAnswering(file: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(file, () => {
      resolve(true);
      socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EAGAIN") resolve(true);
      else if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      else reject(error);
    });
  });
}
