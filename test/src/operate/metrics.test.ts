import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import parsePrometheus from "parse-prometheus-text-format";
import { describe, expect, it } from "vitest";
import { BOUND_SECONDS } from "../../../src/durations.ts";
import { createExposition, processMetrics } from "../../../src/operate/exposition.ts";
import { METRICS } from "../../../src/operate/metrics.ts";
import type { SideState } from "../../../src/operate/sidestate.ts";
import type { Snapshot } from "../../../src/operate/snapshot.ts";
import { toolMissing } from "../../support/programs.ts";
import { durations, makeSnapshot, makeUpstream } from "../../support/snapshot.ts";

const SIDE: SideState = {
  snapshotAgeSeconds: 0.01,
  isUp: { tcp: true, control: false },
  connections: { tcp: 2, control: 0 },
  connectionsDropped: { tcp: 7, control: 0 },
  restarts: 1,
};
const missing = toolMissing("promtool", "prometheus");
const exposition = createExposition();
const expose = (changes: Partial<Snapshot> = {}, side = SIDE) =>
  exposition.text({ snapshot: makeSnapshot(changes), side });

/** Lines of one metric, without its name. */
async function lines(name: string, changes: Partial<Snapshot> = {}, side = SIDE): Promise<string[]> {
  const text = await expose(changes, side);
  return text
    .split("\n")
    .flatMap((line) =>
      line.startsWith(name) && /^[{ ]/.test(line.slice(name.length)) ? [line.slice(name.length)] : [],
    );
}

describe("metrics", () => {
  it("are told as they are: counters by label, gauges, and what is known of the process", async () => {
    expect(await lines("namewell_lookups_total")).toEqual([
      '{type="A",result="hit"} 700',
      '{type="AAAA",result="hit"} 500',
      '{type="PTR",result="hit"} 90',
      '{type="other",result="hit"} 10',
      '{type="A",result="miss"} 60',
      '{type="AAAA",result="miss"} 50',
      '{type="PTR",result="miss"} 8',
      '{type="other",result="miss"} 2',
    ]);
    expect(await lines("namewell_cache_hits_total")).toContain('{via="table",kind="denial"} 200');
    expect(await lines("namewell_cache_misses_total")).toContain('{how="failure_known"} 9');
    expect(await lines("namewell_cache_capacity_entries")).toContain('{place="table"} 65536');
    expect(await lines("namewell_build_info")).toEqual(['{version="1.2.3",node="20.20.2",arch="x64",layout="3"} 1']);
    expect(await lines("namewell_http_up")).toEqual(['{door="tcp"} 1', '{door="control"} 0']);
    const [started] = await lines("process_start_time_seconds");
    expect(Math.abs(Number(started) - (Date.now() / 1000 - process.uptime()))).toBeLessThan(2);
    expect((await expose()).match(/^nodejs_/m)).toBe(null);
  });

  it("are written once for all who wait with the same snapshot", async () => {
    let reads = 0;
    const snapshot: Snapshot = {
      ...makeSnapshot(),
      get version() {
        reads++;
        return "1.2.3";
      },
    };
    const texts = await Promise.all(Array.from({ length: 60 }, () => exposition.text({ snapshot, side: SIDE })));
    expect({ reads, texts: new Set(texts).size }).toEqual({ reads: 1, texts: 1 });
    await exposition.text({ snapshot, side: SIDE });
    expect(reads).toBe(2);
  });

  it("have a histogram's buckets counted up, its sum and its count", async () => {
    const buckets = await lines("namewell_question_duration_seconds_bucket");
    expect(buckets.slice(0, 17)).toEqual(
      [...BOUND_SECONDS, "+Inf"].map((bound, at) => {
        const count = at === 16 ? 5 : at >= 8 ? 4 : at >= 4 ? 3 : 1; // 0.125, 3, 3, 40 and 9000 ms
        return `{via="socket",le="${bound}"} ${count}`;
      }),
    );
    expect((await lines("namewell_question_duration_seconds_sum"))[0]).toBe('{via="socket"} 9.046125');
    expect((await lines("namewell_question_duration_seconds_count"))[0]).toBe('{via="socket"} 5');
    expect((await lines("namewell_event_loop_delay_seconds_count"))[0]).toBe(" 3");
  });

  it("add up a server that several views have, and have it be down where one of them says so", async () => {
    const shared = makeUpstream("udp 10.0.0.2:53");
    const groups = [
      { suffixes: ["."], isDown: false, upstreams: [shared] },
      { suffixes: ["lan"], isDown: false, upstreams: [{ ...shared, isUp: false, smoothedRttSeconds: 0.1 }] },
    ];
    const way = '{upstream="udp 10.0.0.2:53",transport="udp"';
    expect(await lines("namewell_upstream_requests_total", { groups })).toEqual([`${way}} 76`]);
    expect(await lines("namewell_upstream_request_duration_seconds_count", { groups })).toContain(
      `${way},rcode="NXDOMAIN"} 16`,
    );
    expect(await lines("namewell_upstream_up", { groups })).toEqual(['{upstream="udp 10.0.0.2:53"} 0']);
    expect(await lines("namewell_upstream_smoothed_rtt_seconds", { groups })).toEqual([
      '{upstream="udp 10.0.0.2:53"} 0.1',
    ]);
    expect(await lines("namewell_view_up", { groups })).toEqual(['{view="."} 1', '{view="lan"} 0']);
  });

  it("have 64 servers and views by name, and the rest together", async () => {
    const groups = Array.from({ length: 70 }, (_, at) => ({
      suffixes: [at === 0 ? "." : `s${at}.example`],
      isDown: false,
      upstreams: [makeUpstream(`udp 10.0.0.${at}:53`, { isUp: at !== 69 })],
    }));
    const requests = await lines("namewell_upstream_requests_total", { groups });
    expect([requests.length, requests.at(-1)]).toEqual([65, `{upstream="other",transport="udp"} ${6 * 38}`]);
    expect((await lines("namewell_upstream_up", { groups })).at(-1)).toBe('{upstream="other"} 0');
    expect((await lines("namewell_view_up", { groups })).slice(-1)).toEqual(['{view="other"} 0']);
  });

  it("leave out what is not known, since 0 would be a statement", async () => {
    const { table, directory } = makeSnapshot();
    const changes = {
      table: { ...table, state: "off" as const, heartbeatAgeSeconds: undefined },
      directory: { ...directory, isLibraryNoexec: undefined },
    };
    const side = { ...SIDE, isUp: { tcp: undefined, control: true } };
    expect(await lines("namewell_table_heartbeat_age_seconds", changes)).toEqual([]);
    expect(await lines("namewell_directory_noexec", changes)).toEqual([]);
    expect(await lines("namewell_http_up", {}, side)).toEqual(['{door="control"} 1']);
    expect(await lines("namewell_table_published", changes)).toEqual([" 0"]);
    expect(await lines("namewell_table_wanted", changes)).toEqual([" 0"]);
    expect(await lines("namewell_upstream_smoothed_rtt_seconds")).toHaveLength(2); // of three, one never replied
  });

  it("are one line a sample whatever stands in a label", async () => {
    const groups = [
      { suffixes: ['a"b\\c\nd'], isDown: false, upstreams: [makeUpstream('udp "\n\\ \u001b[31m<script>')] },
    ];
    expect(await lines("namewell_view_up", { groups })).toEqual(['{view="a\\"b\\\\c\\nd"} 1']);
    const families = parsePrometheus(await expose({ groups }));
    const up = families.find(({ name }) => name === "namewell_upstream_up");
    expect(up?.metrics[0]?.labels).toEqual({ upstream: 'udp "\n\\ \u001b[31m<script>' });
  });

  it("are there with each value of their labels from the start", async () => {
    const none = durations();
    const counts = JSON.parse(JSON.stringify(makeSnapshot().counts), (key, value) =>
      typeof value === "number" ? 0 : key === "questionDurations" ? { socket: none, dns: none } : value,
    );
    const before = (await expose({ counts })).replace(/ [-+.\de]+$/gm, "");
    expect(before).toBe((await expose()).replace(/ [-+.\de]+$/gm, ""));
  });

  it("are read by a parser of others, each with the type and help of the table", async () => {
    const families = parsePrometheus(await expose());
    const own = families.filter(({ name }) => name.startsWith("namewell_"));
    expect(own.map(({ name, type, help }) => [name, type.toLowerCase(), help])).toEqual(
      METRICS.map(({ name, type, help }) => [name, type, help]),
    );
  });

  it.skipIf(missing)(`are fine with promtool${missing ? ` (skipped: ${missing})` : ""}`, async () => {
    const checked = spawnSync("promtool", ["check", "metrics"], { input: await expose(), encoding: "utf8" });
    expect({ status: checked.status, told: checked.stdout + checked.stderr }).toEqual({ status: 0, told: "" });
  });

  it("are in docs/metrics.md as they are in the table", async () => {
    const cell = (text: string) => text.replaceAll("|", "\\|");
    const row = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
    const rows = [
      ...METRICS.map(({ name, type, labels, help }) => row([`\`${name}\``, type, labels.join(", "), help])),
      ...processMetrics().map(({ name, type, help }) => row([`\`${name}\``, type, "", help])),
    ];
    const file = path.join(fileURLToPath(new URL("../../..", import.meta.url)), "docs/metrics.md");
    await expect([INTRODUCTION, ...rows, ""].join("\n")).toMatchFileSnapshot(file);
  });
});

const INTRODUCTION = `# Metrics

At \`/metrics\`, in Prometheus' text format. Names and labels stay as they are: dashboards depend on them. Durations are in
seconds, in buckets from 0.25 ms doubled up to 8.192 s. No label has names of DNS, clients or anything else without a bound.

These are always true, at each scrape:

- \`namewell_lookups_total\` with result hit = \`namewell_cache_hits_total\`, with result miss = \`namewell_cache_misses_total\`.
- \`namewell_outcomes_total\` + \`namewell_lookups_waiting\` = \`namewell_cache_hits_total\` but via table + \`namewell_cache_misses_total\`.
- \`namewell_upstream_requests_total\` = replies (\`namewell_upstream_request_duration_seconds_count\`) + \`namewell_upstream_timeouts_total\` +
  \`namewell_upstream_errors_total\` + \`namewell_upstream_requests_unneeded_total\` + \`namewell_upstream_requests_in_flight\`.

Hits in the table are a lower bound: clients tell of them late, and some end without doing so.

| metric | type | labels | meaning |
|---|---|---|---|`;
