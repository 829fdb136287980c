// Opens a door of the HTTP side, and tries again later where that fails or it is lost: a taken port is no reason to end.
import type http from "node:http";
import path from "node:path";
import { asidePathIn } from "../place/install.ts";
import { createSocketFile } from "../place/socketfile.ts";
import type { HttpAddress } from "../settings/config.ts";

export interface DoorFrame {
  /** Rejects where it cannot be opened now. */
  open(): Promise<OpenDoor>;
  /** Whether people still reach it. */
  isInPlace(): boolean;
}
export interface OpenDoor {
  /** As people write it. */
  readonly where: string;
  /** Of control.sock. */
  readonly inode?: bigint | undefined;
}
export type DoorEvent = { readonly opened: OpenDoor } | { readonly refused: string };

const CONTROL_MODE = 0o600;
const RETRY_MS = 5000;

export function keepOpen(door: DoorFrame, tell: (event: DoorEvent) => void, retryMs = RETRY_MS) {
  let isOpen = false;
  let told: string | undefined; // each reason once
  async function look(): Promise<void> {
    if (isOpen && door.isInPlace()) return;
    isOpen = false;
    try {
      const opened = await door.open();
      isOpen = true;
      told = undefined;
      tell({ opened });
    } catch (error) {
      const refused = (error as Error).message;
      if (told !== refused) tell({ refused });
      told = refused;
    }
  }
  async function lookAgain(): Promise<void> {
    await look();
    setTimeout(lookAgain, retryMs);
  }
  void lookAgain();
  return { isOpen: () => isOpen };
}

export function tcpDoor(server: http.Server, { host, port }: HttpAddress): DoorFrame {
  return {
    open: () =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host, port }, () => {
          server.off("error", reject);
          resolve({ where: `http://${host.includes(":") ? `[${host}]` : host}:${port}/` });
        });
      }),
    isInPlace: () => server.listening,
  };
}

export function controlDoor(server: http.Server, where: string): DoorFrame {
  const directory = path.dirname(where);
  const asidePath = () => asidePathIn(directory);
  const file = createSocketFile({ path: where, mode: CONTROL_MODE, asidePath, onStale: () => undefined });
  return {
    async open() {
      if (server.listening) await new Promise((resolve) => server.close(resolve)); // of a name that is gone
      try {
        await file.listen(server);
      } catch (error) {
        server.close();
        throw error;
      }
      return { where, inode: file.inode() };
    },
    isInPlace: file.isInPlace,
  };
}
