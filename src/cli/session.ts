// What a command is given: which server, and how to say what it has to say.

import { hasColours } from "../logline.ts";
import type { Doors } from "./doors.ts";
import { jsonText, type Paint, painter } from "./terminal.ts";

export interface Session {
  readonly doors: Doors;
  readonly isJson: boolean;
  readonly paint: Paint;
  /** On standard output, a line each. */
  print(...lines: readonly string[]): void;
  /** As JSON where that is wanted, else as text. */
  give(value: unknown, text: () => readonly string[]): void;
  /** On standard error: about what was said, never a part of it. */
  remark(line: string): void;
}

export function createSession(doors: Doors, isJson: boolean): Session {
  const print = (...lines: readonly string[]) => void process.stdout.write(`${lines.join("\n")}\n`);
  return {
    doors,
    isJson,
    paint: painter(hasColours(process.stdout, process.env)),
    print,
    give: (value, text) => print(...(isJson ? [jsonText(value, 2)] : text())),
    remark: (line) => void process.stderr.write(`${line}\n`),
  };
}
