// What a doctor has found, as shim/doctor prints it too: groups, a line a check, and for each finding its code, what to do
// and where more is said.
import { CODES, type Code, type Level } from "./doctorCodes.ts";

export interface Check {
  readonly level: "ok" | "note" | Level;
  /** Printable ASCII. */
  readonly text: string;
  readonly code?: Code;
  readonly hint?: string;
  readonly docs?: string;
}
export interface Group {
  readonly name: string;
  readonly checks: readonly Check[];
}
export type Verdict = "fine" | "problems" | "unknown";
export interface Report {
  readonly schema: 1;
  readonly groups: readonly Group[];
  readonly verdict: Verdict;
}

/** Where the checks of one group say what they see. */
export interface Findings {
  fine(text: string): void;
  note(text: string): void;
  found(code: Code, text: string): void;
}

const MARKS = { ok: "ok   ", note: "-    ", warning: "warn ", problem: "FAIL ", unknown: "?    " };
const EXIT_CODES = { fine: 0, problems: 1, unknown: 2 } as const;
const DOCS = "docs/doctor.md#";

export function createReport() {
  const groups: { name: string; checks: Check[] }[] = [];
  return {
    group(name: string): Findings {
      const checks: Check[] = [];
      groups.push({ name, checks });
      return {
        fine: (text) => void checks.push({ level: "ok", text: visible(text) }),
        note: (text) => void checks.push({ level: "note", text: visible(text) }),
        found(code, text) {
          const [, level, hint] = CODES.find(([known]) => known === code) as (typeof CODES)[number];
          checks.push({ level, text: visible(text), code, hint, docs: DOCS + code.toLowerCase() });
        },
      };
    },
    end(): Report {
      const has = (level: Level) => groups.some(({ checks }) => checks.some((check) => check.level === level));
      const verdict = has("problem") ? "problems" : has("unknown") ? "unknown" : "fine";
      return { schema: 1, groups, verdict };
    },
  };
}

/** Warnings alone are no reason for a script to stop. */
export function exitCodeOf({ verdict }: Report): 0 | 1 | 2 {
  return EXIT_CODES[verdict];
}

export function reportText({ groups, verdict }: Report): string {
  const parts = groups.map(({ name, checks }) => [name, ...checks.flatMap(linesOf)].join("\n"));
  const count = (level: Level) =>
    groups.flatMap(({ checks }) => checks).filter((check) => check.level === level).length;
  const warnings = count("warning");
  const end = {
    fine: `All is fine (warnings: ${warnings}).`,
    problems: `Problems: ${count("problem")}, warnings: ${warnings}.`,
    unknown: `Not all could be told (${count("unknown")}), warnings: ${warnings}.`,
  };
  return `${[...parts, end[verdict]].join("\n\n")}\n`;
}

function linesOf({ level, text, code, hint, docs }: Check): string[] {
  const line = `  ${MARKS[level]} ${code === undefined ? "" : `${code} `}${text}`;
  return code === undefined ? [line] : [line, `        ${hint}`, `        ${docs}`];
}

/** Names and paths may come from anybody: nothing of them moves a terminal's cursor. */
function visible(text: string): string {
  const hex = (byte: number) => `\\x${byte.toString(16).padStart(2, "0")}`;
  const bytes = (part: string) => [...Buffer.from(part, "utf8")].map(hex).join("");
  return text.replaceAll("\\", "\\\\").replaceAll(/[^ -~]+/g, bytes);
}
