// What a run gives: tables and goals, as Markdown that can be read on a terminal too.

export interface Section {
  readonly title: string;
  readonly notes: readonly string[];
  readonly head: readonly string[];
  readonly rows: ReadonlyArray<readonly string[]>;
}

export interface Goal {
  readonly what: string;
  readonly wanted: string;
  readonly measured: string;
  readonly isMet: boolean;
}

export interface Findings {
  readonly sections: readonly Section[];
  readonly goals: readonly Goal[];
  /** What could not be measured for what this machine has not. */
  readonly absent?: readonly string[];
}

export function sectionText({ title, notes, head, rows }: Section): string {
  return `## ${title}\n\n${notes.map((note) => `${note}\n`).join("")}\n${rows.length > 0 ? tableText(head, rows) : ""}`;
}

export function goalsText(goals: readonly Goal[]): string {
  if (goals.length === 0) return "";
  const verdict = (goal: Goal) => (hasFigure(goal) ? (goal.isMet ? "met" : "not met") : "not measured");
  const rows = goals.map((goal) => [goal.what, goal.wanted, goal.measured, verdict(goal)]);
  return `## Goals\n\n${tableText(["what", "wanted", "measured", ""], rows)}`;
}

/** Why the results of these parts are not whole: a part that could not be measured, a goal without a figure. */
export function faultsOf(parts: ReadonlyMap<string, Findings | Error>): string[] {
  return [...parts].flatMap(([name, outcome]) =>
    outcome instanceof Error
      ? [`${name} could not be measured: ${outcome.message}`]
      : outcome.goals
          .filter((goal) => !hasFigure(goal))
          .map(({ what }) => `${name} has no figure for this goal: ${what}`),
  );
}

function hasFigure({ measured }: Goal): boolean {
  return /^-?\d/.test(measured); // not NaN
}

/** "client.so is N times faster": a goal against a rival that may not have been measured. */
export function speedGoal(what: string, own: number | undefined, rival: number | undefined, times: number): Goal[] {
  if (own === undefined || rival === undefined) return [];
  const ratio = rival / own;
  return [{ what, wanted: `${times} times faster`, measured: ratioText(ratio), isMet: ratio >= times }];
}

export function microseconds(ns: number): string {
  return digits(ns / 1000);
}

export function ratioText(ratio: number): string {
  return `${digits(ratio)} x`;
}

export function digits(value: number): string {
  const places = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return value.toFixed(places);
}

function tableText(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const isNumeric = head.map((_, i) => rows.every((row) => /^(-?[\d.,]+( [x%])?|-?)$/.test(row[i] ?? "")));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (isNumeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join(" | ")} |\n`;
  const rule = widths.map((width, i) => (isNumeric[i] ? `${"-".repeat(width - 1)}:` : "-".repeat(width)));
  return line(head) + line(rule) + rows.map(line).join("");
}
