/**
 * The agent sends back what was sealed to it: it has the encryption key, and is active from now on. The lasting agent
 * that the target had before ends with that, not earlier: an enrolment that is broken off costs nobody their agent.
 *
 * An enrolment ends with its code. Whether it still may be confirmed is judged here, behind the target's lock and by
 * the store's clock: an invitation, a revocation, another confirmation or the end of the code that came first counts.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Actor } from "../../../core/actor.ts";
import { LockstepError } from "../../../core/errors.ts";
import type { AgentRecord, EnrolmentRecord } from "../../../core/store/agents.ts";
import type { Repositories } from "../../../core/store/store.ts";
import type { AppContext } from "../../base/context.ts";
import { transact } from "../../base/transaction.ts";
import { auditDetailsOf, endBegun, keyFingerprint, takeTurn, termsOf } from "../../targets/enrolment-turn.ts";
import { alertReplaced } from "./alert-owner.ts";

/** May be repeated, also after the code's end once it was accepted. Throws ENROLMENT_INVALID, AGENT_REVOKED. */
export async function confirmAgent(
  context: AppContext,
  { id, targetId }: Pick<AgentRecord, "id" | "targetId">,
  challenge: string,
): Promise<void> {
  const confirmed = await transact(context, async (tx, next) => {
    const target = await takeTurn(tx, targetId);
    const agent = await tx.agents.find(id);
    const enrolment = await tx.agents.enrolmentOf(id);
    if (target === null || agent === null || enrolment === null) throw tooLate();
    assertAnswered(agent, challenge);
    next.notifyAgents([targetId]);
    if (agent.state === "active") return true;
    if (agent.state !== "pending") {
      throw new LockstepError("AGENT_REVOKED", "Cannot enroll: this enrolment was ended.");
    }
    if (termsOf(target, enrolment) !== (agent.shortLived ? "short-lived" : "lasting")) throw tooLate();
    if (!agent.shortLived && !(await endOthers(tx, agent, enrolment))) return false;
    // Before anything of this transaction holds: the old agent stays if this came too late.
    if (!(await tx.agents.activate(agent.id))) throw tooLate();
    await tx.audit.append({
      action: "agent.enrolled",
      actor: actorOf(agent),
      subject: { kind: "target", id: agent.targetId, name: agent.target },
      details: {
        agent: agent.id,
        shortLived: agent.shortLived,
        keyFingerprint: keyFingerprint(agent),
        from: agent.enrolledFrom,
      },
    });
    return true;
  });
  if (!confirmed) throw tooLate();
}

/**
 * Whoever else is or was about to be the target's agent ends. False, on record, where there is an agent and nobody said
 * that this code may replace it.
 */
async function endOthers(tx: Repositories, agent: AgentRecord, enrolment: EnrolmentRecord): Promise<boolean> {
  const actor = actorOf(agent);
  const target = { id: agent.targetId, name: agent.target };
  const subject = { kind: "target", ...target };
  const before = (await tx.agents.activeAt([agent.targetId])).filter(({ id }) => id !== agent.id);
  if (before.length > 0 && !enrolment.replaces) {
    await tx.agents.end([agent.id], "revoked");
    await tx.audit.append({
      action: "agent.refused",
      actor,
      subject,
      details: {
        what: "its code does not say that the active agent may be replaced",
        agent: auditDetailsOf(agent),
      },
    });
    return false;
  }
  await endBegun(tx, actor, target, { because: "confirmed", except: agent.id });
  if (before.length === 0) return true;
  const replaced = await tx.agents.end(
    before.map(({ id }) => id),
    "revoked",
  );
  await tx.audit.append({
    action: "agent.revoked",
    actor,
    subject,
    details: { agents: [...replaced], replacedBy: agent.id, invitedBy: enrolment.actor.name },
  });
  await alertReplaced(tx, agent, before, enrolment);
  return true;
}

/** In audit entries and pushes. */
export function actorOf({ id, target }: Pick<AgentRecord, "id" | "target">): Actor {
  return { kind: "agent", id, name: target };
}

export function hashChallenge(challenge: string): string {
  return createHash("sha256").update(challenge).digest("base64url");
}

function assertAnswered({ challengeHash }: AgentRecord, challenge: string): void {
  const expected = Buffer.from(challengeHash ?? hashChallenge(""));
  if (timingSafeEqual(Buffer.from(hashChallenge(challenge)), expected)) return;
  throw new LockstepError("ENROLMENT_INVALID", "Cannot enroll: the answer does not fit the challenge.");
}

function tooLate(): LockstepError {
  return new LockstepError(
    "ENROLMENT_INVALID",
    "Cannot enroll: this enrolment was not confirmed while its code was valid.",
  );
}
