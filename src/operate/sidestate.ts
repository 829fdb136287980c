// What the HTTP side tells of itself.

/** Over TCP, and on control.sock. */
export type Door = "tcp" | "control";

export interface SideState {
  readonly snapshotAgeSeconds: number;
  /** Undefined where it is off. */
  readonly isUp: Readonly<Record<Door, boolean | undefined>>;
  readonly connections: Readonly<Record<Door, number>>;
  /** To make room. */
  readonly connectionsDropped: Readonly<Record<Door, number>>;
  readonly restarts: number;
}
