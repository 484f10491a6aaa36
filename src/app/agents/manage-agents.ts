/** What an operator does with agents: invite, list, revoke. */
import { createHash, randomUUID } from "node:crypto";
import type { Actor } from "../../core/actor.ts";
import { enrolmentAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import type { AgentRecord, Delivered } from "../../core/ports/store/agents.ts";
import type { TargetRecord } from "../../core/ports/store/targets.ts";
import {
  deriveEnrolmentKeys,
  formatEnrolmentCode,
  newEnrolmentRandom,
} from "../../protocol/agent/enrolment-code.ts";
import { thumbprint } from "../../protocol/agent/keys.ts";
import type { AppContext } from "../context.ts";
import { CODE_LIFE_MS, MAX_REUSABLE_LIFE_MS } from "./agent-life.ts";
import { openBundleKey } from "./store-keys.ts";

export interface Invitation {
  readonly environment: string;
  readonly target: string;
  /** For many short-lived identities, until it expires. */
  readonly reusable: boolean;
  readonly livesMs: number;
  readonly listener: { readonly url: string; readonly tlsKeyDigest: string | null };
}

export interface Invited {
  /** Shown once; the store keeps neither it nor its random part. */
  readonly code: string;
  readonly expiresAt: Date;
}

/** Throws NOT_FOUND, INPUT_INVALID. Codes for the target's one lasting agent that were not used yet end. */
export async function inviteAgent(
  context: AppContext,
  actor: Actor,
  { environment, target: name, reusable, livesMs, listener }: Invitation,
): Promise<Invited> {
  const target = await agentTarget(context, environment, name);
  const isShortLived = target.config["shortLived"] === true;
  if (reusable && !isShortLived) {
    throw new LockstepError(
      "INPUT_INVALID",
      `Cannot invite: the target "${name}" has one lasting agent, so a code for it serves once.`,
      { hint: `For containers say "agent: { shortLived: true }" at the target, and apply it.` },
    );
  }
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
  await context.store.transaction(async (tx) => {
    if (!isShortLived) await tx.agents.revokeEnrolments(target.id);
    await tx.agents.invite({
      id,
      targetId: target.id,
      lookupHash: hashLookup(lookup),
      macKeySealed,
      reusable,
      actor,
      livesMs,
    });
    await tx.audit.append({
      action: "agent.invited",
      actor,
      subject: { kind: "target", id: target.id, name },
      details: { enrolment: id, reusable, livesMs },
    });
  });
  return {
    code: formatEnrolmentCode({ ...listener, bundleKeyDigest, random }),
    expiresAt: new Date(context.clock.now().getTime() + livesMs),
  };
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
  const target = await agentTarget(context, options.environment, options.target);
  const ended = await context.store.transaction(async (tx) => {
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
    if (ids.length === 0 && codes === 0) {
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
    return Promise.all(ids.map(async (id) => ({ id, received: await tx.agents.deliveries(id) })));
  });
  context.hints.tell([target.id]);
  return ended;
}

/** What the store finds an enrolment by: the lookup itself would let who reads the database guess at requests. */
export function hashLookup(lookup: string): string {
  return createHash("sha256").update(lookup).digest("base64url");
}

async function agentTarget(context: AppContext, environment: string, name: string): Promise<TargetRecord> {
  const target = await context.store.read.targets.findByName(environment, name);
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
