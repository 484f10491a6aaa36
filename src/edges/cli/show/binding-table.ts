/** Bindings as a table that can be read at 3 a.m.: what is wrong stands out, and says why in its last column. */
import { ageText } from "../../../lib/age.ts";
import type { BoundStatus } from "../../../protocol/api-parts.ts";
import type { TableColumn } from "../table.ts";
import type { Tone } from "../tone.ts";

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
    group: true,
  };
  return [
    ...(options.withSecret ? [secret] : []),
    { header: "target", cell: (line) => line.target, shrink: true },
    { header: "where", cell: whereText, shrink: true },
    { header: "role", cell: (line) => line.role },
    { header: "version", cell: versionText },
    { header: "state", cell: stateText, tone: lineTone },
    { header: "evidence", cell: (line) => line.evidence ?? "–" },
    { header: "seen", cell: (line) => ageText(line.observedAt, now) },
    { header: "reason", cell: (line) => line.reason ?? "", below: true },
  ];
}

/** Which file, and which name where it is not the secret's own. */
export function whereText({
  secret,
  placement,
  key,
}: {
  readonly secret: string;
  readonly placement: string;
  readonly key: string;
}): string {
  return [placement, key === secret ? "" : key].filter((part) => part !== "").join(":");
}

/** Nothing more happens there by itself. */
export function needsPerson({ state, stuck }: Pick<BoundStatus, "state" | "stuck">): boolean {
  return stuck === true || (state !== "in-sync" && state !== "owed");
}

/** The API says `owed` and why; a person is told at a glance that waiting does not help. */
export function stateText({ state, stuck }: Pick<BoundStatus, "state" | "stuck">): string {
  return stuck === true ? "stuck" : state;
}

function lineTone(line: BindingLine): Tone {
  return needsPerson(line) ? "bad" : stateTone(line.state);
}

export function stateTone(state: BoundStatus["state"]): Tone {
  if (state === "in-sync") return "good";
  return state === "owed" ? "warn" : "bad";
}

/** `v4`, or `v4 and v5` while it has both. */
export function heldText(primary: number | null, fallback: number | null): string {
  if (primary === null) return "–";
  return fallback === null ? `v${primary}` : `v${primary} and v${fallback}`;
}

/** What a place should hold is not always the current version: while a secret moves, `v1 and v2` may be right. */
export function versionText(line: Pick<BindingLine, "version" | "fallback" | "current" | "state">): string {
  const there = line.version === null ? "none" : `v${line.version}`;
  if (line.state === "in-sync" && line.version !== null) return heldText(line.version, line.fallback);
  if (line.current === null) return line.version === null ? "–" : there;
  return line.version === line.current ? there : `${there}, not v${line.current}`;
}
