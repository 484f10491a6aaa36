/**
 * The write-ahead record: which keys are about to be written, that a write may be in flight, and that the units owe a
 * restart. Committed before anything is sent, so that a crash at any later point still ends in a read-back and in
 * the restart.
 */
import { SYSTEM } from "../../core/actor.ts";
import type { PushItem } from "../../core/ports/store/pushes.ts";
import type { UnitSpec } from "../../core/ports/target.ts";
import type { Found, PlannedItem } from "../../core/reconcile/plan-change.ts";
import type { AppContext } from "../context.ts";
import { kindOf } from "../open-target.ts";
import { slotsDigest } from "./digest.ts";
import type { Run } from "./run-push.ts";

export async function recordIntent(
  context: AppContext,
  run: Run,
  items: readonly PlannedItem[],
  units: readonly UnitSpec[],
): Promise<string> {
  const { target, token } = run.lease;
  const { inFlightMs } = kindOf(context, target.kind).capabilities(target.config);
  const actor = target.intentActor ?? SYSTEM;
  const digest = slotsDigest(run.desired.slots);
  return context.store.transaction(async (tx) => {
    await tx.targets.markInFlight(
      target.id,
      token,
      inFlightMs === 0 ? 0 : inFlightMs + context.timing.sendWithinMs,
    );
    const pushId = await tx.pushes.start({
      targetId: target.id,
      epoch: context.epoch,
      generation: target.generation,
      attempt: target.attempts + 1,
      leaseToken: token,
      actor: { ...actor, via: [...(actor.via ?? []), context.processId] },
      digest,
      items: pushItems(items),
    });
    for (const unit of units) {
      await tx.activations.owe({
        unit,
        targetId: target.id,
        digest,
        pushId,
        quietMs: context.timing.quietMs,
        maxQuietMs: context.timing.maxQuietMs,
      });
    }
    await tx.audit.append({
      action: "push.started",
      actor,
      subject: { kind: "target", id: target.id, name: target.name },
      details: {
        push: pushId,
        generation: target.generation,
        keys: items
          .filter((item) => item.action === "set" || item.action === "unset")
          .map((item) => item.key),
      },
    });
    return pushId;
  });
}

export function pushItems(items: readonly PlannedItem[]): readonly PushItem[] {
  return items.flatMap((item) =>
    item.action === "blocked" || item.action === "left"
      ? []
      : [
          {
            bindingId: item.bindingId,
            secretId: item.secretId,
            placement: item.placement,
            key: item.key,
            slot: item.slot,
            version: item.version,
            action: item.action,
            replaced: item.action === "unchanged" ? null : foundText(item.found),
          },
        ],
  );
}

export function foundText(found: Found): string {
  return found.kind === "version" ? `v${found.version}` : found.kind;
}
