/** What an operator does with agents: invite, list, revoke. */
import { createHash, randomUUID } from "node:crypto";
import type { Actor } from "../../../core/actor.ts";
import { enrolmentAssociatedData } from "../../../core/associated-data.ts";
import { LockstepError } from "../../../core/errors.ts";
import type { AgentRecord, Delivered } from "../../../core/store/agents.ts";
import type { Repositories } from "../../../core/store/store.ts";
import type { TargetRecord } from "../../../core/store/targets.ts";
import { shellCommand } from "../../../lib/shell-quote.ts";
import { visibleLine } from "../../../lib/visible-text.ts";
import {
  deriveEnrolmentKeys,
  formatEnrolmentCode,
  newEnrolmentRandom,
} from "../../../protocol/agent/enrolment-code.ts";
import { thumbprint } from "../../../protocol/agent/keys.ts";
import type { AppContext } from "../../base/context.ts";
import { transact } from "../../base/transaction.ts";
import { openBundleKey } from "../../orders/store-keys.ts";
import { auditDetailsOf, endBegun, hasShortLived, keyFingerprint } from "../../targets/enrolment-turn.ts";
import { resolveOwnerAlerts } from "./alert-owner.ts";
import { CODE_LIFE_MS, MAX_REUSABLE_LIFE_MS } from "./lifetimes.ts";

export interface Invitation {
  readonly environment: string;
  readonly target: string;
  /** For many short-lived identities, until it expires. */
  readonly reusable: boolean;
  /** The target's active agent may be replaced by who enrols with the code. */
  readonly replace?: boolean;
  readonly livesMs: number;
  readonly listener: { readonly url: string; readonly tlsKeyDigest: string | null };
}

export interface Invited {
  /** Shown once; the store keeps neither it nor its random part. */
  readonly code: string;
  readonly expiresAt: Date;
  /** Active, until whoever enrols with the code has confirmed. */
  readonly replaces: readonly AgentRecord[];
  /** Had begun to enrol and not confirmed; ended by this invitation. */
  readonly ended: readonly AgentRecord[];
}

/**
 * For a target's one lasting agent: codes that were not used yet end, and so do enrolments that were begun. Where an
 * agent is active it takes the word that it may be replaced. Throws NOT_FOUND, INPUT_INVALID, AGENT_ACTIVE.
 */
export async function inviteAgent(
  context: AppContext,
  actor: Actor,
  { environment, target: name, reusable, replace = false, livesMs, listener }: Invitation,
): Promise<Invited> {
  const { id: targetId } = await agentTarget(context.store.read, environment, name);
  const longest = reusable ? MAX_REUSABLE_LIFE_MS : CODE_LIFE_MS;
  if (!(livesMs > 0 && livesMs <= longest)) {
    throw new LockstepError("INPUT_INVALID", "Cannot invite: a code lives too long, or not at all.", {
      hint: `A code that serves once lives for at most ${CODE_LIFE_MS / 60_000} minutes, a reusable one for 90 days.`,
    });
  }
  const bundleKeyDigest = thumbprint(await openBundleKey(context));
  const random = newEnrolmentRandom();
  const { lookup, macKey } = deriveEnrolmentKeys(random);
  const id = randomUUID();
  const macKeySealed = await context.sealer.seal(macKey, enrolmentAssociatedData(id));
  const invited = await context.store.transaction(async (tx) => {
    await tx.targets.lock(targetId);
    const target = await agentTarget(tx, environment, name);
    assertServes(target, { reusable, replace });
    const isShortLived = hasShortLived(target);
    const replaces = isShortLived ? [] : await tx.agents.activeAt([targetId]);
    assertMayReplace(target, replaces, replace);
    const ended = isShortLived ? [] : await endBegun(tx, actor, target, { because: "invited" });
    const lookupHash = hashLookup(lookup);
    const code = { id, targetId, lookupHash, macKeySealed, reusable, replaces: replace, actor, livesMs };
    const expiresAt = await tx.agents.invite(code);
    await tx.audit.append({
      action: "agent.invited",
      actor,
      subject: { kind: "target", id: targetId, name },
      details: { enrolment: id, reusable, livesMs, replace, replaces: replaces.map(auditDetailsOf) },
    });
    return { expiresAt, replaces, ended };
  });
  return { code: formatEnrolmentCode({ ...listener, bundleKeyDigest, random }), ...invited };
}

