// How much of the comparison a run does: `npm run differential` does all of it, the tests of every day a twelfth.
export const IS_FULL = process.env.NAMEWELL_DIFFERENTIAL === "full";
export const SHARE = IS_FULL ? 1 : 12;
