// A Unix socket's file: put in place by hard link, so that it is never of a wrong mode, and of two servers that start at once
// one comes first; in place of a dead server's, and taken away only by whom it belongs to.
import fs from "node:fs";
import net from "node:net";

export interface SocketFile {
  /** Rejects where another server answers there. */
  listen(server: net.Server): Promise<void>;
  /** Whether it is still the one of `listen`. */
  isInPlace(): boolean;
  /** Of the one of `listen`. */
  inode(): bigint | undefined;
  /** Takes it away, unless it is another server's by now. */
  remove(): void;
}

export interface SocketFileOptions {
  readonly path: string;
  readonly mode: number;
  /** A new name in the same directory, no longer than that of the path. */
  readonly asidePath: () => string;
  readonly onStale: () => void;
}

export class SocketTaken extends Error {}

const BACKLOG = 4096;

export function createSocketFile({ path, mode, asidePath, onStale }: SocketFileOptions): SocketFile {
  let ownInode: bigint | undefined;
  return {
    async listen(server) {
      const aside = asidePath();
      try {
        await listenOn(server, aside, mode);
        await linkInPlace(aside);
        ownInode = inodeOf(path);
      } finally {
        fs.rmSync(aside, { force: true });
      }
    },
    isInPlace,
    inode: () => ownInode,
    remove() {
      if (isInPlace()) fs.rmSync(path, { force: true });
    },
  };

  function isInPlace(): boolean {
    try {
      return ownInode !== undefined && inodeOf(path) === ownInode;
    } catch {
      return false; // the directory cannot be entered any more
    }
  }

  async function linkInPlace(aside: string): Promise<void> {
    for (;;) {
      try {
        return fs.linkSync(aside, path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      await removeDead();
    }
  }

  /** What was found dead is first moved away and looked at again: a third server may have replaced it meanwhile. */
  async function removeDead(): Promise<void> {
    const inode = inodeOf(path);
    if (await isAnswering(path)) throw new SocketTaken(`Another server is listening on ${path}`);
    const moved = asidePath();
    try {
      fs.renameSync(path, moved);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    if (inodeOf(moved) !== inode) {
      fs.renameSync(moved, path);
      throw new SocketTaken(`Another server is listening on ${path}`);
    }
    fs.rmSync(moved, { force: true });
    onStale();
  }
}

/** If it is the one of that inode. */
export function removeSocket(path: string, inode: bigint): void {
  if (inodeOf(path) === inode) fs.rmSync(path, { force: true });
}

function inodeOf(file: string): bigint | undefined {
  return fs.lstatSync(file, { bigint: true, throwIfNoEntry: false })?.ino;
}

function listenOn(server: net.Server, file: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path: file, backlog: BACKLOG }, () => {
      server.off("error", reject);
      resolve();
    });
    if (server.listening) fs.chmodSync(file, mode); // at once, whatever the umask
  });
}

/** Whether somebody accepts connections there; a hung server does too. Rejects where that cannot be told. */
export function isAnswering(file: string): Promise<boolean> {
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
