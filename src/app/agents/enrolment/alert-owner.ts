/**
 * What a target's owner must hear without asking: somebody else is its agent now, or other keys have shown its code.
 * Concerned in the transaction in which it happens. Unlike a finding of doctor's it does not pass by itself: whoever revokes
 * the agent has heard, and what is old is closed without a word.
 */
import { type Actor, SYSTEM } from "../../../core/actor.ts";
import type { AgentRecord, EnrolmentRecord } from "../../../core/store/agents.ts";
import type { Repositories } from "../../../core/store/store.ts";
import { shellCommand } from "../../../lib/shell-quote.ts";
import { visibleLine } from "../../../lib/visible-text.ts";
import { raiseAlert, resolveAlert } from "../../base/raise-alert.ts";
import { keyFingerprint } from "../../targets/enrolment-turn.ts";

export const REPLACED = "agent-replaced";
export const CONTESTED = "enrolment-contested";
const KINDS = [REPLACED, CONTESTED] as const;

const LEVEL = "wrong";
const CLOSED_AFTER_MS = 7 * 86_400_000;
const MAX_HOSTNAME = 80;

type Concerned = Pick<
  AgentRecord,
  "target" | "targetId" | "environment" | "signKey" | "facts" | "enrolledFrom" | "createdAt"
>;

export async function alertReplaced(
  tx: Repositories,
  agent: Concerned,
  before: readonly Concerned[],
  { actor, createdAt }: EnrolmentRecord,
): Promise<void> {
  const ended = before.map(machineText).join("; ");
  await raiseAlert(tx, subjectOf(agent), {
    kind: REPLACED,
    level: LEVEL,
    message:
      `${agent.target} (${agent.environment}) has another agent now: ${machineText(agent)}. ` +
      `It was invited by ${visibleLine(actor.name)} at ${createdAt.toISOString()}. Revoked with that: ${ended}.`,
    remedy: remedyOf(agent),
  });
}

/** `first`: who came by the code before. */
export async function alertContested(
  tx: Repositories,
  first: AgentRecord,
  other: { readonly keyFingerprint: string; readonly from: string | null },
): Promise<void> {
  const outcome =
    first.state === "active"
      ? "It is the active agent: if it is not your machine, revoke it."
      : "Neither became the agent by it.";
  await raiseAlert(tx, subjectOf(first), {
    kind: CONTESTED,
    level: LEVEL,
    message:
      `A code for the agent of ${first.target} (${first.environment}) was shown by two: first by ` +
      `${machineText(first)}; then with the key ${other.keyFingerprint}, ${fromText(other.from)}. ` +
      `Somebody else may have seen it. ${outcome}`,
    remedy: remedyOf(first),
  });
}

/** A person has ended the target's agents. False: nothing was told that is open. */
export async function resolveOwnerAlerts(
  tx: Repositories,
  actor: Actor,
  { id, name }: { readonly id: string; readonly name: string },
): Promise<boolean> {
  let any = false;
  for (const kind of KINDS) any = (await resolveAlert(tx, actor, { kind: "target", id, name }, kind)) || any;
  return any;
}

/** Part of the sweep. */
export async function closeOldAlerts(tx: Repositories): Promise<void> {
  for (const { kind, subjectId: id } of await tx.alerts.close(KINDS, CLOSED_AFTER_MS)) {
    await tx.audit.append({
      action: "alert.resolved",
      actor: SYSTEM,
      subject: { kind: "target", id, name: kind },
      details: { alert: kind, because: "old" },
    });
  }
}

function subjectOf({ targetId: id, target: name }: Concerned) {
  return { kind: "target", id, name } as const;
}

/** What a machine says of itself is believed by nobody: its key is what a person compares. */
function machineText(agent: Concerned): string {
  const hostname = visibleLine(String(agent.facts["hostname"] ?? "")).slice(0, MAX_HOSTNAME);
  return `a machine that calls itself "${hostname}", key ${keyFingerprint(agent)}, ${fromText(agent.enrolledFrom)}, begun ${agent.createdAt.toISOString()}`;
}

function fromText(from: string | null): string {
  return from === null ? "from an unknown address" : `from ${from}`;
}

function remedyOf({ target, environment }: Concerned): string {
  const revoke = shellCommand(["lockstep", "agent", "revoke", target, "--environment", environment]);
  return `If that was not you: ${revoke}`;
}
