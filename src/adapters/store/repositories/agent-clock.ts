/** What is known of agents' clocks: by how much one is off whose requests are refused for it. */
import { type Kysely, sql } from "kysely";
import type { AgentClockRepo } from "../../../core/store/agents.ts";
import type { Database } from "../schema/schema.ts";

/** A refused agent asks again and again. */
const WRITE_SECONDS = 10;

/** Of agent `a`. What was heard since shows that the clock is right again. */
export const CLOCK_AHEAD = sql`case when a.clock_refused_at > coalesce(a.last_seen_at, '-infinity')
  then a.clock_ahead_seconds end`;

export function createAgentClockRepo(db: Kysely<Database>): AgentClockRepo {
  return {
    async refusedForClock(agentId, aheadSeconds) {
      // An integer's range: a clock may say anything.
      const seconds = Math.max(-2e9, Math.min(2e9, Math.round(aheadSeconds)));
      await sql`
        update agent set clock_ahead_seconds = ${seconds}, clock_refused_at = clock_timestamp()
        where id = ${agentId} and state = 'active' and (clock_refused_at is null
          or clock_refused_at < clock_timestamp() - ${WRITE_SECONDS} * interval '1 second')`.execute(db);
    },
  };
}
