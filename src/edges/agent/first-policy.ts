/** A first policy for a host that has none: what its target needs, looked up at the server, for its owner to read. */
import { randomBytes } from "node:crypto";
import { openBundle } from "./apply/open-bundle.ts";
import type { AgentContext } from "./context.ts";
import { currentUid } from "./open-agent.ts";
import { requestOf } from "./policy/check-policy.ts";
import { draftPolicy } from "./policy/explain-policy.ts";
import { loadPolicy } from "./policy/load-policy.ts";

/** Null: there is one already, or the server does not say yet what is needed. Nothing is applied. */
export async function draftFirstPolicy(
  { identity, client, facts }: AgentContext,
  policyPath: string,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    if ((await loadPolicy(policyPath, currentUid())).text !== null) return null;
    const nonce = randomBytes(16).toString("base64url");
    const sealed = await client.bundle({ v: 1, nonce, have: null, accepted: null, facts }, signal);
    const answer = await openBundle(sealed, { identity, nonce, accepted: null });
    return answer.kind === "bundle" ? draftPolicy(requestOf(answer)) : null;
  } catch {
    // The identity is there, which is what counts; `agent policy` shows what is refused once the agent runs.
    return null;
  }
}
