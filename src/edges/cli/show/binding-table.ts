/** Bindings as a table that can be read at 3 a.m.: what is wrong stands out, and says why in its last column. */
import { ageText } from "../../../lib/age.ts";
import type { BoundStatus } from "../../../protocol/api-parts.ts";
import type { Tone } from "../output.ts";
import type { TableColumn } from "../table.ts";

export interface BindingLine extends BoundStatus {
  readonly secret: string;
  readonly current: number | null;
}

export function bindingColumns(
  now: Date,
  options: { readonly withSecret: boolean },
): readonly TableColumn<BindingLine>[] {
  const secret: TableColumn<BindingLine> = { header: "secret", cell: (line) => line.secret };
  return [
    ...(options.withSecret ? [secret] : []),
    { header: "target", cell: (line) => line.target },
    { header: "key", cell: (line) => (line.placement === "" ? line.key : `${line.placement}:${line.key}`) },
    { header: "role", cell: (line) => line.role },
    { header: "version", cell: versionText },
    { header: "state", cell: (line) => line.state, tone: (line) => stateTone(line.state) },
    { header: "evidence", cell: (line) => line.evidence ?? "–" },
    { header: "seen", cell: (line) => ageText(line.observedAt, now) },
    { header: "reason", cell: (line) => line.reason ?? "" },
  ];
}

export function stateTone(state: BoundStatus["state"]): Tone {
  if (state === "in-sync") return "good";
  return state === "owed" ? "warn" : "bad";
}

export function versionText(line: {
  readonly version: number | null;
  readonly current: number | null;
}): string {
  const there = line.version === null ? "–" : `v${line.version}`;
  return line.current === null || line.version === line.current ? there : `${there} of v${line.current}`;
}
