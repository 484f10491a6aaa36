/**
 * What a target's credential became at its first use, sealed in place of the one that is used up. By compare: what
 * somebody gave meanwhile stays, and what a change of the root key wrapped anew is the same credential.
 */
import { SYSTEM } from "../../core/actor.ts";
import { credentialsAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { TargetKind } from "../../core/ports/target-kind.ts";
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { AppContext } from "../base/context.ts";

/** Wrapping anew and other changes of the row come between rarely, and twice hardly ever. */
const TRIES = 5;

/** `usedAs`: as they were when the target was opened. */
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
      const opened = JSON.parse(await context.sealer.open(before, associatedData)) as JsonObject;
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
