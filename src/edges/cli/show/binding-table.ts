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
  const secret: TableColumn<BindingLine> = {
    header: "secret",
    cell: (line) => line.secret,
    shrink: true,
  };
  return [
    ...(options.withSecret ? [secret] : []),
    { header: "target", cell: (line) => line.target, shrink: true },
    { header: "key", cell: whereText, shrink: true },
    { header: "role", cell: (line) => line.role },
    { header: "version", cell: versionText },
    { header: "state", cell: (line) => line.state, tone: (line) => stateTone(line.state) },
    { header: "evidence", cell: (line) => line.evidence ?? "–" },
    { header: "seen", cell: (line) => ageText(line.observedAt, now) },
    { header: "reason", cell: (line) => line.reason ?? "", below: true },
  ];
}

/** Under which name, and in which file where there are files. */
export function whereText({ placement, key }: { readonly placement: string; readonly key: string }): string {
  return placement === "" ? key : `${placement}:${key}`;
}

export function stateTone(state: BoundStatus["state"]): Tone {
  if (state === "in-sync") return "good";
  return state === "owed" ? "warn" : "bad";
}

export function versionText(line: {
  readonly version: number | null;
  readonly current: number | null;
}): string {
  const there = line.version === null ? "none" : `v${line.version}`;
  if (line.current === null) return line.version === null ? "–" : there;
  return line.version === line.current ? there : `${there}, not v${line.current}`;
}
