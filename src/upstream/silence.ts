// Notices a connection on which nothing is heard while something is waited for: its server, or the way to it, is gone.

export interface Silence {
  /** Something is waited for from now on, if it was not already. What is no longer waited for changes nothing: only a
   *  sound shows that the other side is there. */
  wait(): void;
  /** Something was heard. */
  hear(isWaiting: boolean): void;
  end(): void;
}

/** Keeps no process alive. */
export function createSilence(ms: number, onSilence: () => void): Silence {
  let timer: NodeJS.Timeout | undefined;
  return {
    wait() {
      timer ??= setTimeout(onSilence, ms).unref();
    },
    hear(isWaiting) {
      if (isWaiting) timer?.refresh();
      else end();
    },
    end,
  };

  function end(): void {
    clearTimeout(timer);
    timer = undefined;
  }
}
