import { LockstepError } from "../../core/errors.ts";
import type { AgentRecord } from "../../core/ports/store/agents.ts";
import type { Report } from "../../protocol/agent/messages.ts";
import type { AppContext } from "../context.ts";

export async function recordReport(
  _context: AppContext,
  _agent: AgentRecord,
  _report: Report,
): Promise<void> {
  throw new LockstepError("UNSUPPORTED", "Cannot answer: this server takes no reports yet.");
}
