/**
 * Turns a signed request into the agent that made it. One answer for every kind of wrong token, but for two that the
 * agent's owner can do something about, and that only the holder of its key gets to see: a wrong clock and an ended
 * identity.
 */
import { LockstepError } from "../../core/errors.ts";
import type { AgentRecord } from "../../core/store/agents.ts";
import type { PublicJwk } from "../../protocol/agent/envelope.ts";
import { AGENT_PATHS } from "../../protocol/agent/paths.ts";
import {
  CLOCK_TOLERANCE_SECONDS,
  claimedAgentId,
  verifyRequest,
} from "../../protocol/agent/request-token.ts";
import type { AppContext } from "../base/context.ts";
import { IDLE_LIFE_MS } from "./enrolment/lifetimes.ts";

export interface AgentRequest {
  readonly token: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** sha256 of the body as it came, base64url. */
  readonly bodyDigest: string;
  /** Asked about who is known to have signed, before anything is written. May throw. */
  readonly admit?: (agentId: string) => void;
}

/** Throws UNAUTHENTICATED, AGENT_CLOCK, AGENT_REVOKED, REQUEST_REPLAYED, and what `admit` throws. */
export async function authenticateAgent(
  context: AppContext,
  { token, method, path, bodyDigest, admit }: AgentRequest,
): Promise<AgentRecord> {
  const id = claimedAgentId(token);
  const agent = id === null ? null : await context.store.read.agents.find(id);
  if (agent === null) throw refused();
  const nowSeconds = Math.floor(context.clock.now().getTime() / 1_000);
  const verified = await verifyRequest(token, agent.signKey as unknown as PublicJwk, nowSeconds);
  if (!verified.ok && verified.why === "clock") {
    const { aheadSeconds } = verified;
    // Rightly signed: doctor names it, because nothing else is heard of this agent.
    await context.store.transaction((tx) => tx.agents.refusedForClock(agent.id, aheadSeconds));
    throw wrongClock(aheadSeconds);
  }
  if (!verified.ok) throw refused();
  const { request, expiresAtSeconds } = verified;
  const isThisOne =
    request.storeId === context.storeId &&
    request.method === method &&
    request.path === path &&
    request.bodyDigest === bodyDigest;
  if (!isThisOne) throw refused();
  assertAlive(context, agent, path);
  admit?.(agent.id);
  // Beyond its expiry by what clocks may differ, or an id would be forgotten while its request could still be taken.
  const keepUntil = new Date((expiresAtSeconds + CLOCK_TOLERANCE_SECONDS + 60) * 1_000);
  const isNew = await context.store.transaction(async (tx) => {
    const fresh = await tx.agents.rememberRequest(request.tokenId, keepUntil);
    if (fresh && agent.state === "active") await tx.agents.touch(agent.id, null);
    return fresh;
  });
  if (!isNew) {
    throw new LockstepError("REQUEST_REPLAYED", "Cannot answer: this very request was answered before.");
  }
  return agent;
}

/** An identity that has not confirmed may do that and nothing else. */
function assertAlive(context: AppContext, agent: AgentRecord, path: string): void {
  if (agent.state === "pending") {
    if (path === AGENT_PATHS.confirm) return;
    throw refused();
  }
  const seenAt = (agent.lastSeenAt ?? agent.createdAt).getTime();
  const isIdle = agent.shortLived && context.clock.now().getTime() - seenAt > IDLE_LIFE_MS;
  if (agent.state === "active" && !isIdle) return;
  throw new LockstepError(
    "AGENT_REVOKED",
    agent.state === "revoked"
      ? "Cannot answer: this agent was revoked, or another one enrolled for its target."
      : "Cannot answer: this short-lived identity was not used for too long and has ended.",
  );
}

function wrongClock(aheadSeconds: number): LockstepError {
  const seconds = Math.round(Math.abs(aheadSeconds));
  const side = aheadSeconds > 0 ? "ahead" : "behind";
  return new LockstepError("AGENT_CLOCK", `Cannot answer: the agent's clock is ${seconds} s ${side}.`, {
    details: { aheadSeconds: Math.round(aheadSeconds) },
  });
}

function refused(): LockstepError {
  return new LockstepError("UNAUTHENTICATED", "Cannot answer: the request carries no valid signature.");
}
