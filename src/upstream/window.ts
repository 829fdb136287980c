// How many queries may wait for one server's replies at a time: some servers bear a hundred, or so many a second, and drop all
// above that. It begins at what any bears, grows with replies, and is halved where one is lost though others came
// (RFC 5681's slow start and congestion avoidance, in queries). What has no room waits.

export interface Window {
  /** Calls `send` at once or when there is room; the function given back is told that its reply is not waited for any more. */
  enter(send: () => void): () => void;
  /** One that was sent then is lost, while the server is there. */
  lost(sentAtMs: number, nowMs: number): void;
}

const FIRST = 100;
const LEAST = 32;
const MOST = 4096;

export function createWindow(): Window {
  let size = FIRST;
  let threshold = MOST;
  let underWay = 0;
  let cutAtMs = 0;
  const waiting = new Set<() => void>();

  function fill(): void {
    for (const begin of waiting) {
      if (underWay >= size) return;
      waiting.delete(begin);
      begin();
    }
  }

  return {
    enter(send) {
      let isUnderWay = false;
      function begin(): void {
        isUnderWay = true;
        underWay++;
        send();
      }
      if (underWay < size) begin();
      else waiting.add(begin);
      return () => {
        waiting.delete(begin);
        if (!isUnderWay) return;
        isUnderWay = false;
        if (underWay > size / 2) size = Math.min(MOST, size + (size < threshold ? 1 : 1 / size));
        underWay--;
        fill();
      };
    },
    lost(sentAtMs, nowMs) {
      if (sentAtMs <= cutAtMs || underWay <= LEAST) return; // one cut for all that were sent before it
      cutAtMs = nowMs;
      threshold = size = Math.max(LEAST, Math.floor(size / 2));
    },
  };
}
