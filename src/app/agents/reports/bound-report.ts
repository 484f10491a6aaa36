/**
 * What of a report is its target's: items of its bindings at their own places, its units, one answer for each question.
 * An agent's word cannot be larger than what its target is. Pure.
 */

import { addressText } from "../../../core/reconcile/plan-change.ts";
import type { LoopBinding, PrunableKey, TargetRecord } from "../../../core/store/targets.ts";
import { boundedLine } from "../../../lib/visible-text.ts";
import type { Report, ReportedItem, ReportedUnit } from "../../../protocol/agent/messages.ts";
import { CHILD_KEY, unitName } from "../../../protocol/agent/unit-name.ts";
import { agentConfigOf } from "../../targets/agent-config.ts";

export interface ReportBounds {
  readonly target: Pick<TargetRecord, "config" | "generation">;
  readonly bindings: readonly Pick<LoopBinding, "id" | "secretId" | "placement" | "key" | "fallbackKey">[];
  /** Of bindings that are gone. */
  readonly prunable: readonly Pick<PrunableKey, "bindingId" | "secretId" | "placement" | "key" | "slot">[];
}

export interface BoundReport {
  readonly report: Report;
  /** What was left out, counted in words, and in none of the agent's own. Null: nothing. */
  readonly strange: string | null;
}

const MAX_REASON = 300;
const MAX_WORDS = 300;
const MAX_WHAT = 120;

export function boundReport(report: Report, bounds: ReportBounds): BoundReport {
  const { push, answers = [], newer = [], copies } = report;
  const own = new Set(bounds.bindings.map(({ id }) => id));
  const isOwn = ({ bindingId }: { readonly bindingId: string }) => own.has(bindingId);
  const slots = slotsOf(bounds);
  const items = (told: readonly ReportedItem[]) =>
    distinct(
      told.filter((item) => slots.get(addressText(item)) === slotText(item)),
      addressText,
    ).map(boundItem);
  const seen = items(report.seen);
  const before = items(push?.before ?? []);
  const units = distinct(
    report.units.filter(({ key }) => unitsOf(bounds.target).has(key)),
    ({ key }) => key,
  ).map(boundUnit);
  const bounded: Report = {
    ...report,
    push: push === null ? null : { ...push, before, error: boundFailure(push.error) },
    seen,
    units,
    refused: report.refused.map(({ what, reason, add }) => ({
      what: boundedLine(what, MAX_WHAT),
      reason: boundedLine(reason, MAX_REASON),
      add,
    })),
    ...(report.answers === undefined
      ? {}
      : { answers: distinct(answers.filter(isOwn), ({ bindingId }) => bindingId) }),
    ...(report.newer === undefined
      ? {}
      : { newer: distinct(newer.filter(isOwn), ({ bindingId }) => bindingId) }),
    ...(copies === undefined ? {} : { copies: { ...copies, copies: copies.copies.filter(isOwn) } }),
    incidents: report.incidents.map(({ at, code, message }) => ({
      at,
      code: boundedLine(code, 64),
      message: boundedLine(message, MAX_WORDS),
    })),
  };
  return { report: bounded, strange: strangeOf(report, bounded, bounds.target.generation) };
}

/** Whose slot stands at an address. */
function slotsOf({ bindings, prunable }: ReportBounds): ReadonlyMap<string, string> {
  const live = bindings.flatMap(({ id: bindingId, secretId, placement, key, fallbackKey }) => [
    { bindingId, secretId, slot: "fallback" as const, placement, key: fallbackKey },
    { bindingId, secretId, slot: "primary" as const, placement, key },
  ]);
  return new Map([...prunable, ...live].map((slot) => [addressText(slot), slotText(slot)]));
}

function slotText({ bindingId, secretId, slot }: Pick<ReportedItem, "bindingId" | "secretId" | "slot">) {
  return `${bindingId} ${secretId} ${slot}`;
}

/** The one that the target names, and the agent's own program. */
export function unitsOf(target: Pick<TargetRecord, "config">): ReadonlySet<string> {
  const named = unitName(agentConfigOf(target).activate ?? null);
  return new Set(named === null ? [CHILD_KEY] : [CHILD_KEY, named]);
}

function boundItem(item: ReportedItem): ReportedItem {
  const { found } = item;
  if (found.kind === "unreadable")
    return { ...item, found: { ...found, reason: boundedLine(found.reason, MAX_REASON) } };
  if (found.kind === "unknown" && found.nearly !== undefined)
    return { ...item, found: { ...found, nearly: boundedLine(found.nearly, 200) } };
  return item;
}

function boundUnit(unit: ReportedUnit): ReportedUnit {
  return { ...unit, isOwnChild: unit.key === CHILD_KEY && unit.isOwnChild, error: boundFailure(unit.error) };
}

function boundFailure<Failure extends { readonly code: string; readonly message: string }>(
  failure: Failure | null,
): Failure | null {
  return failure === null ? null : { ...failure, message: boundedLine(failure.message, MAX_WORDS) };
}

/** While the agent still speaks of an order before the newest one, what it names may just be gone. */
function strangeOf(told: Report, kept: Report, generation: number): string | null {
  if (told.generation !== generation) return null;
  const counted = (
    [
      [told.units.length - kept.units.length, "units"],
      [setsIn(told) - setsIn(kept), "keys"],
      [(told.answers?.length ?? 0) - (kept.answers?.length ?? 0), "answers"],
      [(told.newer?.length ?? 0) - (kept.newer?.length ?? 0), "values"],
      [(told.copies?.copies.length ?? 0) - (kept.copies?.copies.length ?? 0), "copies"],
    ] as const
  ).flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : []));
  return counted.length === 0 ? null : `reported ${counted.join(", ")} that are not its target's`;
}

/** What is to go may have gone already. */
function setsIn({ seen, push }: Report): number {
  return [...seen, ...(push?.before ?? [])].filter(({ version }) => version !== null).length;
}

function distinct<Item>(items: readonly Item[], nameOf: (item: Item) => string): Item[] {
  const first = new Map<string, Item>();
  for (const item of items) if (!first.has(nameOf(item))) first.set(nameOf(item), item);
  return [...first.values()];
}