function assertServes(
  target: TargetRecord,
  { reusable, replace }: { readonly reusable: boolean; readonly replace: boolean },
): void {
  const { name } = target;
  if (reusable && !hasShortLived(target)) {
    throw new LockstepError(
      "INPUT_INVALID",
      `Cannot invite: the target "${name}" has one lasting agent, so a code for it serves once.`,
      { hint: `For containers say "agent: { shortLived: true }" at the target, and apply it.` },
    );
  }
  if (replace && hasShortLived(target)) {
    throw new LockstepError(
      "INPUT_INVALID",
      `Cannot invite: the target "${name}" has many short-lived agents, so a code for it replaces none.`,
      { hint: "Leave the word out; `lockstep agent revoke` ends those that there are." },
    );
  }
}

/** Ruling 12: a second enrolment needs a person's word, because it ends the first. */
function assertMayReplace(
  { name, environment }: TargetRecord,
  active: readonly AgentRecord[],
  replace: boolean,
): void {
  const [agent] = active;
  if (agent === undefined || replace) return;
  const { enrolledFrom: from } = agent;
  const command = (word: string, ...more: readonly string[]): string =>
    `\`${shellCommand(["lockstep", "agent", word, name, ...more, "--environment", environment])}\``;
  const machine = visibleLine(String(agent.facts["hostname"] ?? ""));
  throw new LockstepError(
    "AGENT_ACTIVE",
    `Cannot invite: the target "${name}" has an active agent, on "${machine}", key ${keyFingerprint(agent)}.`,
    {
      details: { agents: active.map((one) => one.id), keyFingerprint: keyFingerprint(agent), from },
      hint: `To let another machine take its place: ${command("invite", "--replace")}. To end it now: ${command("revoke")}.`,
    },
  );
}

export function listAgents(
  context: AppContext,
  filter: { readonly environment?: string },
): Promise<readonly AgentRecord[]> {
  return context.store.read.agents.list(filter);
}

export interface Ended {
  readonly id: string;
  /** What it ever received, and may still know. */
  readonly received: readonly Delivered[];
}

/**
 * At once: its next request is refused, its stream ends, and codes for the target that could still be used end. What it
 * was given it knows; the answer lists that. Throws NOT_FOUND when there is no such agent.
 */
export async function revokeAgent(
  context: AppContext,
  actor: Actor,
  options: { readonly environment: string; readonly target: string; readonly agentId?: string },
): Promise<readonly Ended[]> {
  const target = await agentTarget(context.store.read, options.environment, options.target);
  return await transact(context, async (tx, next) => {
    await tx.targets.lock(target.id);
    const agents = (await tx.agents.list({ environment: options.environment })).filter(
      ({ id, targetId, state }) =>
        targetId === target.id &&
        (state === "pending" || state === "active") &&
        (options.agentId === undefined || id === options.agentId),
    );
    const ids = await tx.agents.end(
      agents.map(({ id }) => id),
      "revoked",
    );
    const codes = options.agentId === undefined ? await tx.agents.revokeEnrolments(target.id) : 0;
    const wasTold = options.agentId === undefined && (await resolveOwnerAlerts(tx, actor, target));
    if (ids.length === 0 && codes === 0 && !wasTold) {
      throw new LockstepError("NOT_FOUND", `Cannot revoke: "${target.name}" has no such agent.`, {
        hint: "`lockstep agent list` shows who there is.",
      });
    }
    await tx.audit.append({
      action: "agent.revoked",
      actor,
      subject: { kind: "target", id: target.id, name: target.name },
      details: { agents: [...ids], codes },
    });
    next.notifyAgents([target.id]);
    return Promise.all(ids.map(async (id) => ({ id, received: await tx.agents.deliveries(id) })));
  });
}

/** What the store finds an enrolment by: the lookup itself would let who reads the database guess at requests. */
export function hashLookup(lookup: string): string {
  return createHash("sha256").update(lookup).digest("base64url");
}

async function agentTarget(
  { targets }: Pick<Repositories, "targets">,
  environment: string,
  name: string,
): Promise<TargetRecord> {
  const target = await targets.findByName(environment, name);
  if (target === null) {
    throw new LockstepError("NOT_FOUND", `There is no target "${name}" in "${environment}".`, {
      hint: "Say it in lockstep.yaml with `agent: {}`, and `lockstep apply`.",
    });
  }
  if (target.kind === "agent") return target;
  throw new LockstepError(
    "INPUT_INVALID",
    `The target "${name}" has no agent: it is of the kind ${target.kind}.`,
    {
      hint: "Say `agent: {}` at a target in lockstep.yaml, and `lockstep apply`.",
    },
  );
}
