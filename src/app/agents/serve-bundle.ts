import { LockstepError } from "../../core/errors.ts";
import type { AgentRecord } from "../../core/ports/store/agents.ts";
import type { BundleRequest } from "../../protocol/agent/messages.ts";
import type { AppContext } from "../context.ts";

export async function serveBundle(
  _context: AppContext,
  _agent: AgentRecord,
  _request: BundleRequest,
): Promise<{ readonly sealed: string }> {
  throw new LockstepError("UNSUPPORTED", "Cannot answer: this server gives no bundles yet.");
}
