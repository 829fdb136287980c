// A table's file made beside the running server, since gigabytes take seconds: first it is filled by other threads than the
// loop's, then the sets in use are copied to it, some in each turn of the loop.
import { HEADER_BYTES, SET_BYTES } from "../../assembly/layout.ts";
import * as tablefile from "./tablefile.ts";
import type { Wasm } from "./wasm.ts";

export interface Made {
  readonly file: tablefile.TableFile;
  readonly aside: string;
}

export interface Making {
  /** The image's set there has changed. */
  change(setOffset: number): void;
  giveUp(): void;
}

export const TURN_SETS_WRITTEN = 128; // some 200 µs
export const TURN_SETS_SEEN = 4096;

/** @param onEnd is called in a later turn, unless it is given up; from then on the file is the caller's, as the image is */
export function startMaking(
  { image, setCount, isUsed }: Pick<Wasm, "image" | "setCount" | "isUsed">,
  aside: string,
  onEnd: (end: Made | Error) => void,
): Making {
  let file: tablefile.TableFile | undefined; // when it is filled
  let copied = 0; // sets before this one are as in the image
  let isOver = false;
  const stopFilling = tablefile.fillTable(aside, image.length, (end) => {
    if (end instanceof Error) {
      isOver = true;
      onEnd(end);
      return;
    }
    file = end;
    setImmediate(copy, end);
  });

  function copy(to: tablefile.TableFile): void {
    if (isOver) return;
    const end = Math.min(copied + TURN_SETS_SEEN, setCount);
    try {
      for (let written = 0; copied < end && written < TURN_SETS_WRITTEN; copied++) {
        if (!isUsed(copied)) continue;
        tablefile.write(to.descriptor, image, HEADER_BYTES + copied * SET_BYTES, SET_BYTES);
        written++;
      }
    } catch (error) {
      fail(error as Error);
      return;
    }
    if (copied < setCount) {
      setImmediate(copy, to);
      return;
    }
    isOver = true;
    onEnd({ file: to, aside });
  }

  function fail(error: Error): void {
    giveUp();
    onEnd(error);
  }

  function giveUp(): void {
    if (isOver) return;
    isOver = true;
    if (file === undefined) stopFilling();
    else tablefile.dropTable(aside, file);
  }

  return {
    change(setOffset) {
      if (isOver || file === undefined || setOffset >= HEADER_BYTES + copied * SET_BYTES) return;
      try {
        tablefile.write(file.descriptor, image, setOffset, SET_BYTES);
      } catch (error) {
        fail(error as Error);
      }
    },
    giveUp,
  };
}
