import { expect, it } from "vitest";
import { statusLines } from "../../../src/cli/status.ts";
import { painter } from "../../../src/cli/terminal.ts";
import { makeStatus } from "../../support/snapshot.ts";

it("status says why no hit in the table may be told of, where none is", () => {
  const { counts, table } = makeStatus();
  const none = { ...counts, hits: { ...counts.hits, table: { success: 0, denial: 0 } } };
  const hint = "those that end within a second of their first one, never";
  const text = (changes: Parameters<typeof makeStatus>[0]) =>
    statusLines(makeStatus(changes) as Parameters<typeof statusLines>[0], painter(false)).join("\n");
  expect(text({})).not.toContain(hint);
  expect(text({ counts: none })).toContain(hint);
  expect(text({ counts: none, table: { ...table, state: "off" } })).not.toContain(hint);
});
