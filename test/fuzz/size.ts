// How much of the fuzzing a run does: `npm run fuzz` does all of it, the tests of every day a small share.
export const IS_FULL = process.env.NAMEWELL_FUZZ === "full";
export const SEED = process.env.NAMEWELL_FUZZ_SEED ?? (IS_FULL ? String(Date.now()) : "1");

/** The numbers that a full run is made for. */
export function report(title: string, text: string): void {
  if (IS_FULL) console.log(`${title}\n${text.trimEnd()}`);
}
