// How much of the comparison a run does: `npm run differential` does all of it, the tests of every day a twelfth of the
// calls in every third set-up.
export const IS_FULL = process.env.NAMEWELL_DIFFERENTIAL === "full";
export const SHARE = IS_FULL ? 1 : 12;
export const STEP = IS_FULL ? 1 : 3;
