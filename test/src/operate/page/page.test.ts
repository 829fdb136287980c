import { describe, expect, it } from "vitest";
import { renderPage } from "../../../../src/operate/page/page.ts";
import { added } from "../../../../src/operate/page/span.ts";
import { problemsOf } from "../../../../src/operate/page/state.ts";
import type { Snapshot } from "../../../../src/operate/snapshot.ts";
import { durations, makeSnapshot, makeUpstream } from "../../../support/snapshot.ts";

const GOOD = makeSnapshot({
  groups: [{ suffixes: ["."], isDown: false, upstreams: [makeUpstream("udp 10.0.0.2:53")] }],
});
const fine: Snapshot = {
  ...GOOD,
  table: { ...GOOD.table, state: "published", reason: undefined, heartbeatAgeSeconds: 0.2 },
  directory: { ...GOOD.directory, isLibraryNoexec: false, isLibraryInstalled: true, isWritableByOthers: false },
};
const weights = (snapshot: Snapshot, history: Snapshot[] = []) =>
  problemsOf(snapshot, history).map(({ weight, what }) => `${weight}: ${what}`);
const grown = (changes: Partial<Snapshot["counts"]>): Snapshot => ({
  ...fine,
  atMs: fine.atMs + 60_000,
  counts: { ...fine.counts, ...changes },
});

describe("the state", () => {
  it("is fine where all is", () => {
    expect(weights(fine, [fine])).toEqual([]);
    expect(renderPage({ snapshot: fine, history: [fine] })).toContain("All is fine");
  });

  const down = makeUpstream("udp 10.0.0.3:53", { isUp: false });
  it.each<[string, Snapshot, string]>([
    ["nobody listens", { ...fine, isListening: false }, "bad: Nobody listens"],
    [
      "noexec",
      { ...fine, directory: { ...fine.directory, isLibraryNoexec: true } },
      "bad: /dns_cache/client.so lies on a volume mounted noexec",
    ],
    [
      "no room for a second table",
      { ...fine, directory: { ...fine.directory, hasRoomForSecondTable: false } },
      "odd: /dns_cache has no room for a second table",
    ],
    [
      "no library",
      { ...fine, directory: { ...fine.directory, isLibraryInstalled: false } },
      "bad: /dns_cache/client.so is missing",
    ],
    ["others may write", { ...fine, directory: { ...fine.directory, isWritableByOthers: true } }, "odd: Others than"],
    [
      "no room",
      { ...fine, table: { ...fine.table, state: "header", reason: "ENOSPC" } },
      "bad: The table is not published",
    ],
    ["an old heartbeat", { ...fine, table: { ...fine.table, heartbeatAgeSeconds: 3 } }, "bad: The heartbeat is old"],
    [
      "all down",
      { ...fine, groups: [{ suffixes: ["."], isDown: true, upstreams: [down] }] },
      "bad: No DNS server answers:",
    ],
    [
      "a rule's server down",
      { ...fine, groups: [...fine.groups, { suffixes: ["corp.example"], isDown: true, upstreams: [down] }] },
      "bad: No DNS server answers for corp.example",
    ],
    [
      "one down",
      { ...fine, groups: [{ suffixes: ["."], isDown: false, upstreams: [makeUpstream("udp 10.0.0.2:53"), down] }] },
      "odd: A DNS server does not answer",
    ],
    [
      "none known",
      { ...fine, groups: [{ suffixes: ["."], isDown: false, upstreams: [] }] },
      "odd: No DNS server is known",
    ],
  ])("says so: %s", (_title, snapshot, start) => {
    const [problem = ""] = weights(snapshot);
    expect(problem.slice(0, start.length)).toBe(start);
    expect(weights(snapshot).length).toBe(1);
    expect(renderPage({ snapshot, history: [] })).toContain(
      start.startsWith("bad") ? "Something is wrong" : "Something is odd",
    );
  });

  it("is not fine where many fail, or forge, or the table is full; by what was counted lately", () => {
    const { outcomes, misses, repliesRejected, evictions } = fine.counts;
    const asked = { ...misses, asked: misses.asked + 1000 };
    const failing = (temporary: number) =>
      grown({ misses: asked, outcomes: { ...outcomes, temporary: outcomes.temporary + temporary } });
    expect(weights(failing(9), [fine])).toEqual([]);
    expect(weights(failing(20), [fine])).toEqual(["odd: 2.0 % of the lookups failed or were left to libc."]);
    expect(weights(failing(40), [fine])).toEqual(["bad: 4.0 % of the lookups failed or were left to libc."]);
    const forged = grown({ repliesRejected: { ...repliesRejected, foreign: repliesRejected.foreign + 100 } });
    expect(weights(forged, [fine])[0]).toContain("100 replies were rejected");
    const evicting = grown({ misses: asked, evictions: evictions + 60 });
    expect(weights(evicting, [fine])).toEqual([]);
    const place = { success: 65_000, denial: 500, capacity: 65_536 };
    const full = { ...evicting, table: { ...evicting.table, places: { ...evicting.table.places, table: place } } };
    expect(weights(full, [fine])[0]).toContain("The table is full");
  });
});

