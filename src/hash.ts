// A hash of a text, for tables that keep numbers in the place of texts.

const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/** FNV-1a of 32 bits, its high ones mixed into the low ones. Whoever chooses texts can make them collide. */
export function hashOf(text: string, start = 0): number {
  let hash = BASIS ^ start;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return hash ^ (hash >>> 15);
}
