/**
 * Starts the move of a secret to a version: which strategy, what becomes of a rollout that is still open, the first
 * phase. Within the caller's transaction.
 */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import { invariant } from "../../core/invariant.ts";
import {
  type Choice,
  chooseStrategy,
  type Move,
  whyNotPossible,
} from "../../core/rollout/choose-strategy.ts";
import { newRolloutOptions, type RolloutOptions } from "../../core/rollout/options.ts";
import { sameSlots, slotsOf } from "../../core/rollout/slots.ts";
import {
  ENGINE_VERSION,
  firstPhase,
  isPastTurn,
  isTurningPoint,
  type Strategy,
} from "../../core/rollout/strategy.ts";
import type { RolloutRecord } from "../../core/store/rollouts.ts";
import type { SecretRecord, VersionRecord } from "../../core/store/secrets.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { AppContext } from "../base/context.ts";
import type { Next } from "../base/follow-ups.ts";
import { assertNotNewer } from "../desired/newer-rollout.ts";
import { kindOf } from "../targets/open-target.ts";
import { advanceLocked } from "./advance-rollout.ts";
import { promote } from "./apply-action.ts";
import { viewOf } from "./load-members.ts";

export interface HowToMove {
  /** A word for this time; otherwise the policy's; otherwise what the bindings allow. */
  readonly strategy?: Strategy;
  /** Wait for nobody's silence. */
  readonly urgent?: boolean;
}

/** Why a new version comes. */
export interface Wish {
  /** Somebody or the schedule wants a new value, whichever that is. */
  readonly rotates?: boolean;
}

/** Throws STRATEGY_IMPOSSIBLE with every reason when the named strategy is not possible. */
export async function chooseHow(
  context: AppContext,
  tx: Repositories,
  secret: SecretRecord,
  from: VersionRecord | null,
  how: HowToMove,
): Promise<Choice> {
  const move = await moveOf(context, tx, secret, from);
  const named = how.strategy ?? secret.policy.rotate.strategy;
  // The first version and a compromised one cannot be anything else, whatever the policy says for every day.
  if (named === null || (how.strategy === undefined && (from === null || move.fromCompromised)))
    return chooseStrategy(move);
  const reasons = whyNotPossible(named, move);
  if (reasons.length === 0) return { strategy: named, because: [] };
  throw new LockstepError(
    "STRATEGY_IMPOSSIBLE",
    `Cannot move "${secret.name}" with "${named}": ${reasons.join("; ")}.`,
    {
      details: { reasons: [...reasons] },
      hint: "Fix what is named, or use --strategy replace and accept a short time in which places differ.",
    },
  );
}

async function moveOf(
  context: AppContext,
  tx: Repositories,
  { id, policy }: SecretRecord,
  from: VersionRecord | null,
): Promise<Move> {
  const rows = await tx.rollouts.candidates(id);
  return {
    isIssued: policy.issue !== null,
    fromVersion: from?.version ?? null,
    fromCompromised: from !== null && from.compromisedAt !== null,
    candidates: rows.map(({ target, key, role, optional, targetKind, targetConfig, options }) => {
      const { acceptanceBy, useAttested, triesBoth } = options;
      const { maxEvidence } = kindOf(context, targetKind).capabilities(targetConfig);
      return { target, key, role, optional, maxEvidence, acceptanceBy, useAttested, triesBoth };
    }),
  };
}

/** Answers the rollout's id. */
export async function startRollout(
  context: AppContext,
  tx: Repositories,
  next: Next,
  actor: Actor,
  start: {
    readonly secret: SecretRecord;
    readonly fromVersion: number | null;
    readonly toVersion: number;
    readonly strategy: Strategy;
    readonly urgent?: boolean;
    readonly rotates?: boolean;
    /** Of a rollback: which one it undoes, and where it enters. */
    readonly rollbackOf?: RolloutRecord;
    readonly phase?: string;
  },
): Promise<string> {
  const { secret, fromVersion, toVersion, strategy, rollbackOf } = start;
  const rolloutId = await tx.rollouts.start({
    secretId: secret.id,
    fromVersion,
    toVersion,
    strategy,
    phase: start.phase ?? firstPhase(strategy),
    engineVersion: ENGINE_VERSION,
    options: {
      ...(rollbackOf?.options ??
        endingWith(await lifeLeftMs(context, tx, start), newRolloutOptions(secret.policy.rotate))),
      rotates: start.rotates === true,
    },
    actor,
    ...(start.urgent === undefined ? {} : { urgent: start.urgent }),
    ...(rollbackOf === undefined ? {} : { rollbackOf: rollbackOf.id }),
  });
  await tx.audit.append({
    action: rollbackOf === undefined ? "rollout.started" : "rollout.rolled_back",
    actor,
    subject: { kind: "secret", id: secret.id, name: secret.name },
    details: {
      rollout: rolloutId,
      from: fromVersion,
      to: toVersion,
      strategy,
      ...(rollbackOf === undefined ? {} : { rollbackOf: rollbackOf.id }),
    },
  });
  const rollout = await tx.rollouts.lock(rolloutId);
  invariant(rollout !== null, "a rollout that was just started is there");
  // Where callers move in the first phase already, nothing leads into it that would make the new version current.
  if (isTurningPoint(strategy, rollout.phase)) await promote(tx, rollout);
  const first = rollout.phase === "prepare" ? [] : await unsettledTargets(tx, rollout);
  await tx.targets.bumpGenerations(first, actor);
  next.reconcile(first);
  await advanceLocked(context, tx, next, rollout);
  return rolloutId;
}

