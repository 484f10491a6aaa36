/** Doctor's answer for a tired person: one line first, then the matrix, then a paragraph for each thing that is wrong. */
import { ageText } from "../../../lib/age.ts";
import type { DoctorAnswer, FindingView } from "../../../protocol/api-doctor.ts";
import type { Output } from "../output.ts";
import { showParagraph } from "../paragraph.ts";
import { showTable, type TableColumn } from "../table.ts";
import type { Tone } from "../tone.ts";
import { type BindingLine, bindingColumns, stateTone } from "./binding-table.ts";

type Severity = FindingView["severity"];

const MARKS: Readonly<Record<Severity, string>> = {
  wrong: "WRONG",
  "cannot-tell": "CANNOT TELL",
  moving: "MOVING",
  hint: "HINT",
};
const TONES: Readonly<Record<Severity, Tone>> = {
  wrong: "bad",
  "cannot-tell": "warn",
  moving: "warn",
  hint: "dim",
};
const EXPLAINED = ["reason"];

export function showDiagnosis(output: Output, answer: DoctorAnswer, now: Date): void {
  output.line(answer.verdict);
  const lines = answer.secrets.flatMap(({ name, current, bindings }) =>
    bindings.map((binding): BindingLine => ({ ...binding, secret: name, current })),
  );
  if (lines.length > 0) {
    output.line();
    showTable(output, matrix(now), lines);
  }
  for (const finding of answer.findings) {
    output.line();
    showFinding(output, finding);
  }
  if (answer.findings.length === 0 && !answer.live) {
    output.line();
    output.line(
      `No place was checked now; the ages above are from ${ageText(answer.checkedAt, now)}. To check now: lockstep doctor`,
    );
  }
}

/** The stale cell stands out by a mark as well: colours get lost in a paste. */
function matrix(now: Date): readonly TableColumn<BindingLine>[] {
  const mark: TableColumn<BindingLine> = {
    header: "",
    cell: ({ state }) =>
      state === "in-sync" ? " " : state === "unreadable" ? "?" : state === "owed" ? "~" : "!",
    tone: ({ state }): Tone => stateTone(state),
  };
  const columns = bindingColumns(now, { withSecret: true }).filter(
    ({ header }) => !EXPLAINED.includes(header),
  );
  return [mark, ...columns];
}

function showFinding(output: Output, finding: FindingView): void {
  const subject = finding.secret ?? finding.target ?? "Lockstep";
  const at = finding.secret !== null && finding.target !== null ? ` at ${finding.target}` : "";
  showParagraph(
    output,
    `${MARKS[finding.severity]}  `,
    `${subject}${at}  (${finding.id})`,
    TONES[finding.severity],
  );
  const parts: readonly (readonly [string, string])[] = [
    ["what", finding.what],
    ["cause", finding.cause],
    ...finding.consequence.map((text) => ["refused", text] as const),
  ];
  for (const [label, text] of parts) showParagraph(output, `  ${label.padEnd(8)} `, text, "dim");
  // In one piece, to be copied.
  if (finding.command !== null) output.line(`  ${"repair".padEnd(8)} ${finding.command}`);
}
