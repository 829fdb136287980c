// How many queries may wait for one server's replies at a time: some servers bear a hundred, or so many a second, and drop all
// above that. It begins at what any bears, grows with replies, and is halved where most are lost though others came
// (RFC 5681's slow start and congestion avoidance, in queries; a path that loses half of all by chance loses no more by many
// at once). What has no room waits, and zones take turns: who asks for
// thousands of names that nobody answers has zones of his own for them, but few, and over connections he cannot be told.

export interface Window {
  /** Calls `send` at once or when there is room; the function given back is told that its reply is not waited for any more. */
  enter(name: string, send: () => void): () => void;
  /** One that was sent then is lost, while the server is there. */
  lost(sentAtMs: number, nowMs: number): void;
}

const FIRST = 100;
const LEAST = 32;
const MOST = 4096;
const MOST_LOST = 2 / 3; // smoothed over some 64 queries: losses come late, and all at once
const LOSS_GAIN = 1 / 64;
const LEFT_TO_OTHERS = 1 / 4; // by one zone

interface Zone {
  readonly name: string;
  underWay: number;
  readonly waiting: Set<() => void>;
}

export function createWindow(): Window {
  let size = FIRST;
  let threshold = MOST;
  let underWay = 0;
  let cutAtMs = 0;
  let lossShare = 0;
  const zones = new Map<string, Zone>();
  const turns = new Set<Zone>(); // those that wait, the next one first

  function hasRoom(zone: Zone): boolean {
    return underWay < size && zone.underWay < size - Math.floor(size * LEFT_TO_OTHERS);
  }

  function fill(): void {
    for (const zone of turns) {
      if (underWay >= size) return;
      const [begin] = zone.waiting;
      if (begin !== undefined && !hasRoom(zone)) continue;
      turns.delete(zone);
      if (begin === undefined) continue;
      turns.add(zone); // comes again, behind all others
      zone.waiting.delete(begin);
      begin();
    }
  }

  function zoneOf(name: string): Zone {
    const key = name.slice(name.lastIndexOf(".", name.lastIndexOf(".") - 1) + 1);
    const zone = zones.get(key) ?? { name: key, underWay: 0, waiting: new Set() };
    zones.set(key, zone);
    return zone;
  }

  return {
    enter(name, send) {
      const zone = zoneOf(name);
      let isUnderWay = false;
      function begin(): void {
        isUnderWay = true;
        underWay++;
        zone.underWay++;
        send();
      }
      if (hasRoom(zone)) begin();
      else {
        zone.waiting.add(begin);
        turns.add(zone);
      }
      return () => {
        zone.waiting.delete(begin);
        if (isUnderWay) {
          isUnderWay = false;
          if (underWay > size / 2) size = Math.min(MOST, size + (size < threshold ? 1 : 1 / size));
          underWay--;
          zone.underWay--;
          lossShare *= 1 - LOSS_GAIN;
          fill();
        }
        const isIdle = zone.underWay === 0 && zone.waiting.size === 0;
        if (isIdle && zones.get(zone.name) === zone) zones.delete(zone.name);
      };
    },
    lost(sentAtMs, nowMs) {
      if (sentAtMs <= cutAtMs) return; // one cut for all that were sent before it
      lossShare += LOSS_GAIN; // before the query leaves
      if (lossShare < MOST_LOST) return;
      lossShare = 0;
      cutAtMs = nowMs;
      threshold = size = Math.max(LEAST, Math.floor(size / 2));
    },
  };
}
