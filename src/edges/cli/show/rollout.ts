/** A rollout for people: how far it is, what each side holds, who holds it up and why, what to do. */

import { ageText, durationText } from "../../../lib/age.ts";
import type { RolloutMember, RolloutSummary, RolloutView } from "../../../protocol/api-views.ts";
import type { Output } from "../output.ts";
import { showTable, type TableColumn } from "../table.ts";
import type { Tone } from "../tone.ts";
import { bindingColumns, heldText } from "./binding-table.ts";

export function versionsText({ from, to }: Pick<RolloutSummary, "from" | "to">): string {
  return from === null ? `v${to}` : `v${from} → v${to}`;
}

export function rolloutTone(state: RolloutSummary["state"]): Tone | null {
  if (state === "done") return "good";
  if (state === "running") return "warn";
  return state === "abandoned" ? null : "bad";
}

/** `accept ✓ ▸ switch … ▸ settle ▸ retire` */
export function phasesText({
  phases,
  phase,
  state,
}: Pick<RolloutView, "phases" | "phase" | "state">): string {
  const at = phases.indexOf(phase);
  return phases
    .map((name, index) => {
      if (state === "done" || index < at) return `${name} ✓`;
      return index === at ? `${name} ${state === "running" ? "…" : "✗"}` : name;
    })
    .join(" ▸ ");
}

/** In words; null while the old version does not settle. */
export function settlingText({ settling }: Pick<RolloutView, "settling">): string | null {
  if (settling === null) return null;
  const left = settling.leftMs > 0 ? `, ${durationText(settling.leftMs)} left` : "";
  return `${settling.why}${left} (${settling.grade})`;
}

export function showRollout(output: Output, rollout: RolloutView): void {
  output.line(`${rollout.secret} ${versionsText(rollout)} (${rollout.strategy}): ${rollout.state}`);
  output.line(phasesText(rollout));
  if (rollout.rollbackOf !== null) output.line(`This rolls back rollout ${rollout.rollbackOf}.`);
  if (rollout.reason !== null) output.line(rollout.reason);
  const settling = settlingText(rollout);
  if (settling !== null) output.line(settling);
  if (rollout.members.length > 0) showTable(output, memberColumns(new Date()), rollout.members);
  else {
    showTable(
      output,
      bindingColumns(new Date(), { withSecret: false }),
      rollout.bindings.map((binding) => ({ ...binding, secret: rollout.secret, current: rollout.to })),
    );
  }
  if (rollout.state === "stalled") for (const line of wayOut(rollout)) output.line(line);
}

/** What a person can do about a rollout that stands still. */
export function wayOut({ rollout, from }: Pick<RolloutView, "rollout" | "from">): readonly string[] {
  return [
    `When it is fixed:    lockstep rollout resume ${rollout}`,
    ...(from === null ? [] : [`Or go back:          lockstep rollout rollback ${rollout}`]),
    `Or without a place:  lockstep rollout force ${rollout} --target TARGET --reason "…"`,
  ];
}

function memberColumns(now: Date): readonly TableColumn<RolloutMember>[] {
  return [
    { header: "target", cell: ({ target }) => target, shrink: true },
    { header: "role", cell: ({ role, optional }) => (optional ? `${role}, optional` : role) },
    { header: "holds", cell: ({ primary, fallback }) => heldText(primary, fallback) },
    {
      header: "evidence",
      cell: ({ evidence }) => evidence ?? "–",
      tone: ({ waitsFor }) => (waitsFor === null ? "good" : "warn"),
    },
    { header: "looked", cell: ({ lookedAt }) => ageText(lookedAt, now) },
    { header: "asked", cell: ({ acceptance }) => acceptance ?? "" },
    {
      header: "waits for",
      cell: ({ waitsFor, forced }) => (forced ? "removed by a person" : (waitsFor ?? "")),
      below: true,
    },
  ];
}
