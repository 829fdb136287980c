// deploy/: the dashboard and the alerts name what the server exposes, and each alert fires.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parser } from "@prometheus-io/lezer-promql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { processMetrics } from "../../src/operate/exposition.ts";
import { METRICS } from "../../src/operate/metrics.ts";
import { toolMissing } from "../support/programs.ts";

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}
interface Expression {
  readonly of: string;
  readonly text: string;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string) => fs.readFileSync(path.join(ROOT, file), "utf8");
const RULES = "deploy/prometheus/alerts.yaml";
const alerts: readonly Alert[] = parse(read(RULES)).groups.flatMap(({ rules }: { rules: Alert[] }) => rules);
const dashboard = JSON.parse(read("deploy/grafana/namewell.json"));
const panels: ReadonlyArray<{ title: string; targets?: ReadonlyArray<{ expr: string }> }> = dashboard.panels;
const missing = toolMissing("promtool", "prometheus");

/** Grafana puts a duration in the place of its variable. */
const expressions: readonly Expression[] = [
  ...alerts.map(({ alert, expr }) => ({ of: alert, text: expr })),
  ...panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ of: title, text: expr.replaceAll("$__rate_interval", "5m") })),
  ),
];

/** A metric's labels; those of histograms for their three parts. */
const labelsOf = new Map<string, readonly string[]>([
  ["up", []],
  ...processMetrics().map(({ name }) => [name, []] as const),
  ...METRICS.flatMap(({ name, type, labels }) =>
    type === "histogram"
      ? ([
          [`${name}_bucket`, [...labels, "le"]],
          [`${name}_sum`, labels],
          [`${name}_count`, labels],
        ] as const)
      : [[name, labels] as const],
  ),
]);
const OF_THE_SCRAPE = ["job", "instance"];

function namesIn(text: string): { metrics: string[]; labels: string[]; hasErrors: boolean } {
  const metrics: string[] = [];
  const labels: string[] = [];
  let hasErrors = false;
  parser.parse(text).iterate({
    enter({ type, node, from, to }) {
      if (type.isError) hasErrors = true;
      if (type.name === "Identifier" && node.parent?.type.name === "VectorSelector") metrics.push(text.slice(from, to));
      if (type.name === "LabelName") labels.push(text.slice(from, to));
    },
  });
  return { metrics, labels, hasErrors };
}

describe("the expressions of the alerts and the dashboard", () => {
  it("are there, and are PromQL", () => {
    expect([alerts.length >= 14, expressions.length > 60]).toEqual([true, true]);
    expect(expressions.filter(({ text }) => namesIn(text).hasErrors)).toEqual([]);
    expect(namesIn("sum(rate(x[5m])").hasErrors).toBe(true);
  });

  it("name metrics that are exposed, and labels that these have", () => {
    for (const { of, text } of expressions) {
      const { metrics, labels } = namesIn(text);
      expect({ of, known: metrics.length > 0 && metrics.every((name) => labelsOf.has(name)), metrics }).toMatchObject({
        known: true,
      });
      const known = [...OF_THE_SCRAPE, ...metrics.flatMap((name) => labelsOf.get(name) ?? [])];
      expect({ of, unknown: labels.filter((label) => !known.includes(label)) }).toEqual({ of, unknown: [] });
    }
  });

  it("leave no metric of ours unused in the dashboard, but for what it is called", () => {
    const used = new Set(expressions.flatMap(({ text }) => namesIn(text).metrics.map(partless)));
    const seldom = ["namewell_build_info", "namewell_questions_total", "namewell_http_up", "namewell_http_connections"];
    const unused = METRICS.map(({ name }) => name).filter((name) => !used.has(name) && !seldom.includes(name));
    expect(unused).toEqual([]);
  });
});

function partless(name: string): string {
  return name.replace(/_(bucket|sum|count)$/, "");
}

describe("the alerts", () => {
  it("say how bad it is, what it is, and where more is said", () => {
    const text = read("docs/alerts.md");
    for (const { alert, for: after, labels, annotations } of alerts) {
      expect(["warning", "critical"]).toContain(labels.severity);
      expect(after).toMatch(/^\d+m$/);
      expect(Object.keys(annotations).sort()).toEqual(["description", "runbook_url", "summary"]);
      expect(annotations.runbook_url).toBe(`docs/alerts.md#${alert.toLowerCase()}`);
      expect(text).toContain(`\n## ${alert}\n`);
    }
  });
});

/** What each alert is for. */
const WRONG: Readonly<
  Record<string, { series: Readonly<Record<string, string>>; labels: Readonly<Record<string, string>> }>
