// What every run is given.
import type { Contender } from "./contenders.ts";
import type { Libc } from "./lookups.ts";

export interface Setting {
  /** The C client for each libc that is here. */
  readonly programs: ReadonlyMap<Libc, string>;
  readonly contenders: readonly Contender[];
  readonly rounds: number;
}
