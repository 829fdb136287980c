// The map of this folder: directory.ts, socketfile.ts for the file of a socket, install.ts for what is put there whole,
// mounts.ts and condition.ts for how the directory is, and library.ts, which reads client.so and the doctor from the build.
//
// The shared directory: client.so and doctor are put in place by rename, and dns.sock by hard link, so that none is ever
// missing, half written or of a wrong mode.
import fs from "node:fs";
import type net from "node:net";
import path from "node:path";
import type { Log } from "../log.ts";
import { ASIDE, asidePathIn, installFile, makeDirectory } from "./install.ts";
import { createSocketFile, isAnswering, SocketTaken } from "./socketfile.ts";

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

const SOCKET_MODE = 0o666; // connecting asks for write permission
const LEFT_OVER_MS = 10_000; // a server that starts just now puts each file in its place sooner

export function openDirectory(directory: string, log: Log): Directory {
  const asidePath = () => asidePathIn(directory);
  const socketPath = path.join(directory, "dns.sock");
  const tablePath = path.join(directory, "cache.table");
  const clientPath = path.join(directory, "client.so");
  const doctorPath = path.join(directory, "doctor");
  const socket = createSocketFile({
    path: socketPath,
    mode: SOCKET_MODE,
    asidePath,
    onStale: () => log.staleSocketReplaced(socketPath),
  });
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
        return installFile(clientPath, library);
      });
      if (isInstalled) log.clientInstalled(clientPath);
    },
    installDoctor(program) {
      try {
        installFile(doctorPath, program);
      } catch {
        // No lookup needs it; what is half written goes with what is left over.
      }
    },
    async listen(server) {
      await socket.listen(server).catch((error) => {
        throw unusable(error);
      });
    },
    isInPlace: socket.isInPlace,
    removeLeftOver: () => attempt(() => removeLeftOver(0)),
    leave: socket.remove,
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
    if (error instanceof SocketTaken) return new DirectoryError(error.message);
    return new DirectoryError(`DNS_CACHE_DIR: '${directory}' cannot be used: ${(error as Error).message}`);
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
}
