/**
 * What people must do at places in other hands. A step belongs to the generation that it was computed for: what was
 * shown before a newer change came can be confirmed no more.
 */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import { addressText, type PlannedItem, planChange } from "../../core/reconcile/plan-change.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import { transact } from "../base/transaction.ts";
import { type Desired, loadDesired } from "../desired/desired.ts";
import { observeManual } from "../targets/manual-target.ts";
import { kindOf } from "../targets/open-target.ts";

export interface StepKey {
  readonly key: string;
  readonly secret: string;
  readonly do: "set" | "remove" | "keep";
  /** Null: it must not stand there. */
  readonly version: number | null;
  /** What was there by the last word; null: nothing. */
  readonly before: number | null;
}

export interface Step {
  readonly target: string;
  readonly environment: string;
  readonly generation: number;
  /** False: everything stands there, as far as was said. */
  readonly isOpen: boolean;
  readonly instructions: string | null;
  readonly keys: readonly StepKey[];
}

export interface StepName {
  readonly environment: string;
  readonly target: string;
}

/** Of all manual targets; `open`: only those where something is to be done. */
export async function listSteps(
  context: AppContext,
  { environment, open }: { readonly environment?: string; readonly open: boolean },
): Promise<readonly Step[]> {
  const { read } = context.store;
  const rows = await read.views.targets(environment === undefined ? {} : { environment });
  const steps: Step[] = [];
  for (const row of rows) {
    if (kindOf(context, row.kind).delivery !== "manual") continue;
    const target = await read.targets.findById(row.id);
    if (target !== null) steps.push((await loadStep(context, target)).step);
  }
  return steps.filter(({ isOpen }) => isOpen || !open);
}

/** Throws NOT_FOUND. */
export async function viewStep(context: AppContext, name: StepName): Promise<Step> {
  return (await loadStep(context, await findManual(context, name))).step;
}

/**
 * The value of one key, once; that it was is on record before it is opened. Throws NOT_FOUND, PLAN_CHANGED for a step that
 * is over, and STEP_REVEALED.
 */
export async function revealStep(
  context: AppContext,
  actor: Actor,
  name: StepName,
  { generation, key }: { readonly generation: number; readonly key: string },
): Promise<SecretValue> {
  const target = await findManual(context, name);
  const { step, desired } = await loadStep(context, target);
  assertCurrent(step, generation);
  const slot = desired.slots.find((one) => one.key === key);
  if (slot === undefined)
    throw new LockstepError("NOT_FOUND", `No value belongs to ${key} at target "${target.name}".`);
  await context.store.transaction(async (tx) => {
    await assertStillCurrent(tx, target.id, generation);
    if (!(await tx.manual.reveal(target.id, generation, key, actor))) {
      throw new LockstepError("STEP_REVEALED", `The value of ${key} for this step was shown already.`);
    }
    await tx.audit.append({
      action: "step.revealed",
      actor,
      subject: { kind: "target", id: target.id, name: target.name },
      details: { generation, key, version: slot.version },
    });
  });
  return slot.value;
}

/** A person says: it stands there, and is used. Throws NOT_FOUND, and PLAN_CHANGED for a step that is over. */
export async function confirmStep(
  context: AppContext,
  actor: Actor,
  name: StepName,
  generation: number,
): Promise<Step> {
  const target = await findManual(context, name);
  const { step, desired } = await loadStep(context, target);
  assertCurrent(step, generation);
  await transact(context, async (tx, next) => {
    await assertStillCurrent(tx, target.id, generation);
    await tx.manual.confirm(
      target.id,
      desired.slots.map(({ placement, key, version }) => ({ placement, key, version })),
      actor,
    );
    await tx.targets.resume([target.id]);
    next.reconcile([target.id]);
    await tx.audit.append({
      action: "step.confirmed",
      actor,
      subject: { kind: "target", id: target.id, name: target.name },
      details: {
        generation,
        keys: desired.slots.map(({ key, version }) => `${key} v${version}`),
      },
    });
  });
  return { ...step, isOpen: false };
}

function assertCurrent(step: Pick<Step, "target" | "generation">, generation: number): void {
  if (step.generation === generation) return;
  throw new LockstepError("PLAN_CHANGED", `What is to be done at "${step.target}" has changed since.`, {
    hint: "Look at the step again; nothing was recorded.",
  });
}

/** Newer intent that was committed since then is not what the person has seen; what comes now waits for us. */
async function assertStillCurrent(tx: Repositories, targetId: string, generation: number): Promise<void> {
  await tx.targets.lock(targetId);
  const now = await tx.targets.findById(targetId);
  if (now === null)
    throw new LockstepError("NOT_FOUND", "The target of this step is not configured any more.");
  assertCurrent({ target: now.name, generation: now.generation }, generation);
}

async function findManual(context: AppContext, { environment, target }: StepName): Promise<TargetRecord> {
  const found = await context.store.read.targets.findByName(environment, target);
  if (found !== null && kindOf(context, found.kind).delivery === "manual") return found;
  throw new LockstepError("NOT_FOUND", `There is no manual target "${target}" in ${environment}.`, {
    hint: "`lockstep step list` shows them.",
  });
}

async function loadStep(
  context: AppContext,
  target: TargetRecord,
): Promise<{ readonly step: Step; readonly desired: Desired }> {
  const desired = await loadDesired(context, target.id);
  const { keys } = await observeManual(context, target.id, [...desired.slots, ...desired.pruned]);
  const items = planChange(desired.slots, desired.pruned, keys, context.sameValue);
  const secrets = new Map(desired.bindings.map((binding) => [binding.id, binding.secretName]));
  const kind = kindOf(context, target.kind);
  return {
    desired,
    step: {
      target: target.name,
      environment: target.environment,
      generation: target.generation,
      isOpen: items.some(({ action }) => action === "set" || action === "unset"),
      instructions: kind.delivery === "manual" ? kind.instructions(target.config) : null,
      keys: distinct(items)
        .map((item) => stepKey(item, secrets.get(item.bindingId) ?? ""))
        .filter((key) => key.do !== "keep" || key.version !== null),
    },
  };
}

function stepKey({ action, key, version, found }: PlannedItem, secret: string): StepKey {
  const doing = action === "set" ? "set" : action === "unset" ? "remove" : "keep";
  return { key, secret, do: doing, version, before: found.kind === "version" ? found.version : null };
}

function distinct(items: readonly PlannedItem[]): readonly PlannedItem[] {
  return [...new Map(items.map((item) => [addressText(item), item])).values()];
}
