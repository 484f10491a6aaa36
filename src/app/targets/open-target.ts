/** Opens a stored target for one piece of work: unseals its credential, which is bound to the target's destination. */
import { createHash } from "node:crypto";
import { credentialsAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Target } from "../../core/ports/target.ts";
import type { SharedReads, TargetContext } from "../../core/ports/target-context.ts";
import type { TargetKind } from "../../core/ports/target-kind.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import { keeperOf } from "./keep-credentials.ts";
import { manualTarget } from "./manual-target.ts";

export function kindOf(context: AppContext, kind: string): TargetKind {
  const found = context.targetKinds.get(kind);
  if (found === undefined) {
    throw new LockstepError("UNSUPPORTED", `This release cannot serve targets of kind "${kind}".`);
  }
  return found;
}

/** Targets that are looked at together; one that is looked at alone is its own. */
export function checkGroupOf(context: AppContext, { id, kind, config }: TargetRecord): string {
  return kindOf(context, kind).checkGroup?.(config) ?? id;
}

export async function withTarget<T>(
  context: AppContext,
  record: TargetRecord,
  work: (target: Target) => Promise<T>,
  purpose: "push" | "background" = "push",
  sharedReads?: SharedReads,
): Promise<T> {
  const kind = kindOf(context, record.kind);
  const target = kind.isManual
    ? manualTarget(context, record.id)
    : await openStored(context, kind, record, {
        purpose,
        ...(sharedReads === undefined ? {} : { sharedReads }),
      });
  try {
    return await work(target);
  } catch (error) {
    throw await unlessReplaced(context, record, error);
  } finally {
    await target.close();
  }
}

/** What was good once may have been used by another process in the meantime, and stands there as what it became. */
async function unlessReplaced(context: AppContext, record: TargetRecord, error: unknown): Promise<unknown> {
  if (!(error instanceof LockstepError) || error.code !== "TARGET_CREDENTIAL_REJECTED") return error;
  const now = await context.store.read.targets.findById(record.id).catch(() => null);
  if (now === null || now.credentialsSealed === record.credentialsSealed) return error;
  return new LockstepError(
    "TARGET_UNAVAILABLE",
    `The credential of target "${record.name}" was replaced while it was used.`,
  );
}

async function openStored(
  context: AppContext,
  kind: TargetKind,
  record: TargetRecord,
  use: Pick<TargetContext, "purpose" | "sharedReads">,
): Promise<Target> {
  const credentials = await openCredentials(context, kind, record);
  return kind.open(record.config, credentials, {
    targetName: record.name,
    budget: context.budget,
    storeId: context.storeId,
    revisionMarker: context.revisionMarker,
    ...use,
    ...(credentials === null ? {} : { keepCredentials: keeperOf(context, kind, record.id, credentials) }),
  });
}

/** Equal for targets of one kind with the same credentials. A digest, kept nowhere. */
export async function accessOf(context: AppContext, record: TargetRecord): Promise<string> {
  const parts = [record.kind, await openCredentials(context, kindOf(context, record.kind), record)];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

async function openCredentials(
  context: AppContext,
  kind: TargetKind,
  record: TargetRecord,
): Promise<JsonObject | null> {
  if (record.credentialsSealed === null) return null;
  // The destination is computed from the configuration that will be used, never read from its own column: whoever
  // changes the address in the database gets a credential that does not open.
  const associatedData = credentialsAssociatedData(record.id, kind.destination(record.config));
  return JSON.parse(await context.sealer.open(record.credentialsSealed, associatedData)) as JsonObject;
}