describe("the page", () => {
  const hostile = "<script>alert(1)</script>\u001b[31m";
  const names = {
    top: [{ name: hostile, count: 12, error: 2 }],
    failing: [{ name: hostile, count: 1, error: 0 }],
    slow: [{ name: hostile, type: "A", seconds: 1.5, atMs: 0 }],
  };

  it("shows no name unless it may, and says how it would", () => {
    const page = renderPage({ snapshot: fine, history: [] });
    expect(page).toContain("DNS_CACHE_HTTP_NAMES=on");
    expect(page).not.toContain("Look up a name");
  });

  it("shows names, and an event, as harmless text", () => {
    const events = [{ atMs: fine.atMs, level: "warn", text: hostile }] as const;
    const page = renderPage({
      snapshot: { ...fine, events },
      history: [],
      names,
      looked: { name: hostile, found: { error: hostile } },
    });
    expect(page.match(/&lt;script&gt;alert\(1\)&lt;\/script&gt;\\027\[31m/g)?.length).toBe(6);
    expect(page.match(/<script/g)?.length).toBe(1);
    expect(page).toContain("10 to 12");
  });

  it("has nothing inline, which its policy would not run or show", () => {
    const page = renderPage({ snapshot: fine, history: [fine], names });
    expect(page).not.toMatch(/ style=| on[a-z]+=|<style|<script(?! src="\/page\.js" defer><\/script>)/);
  });

  it("tells how long a miss took lately, and not since the start", () => {
    const { questionDurations: early, ...others } = fine.counts;
    const questionDurations = { ...early, socket: added([early.socket, durations(...Array(50).fill(0.2))]) };
    const page = (first: Snapshot) =>
      renderPage({
        snapshot: { ...fine, atMs: fine.atMs + 60_000, counts: { ...others, questionDurations } },
        history: [first],
      });
    expect(page(fine)).toMatch(
      /A miss takes<\/dt><dd>at most 250 µs<small>half of them in the last 15 minutes; 99 %: at most 250 µs</,
    );
  });

  it("says why no hit in the table may be told of, where none is", () => {
    const why = "those that end within a second of their first one never do";
    const later = (table: number) =>
      grown({
        hits: { ...fine.counts.hits, table: { success: 900 + table, denial: 200 } },
        misses: { ...fine.counts.misses, asked: 90 },
      });
    expect(renderPage({ snapshot: later(1), history: [fine] })).not.toContain(why);
    expect(renderPage({ snapshot: later(0), history: [fine] })).toContain(why);
    const off = { ...later(0), table: { ...fine.table, state: "off" as const } };
    expect(renderPage({ snapshot: off, history: [fine] })).not.toContain(why);
  });

  it("tells who has just started how to begin", () => {
    const { counts } = fine;
    const none = { hits: [0, 0, 0, 0], misses: [0, 0, 0, 0] } as const;
    expect(renderPage({ snapshot: { ...fine, counts: { ...counts, lookups: none } }, history: [] })).toContain(
      "No lookups yet",
    );
  });
});
