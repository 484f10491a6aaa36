/** Opens a target for one piece of work, whoever brings values there: a worker, its agent, or a person. */
import { createHash } from "node:crypto";
import { LockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Target } from "../../core/ports/target.ts";
import type { TargetContext } from "../../core/ports/target-context.ts";
import type { TargetKind } from "../../core/ports/target-kind.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import { assertNever } from "../../lib/assert-never.ts";
import type { AppContext } from "../base/context.ts";
import { agentTarget } from "./agent-target.ts";
import { manualTarget } from "./manual-target.ts";
import { keeperOf, openStoredCredentials } from "./stored-credentials.ts";

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

/** A stored target, or one that a configuration proposes. */
export interface Opening {
  readonly kind: string;
  readonly name: string;
  readonly config: JsonObject;
  /** The stored target whose reports and credentials these are; null: it is not stored. */
  readonly storedAt: string | null;
  /** Asked only where somebody is dialled. Throws when there is none that may be used. */
  readonly credentials: () => Promise<JsonObject | null>;
}

export interface OpenedFor extends Pick<TargetContext, "purpose" | "sharedReads"> {
  /** Somebody waits for what it observes: agents are asked to look now. */
  readonly isAwaited?: boolean;
}

/** Asks nobody yet, but for a credential. Throws what `credentials` throws, and UNSUPPORTED for a kind that nobody serves. */
export async function openTarget(
  context: AppContext,
  opening: Opening,
  { isAwaited = false, ...use }: OpenedFor,
): Promise<Target> {
  const { name, config, storedAt } = opening;
  const kind = kindOf(context, opening.kind);
  switch (kind.delivery) {
    case "agent":
      return agentTarget(context, { id: storedAt, name }, { isAwaited });
    case "manual":
      return manualTarget(context, storedAt);
    case "direct": {
      const credentials = await opening.credentials();
      const keeps = storedAt !== null && credentials !== null;
      return kind.open(config, credentials, {
        targetName: name,
        budget: context.budget,
        storeId: context.storeId,
        revisionMarker: context.revisionMarker,
        ...use,
        ...(keeps ? { keepCredentials: keeperOf(context, kind, storedAt, credentials) } : {}),
      });
    }
    default:
      return assertNever(kind);
  }
}

export async function withTarget<T>(
  context: AppContext,
  record: TargetRecord,
  work: (target: Target) => Promise<T>,
  openedFor: OpenedFor = { purpose: "push" },
): Promise<T> {
  const { id: storedAt, kind, name, config } = record;
  const credentials = () => openStoredCredentials(context, kindOf(context, kind), record);
  const target = await openTarget(context, { kind, name, config, storedAt, credentials }, openedFor);
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

/** Equal for targets of one kind with the same credentials. A digest, kept nowhere. */
export async function accessOf(context: AppContext, record: TargetRecord): Promise<string> {
  const parts = [record.kind, await openStoredCredentials(context, kindOf(context, record.kind), record)];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
