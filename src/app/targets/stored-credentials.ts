/** A target's credential in the store: sealed, and bound to the destination that it was given for. */
import { SYSTEM } from "../../core/actor.ts";
import { credentialsAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { TargetKind } from "../../core/ports/target-kind.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { AppContext } from "../base/context.ts";

/** Wrapping anew and other changes of the row come between rarely, and twice hardly ever. */
const TRIES = 5;

type Sealed = Pick<TargetRecord, "id" | "config" | "credentialsSealed">;

/** Null: it has none. Throws SEALED_UNREADABLE. */
export async function openStoredCredentials(
  context: AppContext,
  kind: TargetKind,
  { id, config, credentialsSealed }: Sealed,
): Promise<JsonObject | null> {
  if (credentialsSealed === null) return null;
  return await unseal(context, credentialsSealed, credentialsAssociatedData(id, kind.destination(config)));
}

/**
 * Keeps what a credential became at its first use, sealed in place of the one that is used up. By compare: what somebody
 * gave meanwhile stays, and what a change of the root key wrapped anew is the same credential. `usedAs`: as they were
 * when the target was opened.
 */
export function keeperOf(
  context: AppContext,
  kind: TargetKind,
  targetId: string,
  usedAs: JsonObject,
): (credentials: JsonObject) => Promise<void> {
  return async (credentials) => {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const target = await context.store.read.targets.findById(targetId);
      const before = target?.credentialsSealed ?? null;
      if (target === null || before === null || target.kind !== kind.kind) return;
      const associatedData = credentialsAssociatedData(targetId, kind.destination(target.config));
      const opened = await unseal(context, before, associatedData);
      if (canonicalJson(opened) !== canonicalJson(usedAs)) return;
      const sealed = await context.sealer.seal(JSON.stringify(credentials), associatedData);
      const isKept = await context.store.transaction(async (tx) => {
        if (!(await tx.config.replaceCredentials(targetId, before, sealed))) return false;
        await tx.audit.append({
          action: "target.credential_kept",
          actor: SYSTEM,
          subject: { kind: "target", id: targetId, name: target.name },
          details: { environment: target.environment },
        });
        return true;
      });
      if (isKept) return;
    }
    throw new LockstepError(
      "WRITE_CONFLICT",
      "Cannot keep a target's credential: its row changes all the time.",
    );
  };
}

/**
 * The destination is computed from the configuration that will be used, never read from its own column: whoever changes
 * the address in the database gets a credential that does not open.
 */
async function unseal(context: AppContext, sealed: string, associatedData: string): Promise<JsonObject> {
  return JSON.parse(await context.sealer.open(sealed, associatedData)) as JsonObject;
}
