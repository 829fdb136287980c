// Which names come most often, in a bounded number of places (Space-Saving: Metwally, Agrawal, El Abbadi, "Efficient
// Computation of Frequent and Top-k Elements in Data Streams", 2005): who has no place takes that of the least, with its count,
// and by so much its own may be too high. Where all places are taken one newcomer in so many does so, by chance, and counts
// for all of them: a flood of names that come once costs next to nothing, and who comes often has a place soon. But for the
// names in the places it is numbers only, for the garbage collector's sake.
import { hashOf } from "../hash.ts";

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
const SLOTS_PER_PLACE = 4; // at least, half of it, since it is a power of two

export function createTopList(places: number): TopList {
  const names: string[] = []; // by place, as the next three
  const hashes = new Int32Array(places);
  const counts = new Float64Array(places);
  const errors = new Float64Array(places);
  const heap = new Int32Array(places); // places, the least at the top
  const heapAt = new Int32Array(places); // where a place stands in it
  const mask = 2 ** Math.floor(Math.log2(places * SLOTS_PER_PLACE)) - 1;
  const slots = new Int32Array(mask + 1); // a place + 1, or 0, at its name's hash or behind it
  const start = Math.floor(Math.random() * 2 ** 32);
  let state = 0x9e3779b9;

  /** No secret, and as good as any where one in so many is to be taken. */
  function isTaken(): boolean {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & (NEWCOMERS - 1)) === 0;
  }

  /** Where it stands, or could. */
  function slotOf(name: string, hash: number): number {
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const place = (slots[slot] as number) - 1;
      if (place < 0 || (hashes[place] === hash && names[place] === name)) return slot;
    }
  }

  /** Those behind it move up, so that each is found from its hash on without a gap. */
  function empty(slot: number): void {
    let gap = slot;
    for (let next = (gap + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const wanted = (hashes[(slots[next] as number) - 1] as number) & mask;
      if (((next - wanted) & mask) < ((next - gap) & mask)) continue;
      slots[gap] = slots[next] as number;
      gap = next;
    }
    slots[gap] = 0;
  }

  function countAt(at: number): number {
    return counts[heap[at] as number] as number;
  }

  function put(place: number, at: number): void {
    heap[at] = place;
    heapAt[place] = at;
  }

  /** Its count has grown. */
  function sink(place: number): void {
    const count = counts[place] as number;
    let at = heapAt[place] as number;
    for (;;) {
      let least = 2 * at + 1;
      if (least >= names.length) break;
      if (least + 1 < names.length && countAt(least + 1) < countAt(least)) least++;
      if (countAt(least) >= count) break;
      put(heap[least] as number, at);
      at = least;
    }
    put(place, at);
  }

  function rise(place: number): void {
    const count = counts[place] as number;
    let at = heapAt[place] as number;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (countAt(above) <= count) break;
      put(heap[above] as number, at);
      at = above;
    }
    put(place, at);
  }

  function settle(place: number, name: string, hash: number, slot: number): void {
    names[place] = name;
    hashes[place] = hash;
    slots[slot] = place + 1;
  }

  return {
    add(name, count = 1) {
      const hash = hashOf(name, start);
      const slot = slotOf(name, hash);
      const known = (slots[slot] as number) - 1;
      if (known >= 0) {
        counts[known] = (counts[known] as number) + count;
        sink(known);
      } else if (names.length < places) {
        const place = names.length;
        settle(place, name, hash, slot);
        counts[place] = count;
        errors[place] = 0;
        heapAt[place] = place;
        rise(place);
      } else if (isTaken()) {
        const least = heap[0] as number;
        empty(slotOf(names[least] as string, hashes[least] as number));
        settle(least, name, hash, slotOf(name, hash));
        errors[least] = (counts[least] as number) + (NEWCOMERS - 1) * count;
        counts[least] = (counts[least] as number) + NEWCOMERS * count;
        sink(least);
      }
    },
    list: (most) =>
      names
        .map((name, place) => ({ name, count: counts[place] as number, error: errors[place] as number }))
        .sort((one, other) => other.count - one.count || (one.name < other.name ? -1 : 1))
        .slice(0, most),
    clear() {
      names.length = 0;
      slots.fill(0);
    },
  };
}