/** An issued token that has ended is accepted by nobody: waiting for its last user longer than that waits for nothing. */
async function lifeLeftMs(
  { clock }: AppContext,
  tx: Repositories,
  {
    secret,
    fromVersion,
    strategy,
  }: { readonly secret: SecretRecord; readonly fromVersion: number | null; readonly strategy: Strategy },
): Promise<number> {
  if (strategy !== "issued") return Number.POSITIVE_INFINITY;
  const from = (await tx.secrets.versions(secret.id)).find(({ version }) => version === fromVersion);
  return from?.expiresAt == null
    ? Number.POSITIVE_INFINITY
    : Math.max(0, from.expiresAt.getTime() - clock.now().getTime());
}

function endingWith(leftMs: number, options: RolloutOptions): RolloutOptions {
  return {
    ...options,
    settleForMs: Math.min(options.settleForMs, leftMs),
    quietForMs: Math.min(options.quietForMs, leftMs),
  };
}

/** Where the first phase wants something else than what stands there; the others are not touched. */
async function unsettledTargets(tx: Repositories, rollout: RolloutRecord): Promise<readonly string[]> {
  const unsettled = (await tx.rollouts.members(rollout.id)).filter(({ role, settled }) => {
    const wanted = slotsOf({ role, settled }, rollout.toVersion, viewOf(rollout));
    return !sameSlots(wanted, { primary: settled.primary ?? null, fallback: settled.fallback ?? null });
  });
  return [...new Set(unsettled.map(({ targetId }) => targetId))].sort();
}

/**
 * Before callers move, a newer version takes the place of the one on its way. Afterwards two versions are in use already:
 * throws ROLLOUT_OPEN, unless everything shall be replaced at once.
 */
export async function supersede(
  tx: Repositories,
  actor: Actor,
  secret: SecretRecord,
  strategy: Strategy,
): Promise<void> {
  const open = await tx.rollouts.openOf(secret.id);
  if (open === null) return;
  const locked = await tx.rollouts.lock(open.id);
  if (locked === null || (locked.state !== "running" && locked.state !== "stalled")) return;
  assertNotNewer(locked, `move "${secret.name}"`);
  // An issuer accepts every token that it has given until that ends, however many there are.
  const isIssued = strategy === "issued" && locked.strategy === "issued";
  if (strategy !== "replace" && !isIssued && (await areTwoInUse(tx, locked))) {
    throw new LockstepError(
      "ROLLOUT_OPEN",
      `Cannot move "${secret.name}" yet: callers use v${locked.toVersion} and may still use v${String(locked.fromVersion)} (${locked.phase}).`,
      {
        details: { rollout: locked.id },
        hint: `Follow it with \`lockstep rollout show ${locked.id}\` until it has finished, hurry it with \`lockstep rotate ${secret.name} --urgent\`, or \`lockstep rollout rollback ${locked.id}\`.`,
      },
    );
  }
  await abandon(tx, actor, locked, "superseded by a newer version");
  const versions = await tx.secrets.versions(secret.id);
  if (versions.some(({ version, state }) => version === locked.toVersion && state === "staged"))
    await tx.secrets.moveVersion(secret.id, locked.toVersion, "abandoned");
}

/**
 * In addition to the old version, somebody may use the one that it moves to, in order. The version itself tells, not only the phase:
 * a rollout that goes back moves to a version that was in use before it began.
 */
export async function areTwoInUse(tx: Repositories, rollout: RolloutRecord): Promise<boolean> {
  if (rollout.strategy === "replace") return false;
  if (isPastTurn(rollout.strategy, rollout.phase)) return true;
  const versions = await tx.secrets.versions(rollout.secretId);
  return versions.find(({ version }) => version === rollout.toVersion)?.state !== "staged";
}

export async function abandon(
  tx: Repositories,
  actor: Actor,
  rollout: RolloutRecord,
  reason: string,
): Promise<void> {
  await tx.rollouts.setState(rollout.id, "abandoned", reason);
  await tx.audit.append({
    action: "rollout.failed",
    actor,
    subject: { kind: "secret", id: rollout.secretId, name: rollout.secretName },
    details: { rollout: rollout.id, reason },
  });
}
