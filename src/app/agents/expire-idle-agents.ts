/** Short-lived identities of containers that are gone end by themselves. */
import { SYSTEM } from "../../core/actor.ts";
import type { AppContext } from "../context.ts";
import { IDLE_LIFE_MS } from "./agent-life.ts";

const MAX_AT_ONCE = 500;

/** Part of the sweep. Answers how many. */
export async function expireIdleAgents(context: AppContext): Promise<number> {
  const idle = await context.store.read.agents.idleSince(IDLE_LIFE_MS, MAX_AT_ONCE);
  if (idle.length === 0) return 0;
  const ended = await context.store.transaction((tx) => tx.agents.end(idle, "expired"));
  if (ended.length > 0)
    context.log.info("short-lived agents ended", { agents: ended.length, by: SYSTEM.name });
  return ended.length;
}
