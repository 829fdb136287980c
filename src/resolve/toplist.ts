// Which names come most often, in a bounded number of places (Space-Saving: Metwally, Agrawal, El Abbadi, "Efficient
// Computation of Frequent and Top-k Elements in Data Streams", 2005): who has no place takes that of the least, with its count,
// and by so much its own may be too high. Where all places are taken one newcomer in so many does so, by chance, and counts
// for all of them: a flood of names that come once costs next to nothing, and who comes often has a place soon.

export interface Counted {
  readonly name: string;
  readonly count: number;
  /** By so much the count may be too high. */
  readonly error: number;
}

export interface TopList {
  add(name: string, count?: number): void;
  /** Most first. */
  list(most: number): Counted[];
  clear(): void;
}

const NEWCOMERS = 16; // a power of two

interface Place {
  name: string;
  count: number;
  error: number;
  at: number;
}

export function createTopList(places: number): TopList {
  const heap: Place[] = []; // the least at the top
  let state = 0x9e3779b9;

  /** No secret, and as good as any where one in so many is to be taken. */
  function isTaken(): boolean {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & (NEWCOMERS - 1)) === 0;
  }

  const placeOf = new Map<string, Place>();

  function put(place: Place, at: number): void {
    heap[at] = place;
    place.at = at;
  }

  /** Its count has grown. */
  function sink(place: Place): void {
    for (let at = place.at; ; ) {
      const left = 2 * at + 1;
      const [one, other] = [heap[left], heap[left + 1]];
      if (one === undefined) return;
      const least = other !== undefined && other.count < one.count ? other : one;
      if (least.count >= place.count) return;
      const below = least.at;
      put(least, at);
      put(place, below);
      at = below;
    }
  }

  function rise(place: Place): void {
    for (let at = place.at; at > 0; ) {
      const above = heap[(at - 1) >> 1] as Place;
      if (above.count <= place.count) return;
      const up = above.at;
      put(above, at);
      put(place, up);
      at = up;
    }
  }

  return {
    add(name, count = 1) {
      const known = placeOf.get(name);
      if (known !== undefined) {
        known.count += count;
        sink(known);
      } else if (heap.length < places) {
        const place = { name, count, error: 0, at: heap.length };
        placeOf.set(name, place);
        put(place, place.at);
        rise(place);
      } else if (isTaken()) {
        const least = heap[0] as Place;
        placeOf.delete(least.name);
        placeOf.set(name, least);
        least.name = name;
        least.error = least.count + (NEWCOMERS - 1) * count;
        least.count += NEWCOMERS * count;
        sink(least);
      }
    },
    list: (most) =>
      [...heap]
        .sort((one, other) => other.count - one.count || (one.name < other.name ? -1 : 1))
        .slice(0, most)
        .map(({ name, count, error }) => ({ name, count, error })),
    clear() {
      heap.length = 0;
      placeOf.clear();
    },
  };
}
