// Tells one story: reads its sentences, and does and checks what they say. README.md beside this lists the sentences.
import { expect, vi } from "vitest";
import { CLIENT_STEPS } from "./clients.ts";
import { createScene, SCENE_STEPS, type Scene, type Step, type Steps } from "./scene.ts";
import { HABIT_STEPS, SERVER_STEPS } from "./servers.ts";

const STEPS: Steps = [
  ...SCENE_STEPS,
  ...CLIENT_STEPS,
  [/^(\d+) (ms|s) pass$/, pass],
  [/^the machine sleeps (\d+) s$/, sleep],
  [/^the clock is set back (\d+) s$/, (_scene, seconds) => void vi.setSystemTime(Date.now() - Number(seconds) * 1000)],
  [/^counted (\w+) (\d+)$/, counted],
  [/^log (.+)$/, (scene, text) => void expect(scene.machine.logLines.join("")).toContain(text)],
  [/^no log (.+)$/, (scene, text) => void expect(scene.machine.logLines.join("")).not.toContain(text)],
  ...SERVER_STEPS,
  ...HABIT_STEPS,
];

/** @param lines of the story, its title left out; `at` is called with the number of each before it is told */
export async function tell(lines: readonly string[], at: (line: number) => void): Promise<void> {
  vi.useFakeTimers({ toFake: ["hrtime", "Date", "setTimeout", "clearTimeout"] });
  try {
    const scene = createScene();
    for (const [index, line] of lines.entries()) {
      at(index);
      const sentence = line.replace(/(^|\s)#.*$/, "").trim();
      if (sentence === "") continue;
      const [words, step] = stepOf(sentence);
      await step(scene, ...words);
    }
    scene.machine.check();
  } finally {
    vi.useRealTimers();
  }
}

function stepOf(sentence: string): [string[], Step] {
  for (const [pattern, step] of STEPS) {
    const match = pattern.exec(sentence);
    if (match !== null) return [match.slice(1), step];
  }
  throw new Error(`no such sentence: ${sentence}`);
}

async function pass(_scene: Scene, count: string, unit: string): Promise<void> {
  await vi.advanceTimersByTimeAsync(Number(count) * (unit === "s" ? 1000 : 1));
}

/** CLOCK_MONOTONIC stands meanwhile. */
function sleep({ machine }: Scene, seconds: string): void {
  machine.check(); // which has begun before
  vi.setSystemTime(Date.now() + Number(seconds) * 1000);
}

function counted({ machine }: Scene, counter: string, count: string): void {
  expect(machine.counters).toHaveProperty(counter, Number(count));
}
