/**
 * The agent sends back what was sealed to it: it has the encryption key, and is active from now on. The lasting agent
 * that the target had before ends with that, not earlier: an enrolment that is broken off costs nobody their agent.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { AgentRecord } from "../../core/ports/store/agents.ts";
import type { AppContext } from "../context.ts";

/** May be repeated. Throws ENROLMENT_INVALID. */
export async function confirmAgent(
  context: AppContext,
  agent: AgentRecord,
  challenge: string,
): Promise<void> {
  const expected = Buffer.from(agent.challengeHash ?? hashChallenge(""));
  if (!timingSafeEqual(Buffer.from(hashChallenge(challenge)), expected)) {
    throw new LockstepError("ENROLMENT_INVALID", "Cannot enroll: the answer does not fit the challenge.");
  }
  if (agent.state === "active") return;
  await context.store.transaction(async (tx) => {
    const isLasting = !agent.shortLived;
    const before = isLasting
      ? (await tx.agents.activeAt([agent.targetId])).filter(
          ({ id, shortLived }) => id !== agent.id && !shortLived,
        )
      : [];
    const replaced = await tx.agents.end(
      before.map(({ id }) => id),
      "revoked",
    );
    await tx.agents.activate(agent.id);
    const subject = { kind: "target", id: agent.targetId, name: agent.target };
    if (replaced.length > 0) {
      await tx.audit.append({
        action: "agent.revoked",
        actor: actorOf(agent),
        subject,
        details: { agents: [...replaced], replacedBy: agent.id },
      });
    }
    await tx.audit.append({
      action: "agent.enrolled",
      actor: actorOf(agent),
      subject,
      details: { agent: agent.id, shortLived: agent.shortLived },
    });
  });
  context.hints.tell([agent.targetId]);
}

/** In audit entries and pushes. */
export function actorOf({ id, target }: Pick<AgentRecord, "id" | "target">): Actor {
  return { kind: "agent", id, name: target };
}

export function hashChallenge(challenge: string): string {
  return createHash("sha256").update(challenge).digest("base64url");
}
