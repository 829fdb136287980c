// Names as text: lower case, no dot at the end.

import { LABEL_BYTES_MAX, NAME_BYTES_MAX } from "../assembly/layout.ts";

// Printable, but no backslash: it would be an escape in a zone file's writing.
const LABEL = new RegExp(`^[!-\\-/-\\[\\]-~]{1,${LABEL_BYTES_MAX}}$`);

/** The name as the cache keeps it, or undefined where it is none. */
export function normalName(text: string): string | undefined {
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  if (name.length > NAME_BYTES_MAX) return undefined;
  // Lowered last: toLowerCase makes a plain k of the Kelvin sign.
  return name.split(".").every((label) => LABEL.test(label)) ? name.toLowerCase() : undefined;
}
