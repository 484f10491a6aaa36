/**
 * A worker that sent a write and then finds that its lease is gone was stopped in between: a paused machine, a debugger.
 * Where the place refuses older writes, nothing came of it. Where it cannot, the write may have replaced a newer one that
 * another worker had read back and closed; nobody else would look there again, so it is told here.
 */
import { SYSTEM } from "../../core/actor.ts";
import type { AppContext } from "../base/context.ts";
import { transact } from "../base/transaction.ts";
import { kindOf } from "../targets/open-target.ts";
import type { PushRun } from "./record-intent.ts";

const ACTOR = { ...SYSTEM, id: "late-write", name: "a write that came late" };

export async function tellLateWrite(context: AppContext, { lease }: PushRun, pushId: string): Promise<void> {
  const { id, name, kind, config, generation } = lease.target;
  const { inFlightMs } = kindOf(context, kind).capabilities(config);
  if (inFlightMs === 0) return;
  context.log.warn("write came late", { target: name, generation, push: pushId });
  await transact(context, async (tx, next) => {
    await tx.targets.distrust(id, inFlightMs, ACTOR);
    await tx.audit.append({
      action: "push.late",
      actor: ACTOR,
      subject: { kind: "target", id, name },
      details: { push: pushId, generation },
    });
    next.reconcile([id]);
  });
}