> = {
  NamewellDown: { series: { up: "0x90" }, labels: {} },
  NamewellAbsent: { series: { up: "1x90" }, labels: {} },
  NamewellTableNotPublished: {
    series: { namewell_table_published: "0x90", namewell_table_wanted: "1x90" },
    labels: {},
  },
  NamewellDirectoryNoexec: { series: { namewell_directory_noexec: "1x90" }, labels: {} },
  NamewellLibraryMissing: { series: { namewell_library_installed: "0x90" }, labels: { arch: "x64" } },
  NamewellViewDown: { series: { namewell_view_up: "0x90" }, labels: { view: "." } },
  NamewellUpstreamDown: { series: { namewell_upstream_up: "0x90" }, labels: { upstream: "udp 10.0.0.2:53" } },
  NamewellFailures: failures(20),
  NamewellFailuresMany: failures(40),
  NamewellSlow: {
    series: {
      'namewell_question_duration_seconds_bucket{le="2.048"}': "0+90x90",
      'namewell_question_duration_seconds_bucket{le="4.096"}': "0+100x90",
      'namewell_question_duration_seconds_bucket{le="+Inf"}': "0+100x90",
    },
    labels: {},
  },
  NamewellRefusing: { series: { namewell_cache_misses_total: "0+1x90" }, labels: { how: "refused" } },
  NamewellEvictions: {
    series: { namewell_cache_evictions_total: "0+10x90", 'namewell_cache_misses_total{how="asked"}': "0+100x90" },
    labels: {},
  },
  NamewellServesStale: { series: { namewell_cache_served_stale_total: "0+1x90" }, labels: {} },
  NamewellForgedReplies: {
    series: { 'namewell_upstream_replies_rejected_total{reason="wrong_case"}': "0+120x90" },
    labels: {},
  },
};

function failures(ofThousand: number) {
  return {
    series: {
      'namewell_outcomes_total{outcome="temporary"}': `0+${ofThousand}x90`,
      'namewell_lookups_total{type="A",result="hit"}': "0+1000x90",
    },
    labels: {},
  };
}

describe.skipIf(missing)(`promtool${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let directory: string;
  beforeAll(() => {
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-deploy-"));
  });
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));
  const promtool = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: ROOT, encoding: "utf8" });
    return { status, told: stdout + stderr };
  };

  it("accepts the alerts", () => {
    expect(promtool("check", "rules", "--lint-fatal", RULES)).toMatchObject({ status: 0 });
  });

  it("finds no alert on a server that is well", () => {
    const { tests } = parse(read("test/deploy/alerts.rules.yaml"));
    const quiet = tests[0].alert_rule_test.map(({ alertname }: { alertname: string }) => alertname);
    expect(quiet.sort()).toEqual(alerts.map(({ alert }) => alert).sort());
    expect(promtool("test", "rules", "test/deploy/alerts.rules.yaml")).toMatchObject({ status: 0 });
  });

  it("finds that each fires on what it is for, and not at once", () => {
    expect(Object.keys(WRONG).sort()).toEqual(alerts.map(({ alert }) => alert).sort());
    const tests = alerts.map(({ alert, labels: { severity } }) => {
      const { series, labels } = WRONG[alert] as (typeof WRONG)[string];
      const own = alert === "NamewellAbsent" ? {} : { job: "namewell", instance: "a" };
      return {
        name: alert,
        interval: "1m",
        input_series: Object.entries(series).map(([name, values]) => ({ series: withLabels(name, labels), values })),
        // Texts of annotations are not compared: the numbers in them are the templates' matter.
        promql_expr_test: [],
        alert_rule_test: [
          { alertname: alert, eval_time: "1m", exp_alerts: [] },
          { alertname: alert, eval_time: "80m", exp_alerts: [{ exp_labels: { ...own, ...labels, severity } }] },
        ],
      };
    });
    // Without the annotations, of which promtool would want every word.
    const groups = parse(read(RULES)).groups;
    for (const { rules } of groups) for (const rule of rules) delete rule.annotations;
    fs.writeFileSync(path.join(directory, "alerts.yaml"), stringify({ groups }));
    const file = path.join(directory, "fires.yaml");
    fs.writeFileSync(file, stringify({ rule_files: ["alerts.yaml"], evaluation_interval: "1m", tests }));
    const { status, told } = promtool("test", "rules", file);
    expect({ status, told: status === 0 ? "" : told }).toEqual({ status: 0, told: "" });
  });
});

function withLabels(series: string, labels: Readonly<Record<string, string>>): string {
  const [name, own = ""] = series.replace("}", "").split("{");
  const all = Object.entries({ job: "namewell", instance: "a", ...labels }).map(
    ([label, value]) => `${label}="${value}"`,
  );
  return `${name}{${[...(own === "" ? [] : [own]), ...all].join(",")}}`;
}
