/**
 * Whoever asks for a new value while one is on its way to the places asks for what is being done: he joins that rollout. Once
 * every place has the value, or when something else is asked for, it is another wish.
 */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { RolloutRecord } from "../../core/store/rollouts.ts";
import type { SecretRecord } from "../../core/store/secrets.ts";
import type { Repositories } from "../../core/store/store.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import type { AppContext } from "../base/context.ts";
import { chooseHow, type HowToMove } from "../rollouts/start-rollout.ts";

/** From here on every place has the new value. */
const ARRIVED: ReadonlySet<string> = new Set(["settle", "retire"]);

/**
 * With the secret's row locked where a new version follows. Null: there is nothing to join, and a new version may take its course. Throws ROLLOUT_OPEN
 * when a rotation is under way in another way than is asked for, STRATEGY_IMPOSSIBLE.
 */
export async function joinRotation(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  secret: SecretRecord,
  request: HowToMove,
): Promise<RolloutRecord | null> {
  const open = await tx.rollouts.openOf(secret.id);
  if (open === null || !open.options.rotates || ARRIVED.has(open.phase)) return null;
  const versions = await tx.secrets.versions(secret.id);
  // A value that somebody else knows is no answer to who wants a new one.
  if (versions.some(({ version, compromisedAt }) => version === open.toVersion && compromisedAt !== null))
    return null;
  const current = versions.find(({ state }) => state === "current") ?? null;
  const { strategy } = await chooseHow(context, tx, secret, current, request);
  if (strategy !== open.strategy) {
    // What must be replaced at once, or shall be, waits for nobody.
    if (request.strategy === undefined || strategy === "replace") return null;
    throw underWay(secret, open, strategy);
  }
  if (request.urgent === true && !open.urgent) await hurry(tx, actor, secret, open);
  return open;
}

/** The open rollout goes on without waiting for silence. */
export async function hurry(
  tx: Repositories,
  actor: Actor,
  { id, name }: SecretRecord,
  open: RolloutRecord,
): Promise<void> {
  await tx.rollouts.setUrgent(open.id);
  await tx.rollouts.lookAgain(open.id, 0);
  await tx.audit.append({
    action: "rollout.resumed",
    actor,
    subject: { kind: "secret", id, name },
    details: { rollout: open.id, urgent: true },
  });
}

function underWay(
  { name }: SecretRecord,
  { id, fromVersion, toVersion, strategy, phase }: RolloutRecord,
  asked: string,
): LockstepError {
  return new LockstepError(
    "ROLLOUT_OPEN",
    `Cannot rotate "${name}" with "${asked}": rollout ${id} is rotating it with "${strategy}" (v${String(fromVersion)} → v${toVersion}, ${phase}).`,
    {
      details: { rollout: id },
      hint: `Follow it with \`${shellCommand(["lockstep", "rollout", "show", id])}\`, join it with \`${shellCommand(["lockstep", "rotate", name, "--wait"])}\`, or go back with \`${shellCommand(["lockstep", "rollout", "rollback", id])}\` first.`,
    },
  );
}
