// At most so many a second: a store of permits that fills evenly and holds a second's worth.

/** Takes a permit, or says no; where so many others are to be left, too. */
export type RateCap = (nowMs: number, left?: number) => boolean;

export function createRateCap(perSecond: number): RateCap {
  let permits = perSecond;
  let filledAtMs = 0;
  return (nowMs, left = 0) => {
    permits = Math.min(perSecond, permits + ((nowMs - filledAtMs) * perSecond) / 1000);
    filledAtMs = nowMs;
    if (permits < 1 + left) return false;
    permits--;
    return true;
  };
}
