// Whole ways through the server, told in text: what clients ask, what upstreams say, how time passes. One file, one topic.
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";
import { tell } from "./teller.ts";

const STORIES = fileURLToPath(new URL("stories/", import.meta.url));

describe("stories", () => {
  for (const file of fs.readdirSync(STORIES).sort()) {
    const [title = "", ...lines] = fs.readFileSync(STORIES + file, "utf8").split("\n");
    it(title.replace(/^# /, ""), async () => {
      let line = 0;
      try {
        await tell(lines, (index) => {
          line = index + 2;
        });
      } catch (error) {
        (error as Error).message = `stories/${file}:${line}: ${lines[line - 2]}\n${(error as Error).message}`;
        throw error;
      }
    });
  }
});
