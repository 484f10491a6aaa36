/** What ends by itself: enrolments that nobody confirmed in time, and identities of containers that are gone. */
import { SYSTEM } from "../../../core/actor.ts";
import type { AuditAction } from "../../../core/audit/events.ts";
import type { EndedAgent } from "../../../core/store/agents.ts";
import type { Repositories } from "../../../core/store/store.ts";
import { groupBy } from "../../../lib/group-by.ts";
import type { AppContext } from "../../base/context.ts";
import { closeOldAlerts } from "./alert-owner.ts";
import { IDLE_LIFE_MS } from "./lifetimes.ts";

const MAX_AT_ONCE = 500;

/** Part of the sweep. Answers how many. */
export async function expireAgents(context: AppContext): Promise<number> {
  const ended = await context.store.transaction(async (tx) => {
    const lapsed = await tx.agents.endLapsed(MAX_AT_ONCE);
    await record(tx, "agent.enrolment_ended", lapsed, "expired");
    const idle = await tx.agents.endIdle(IDLE_LIFE_MS, MAX_AT_ONCE);
    await record(tx, "agent.expired", idle, "idle");
    await closeOldAlerts(tx);
    return lapsed.length + idle.length;
  });
  if (ended > 0) context.log.info("agents ended", { agents: ended, by: SYSTEM.name });
  return ended;
}

/** One entry for each target. */
async function record(
  tx: Repositories,
  action: AuditAction,
  ended: readonly EndedAgent[],
  because: string,
): Promise<void> {
  for (const agents of groupBy(ended, ({ targetId }) => targetId).values()) {
    const [{ targetId, target } = { targetId: "", target: "" }] = agents;
    await tx.audit.append({
      action,
      actor: SYSTEM,
      subject: { kind: "target", id: targetId, name: target },
      details: { because, agents: agents.map(({ id }) => id) },
    });
  }
}
