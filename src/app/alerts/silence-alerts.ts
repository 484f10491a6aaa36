/** `lockstep alert silence`: for work that somebody announces. What is open already has been told. */
import type { Actor } from "../../core/actor.ts";
import type { AppContext } from "../base/context.ts";

/** Answers until when. */
export async function silenceAlerts(
  context: AppContext,
  actor: Actor,
  silence: { readonly kind: string | null; readonly forMs: number; readonly reason: string },
): Promise<Date> {
  const until = new Date(context.clock.now().getTime() + silence.forMs);
  await context.store.transaction(async (tx) => {
    await tx.alerts.silence({ ...silence, actor });
    await tx.audit.append({
      action: "alert.silenced",
      actor,
      subject: { kind: "store", id: context.storeId, name: silence.kind ?? "all alerts" },
      details: { until: until.toISOString(), reason: silence.reason },
    });
  });
  return until;
}
