/**
 * What everybody rests on who changes who a target's agent is: one at a time for each target, and whatever was begun
 * before ends with it. A code and an enrolment that was begun with it are worth nothing once something newer was said.
 */
import type { Actor } from "../../core/actor.ts";
import type { AgentRecord, EnrolmentRecord } from "../../core/store/agents.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import type { PublicJwk } from "../../protocol/agent/envelope.ts";
import { thumbprint } from "../../protocol/agent/keys.ts";
import { agentConfigOf } from "./agent-config.ts";

/** Read once the turn was waited for: what was known before may not hold any more. Null: the target is gone. */
export async function takeTurn(tx: Repositories, targetId: string): Promise<TargetRecord | null> {
  await tx.targets.lock(targetId);
  return tx.targets.findById(targetId);
}

/** Its target has many agents, of containers, instead of one that lasts. */
export function hasShortLived(target: Pick<TargetRecord, "config">): boolean {
  return agentConfigOf(target).shortLived === true;
}

/** Whether what enrols with this code is short-lived. Null: the target is not any more what the code was made for. */
export function termsOf(
  target: TargetRecord,
  { reusable }: EnrolmentRecord,
): "short-lived" | "lasting" | null {
  if (target.kind !== "agent") return null;
  if (hasShortLived(target)) return "short-lived";
  return reusable ? null : "lasting";
}

/** By which people tell two machines apart: the signing key's JWK thumbprint, as the machine itself shows it. */
export function keyFingerprint({ signKey }: Pick<AgentRecord, "signKey">): string {
  return thumbprint(signKey as unknown as PublicJwk);
}

/** Why an enrolment that was begun can be confirmed no more. */
export type EndedBecause = "invited" | "confirmed" | "contested" | "changed";

/** Whoever has not confirmed, and codes that nobody has used, end. Answers who had begun. Needs the turn. */
export async function endBegun(
  tx: Repositories,
  actor: Actor,
  target: Pick<TargetRecord, "id" | "name">,
  { because, except }: { readonly because: EndedBecause; readonly except?: string },
): Promise<readonly AgentRecord[]> {
  const pending = (await tx.agents.pendingAt(target.id)).filter(({ id }) => id !== except);
  await end(tx, actor, target, pending, because);
  await tx.agents.revokeEnrolments(target.id);
  return pending;
}

/** Of one enrolment that was begun. Needs the turn. */
export async function endOne(
  tx: Repositories,
  actor: Actor,
  agent: AgentRecord,
  because: EndedBecause,
): Promise<void> {
  await end(tx, actor, { id: agent.targetId, name: agent.target }, [agent], because);
}

async function end(
  tx: Repositories,
  actor: Actor,
  target: Pick<TargetRecord, "id" | "name">,
  pending: readonly AgentRecord[],
  because: EndedBecause,
): Promise<void> {
  if (pending.length === 0) return;
  await tx.agents.end(
    pending.map(({ id }) => id),
    "revoked",
  );
  await tx.audit.append({
    action: "agent.enrolment_ended",
    actor,
    subject: { kind: "target", id: target.id, name: target.name },
    details: { because, agents: pending.map(auditDetailsOf) },
  });
}

/** Everything: the target goes, or nobody's agent speaks for it any more. */
export async function endAgents(
  tx: Repositories,
  actor: Actor,
  target: Pick<TargetRecord, "id" | "name">,
): Promise<void> {
  await tx.targets.lock(target.id);
  await endBegun(tx, actor, target, { because: "changed" });
  const active = await tx.agents.activeAt([target.id]);
  if (active.length === 0) return;
  const agents = await tx.agents.end(
    active.map(({ id }) => id),
    "revoked",
  );
  await tx.audit.append({
    action: "agent.revoked",
    actor,
    subject: { kind: "target", id: target.id, name: target.name },
    details: { agents: [...agents], because: "changed" },
  });
}

/** For the record. */
export function auditDetailsOf(agent: Pick<AgentRecord, "id" | "signKey" | "enrolledFrom">) {
  return { id: agent.id, keyFingerprint: keyFingerprint(agent), from: agent.enrolledFrom };
}
