/** A person takes one place out of a rollout's gates, with a reason, on record: it may refuse or be refused afterwards. */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { AppContext } from "../base/context.ts";
import { transact } from "../base/transaction.ts";
import { assertNotNewer } from "../desired/newer-rollout.ts";
import { advanceLocked } from "./advance-rollout.ts";
import { ended } from "./ended-rollout.ts";

export interface Forced {
  readonly target: string;
  /** Needed where the secret stands at the target under several keys. */
  readonly key?: string;
  readonly reason: string;
}

/** Throws NOT_FOUND, VERSION_STATE for a rollout that has ended, INPUT_INVALID when several bindings are meant. */
export async function forceMember(
  context: AppContext,
  actor: Actor,
  rolloutId: string,
  { target, key, reason }: Forced,
): Promise<void> {
  await transact(context, async (tx, next) => {
    const rollout = await tx.rollouts.lock(rolloutId);
    if (rollout === null)
      throw new LockstepError("NOT_FOUND", `Cannot force: there is no rollout ${rolloutId}.`);
    assertNotNewer(rollout, `force "${target}"`);
    // It came to its end without that: nothing is held up any more.
    if (rollout.state === "done") return;
    if (rollout.state !== "running" && rollout.state !== "stalled") throw await ended(tx, rollout, "force");
    const meant = (await tx.rollouts.members(rolloutId)).filter(
      (row) => row.target === target && (key === undefined || row.key === key),
    );
    const [member] = meant;
    if (member === undefined) {
      throw new LockstepError(
        "NOT_FOUND",
        `Cannot force: rollout ${rolloutId} has no member at "${target}".`,
        {
          hint: `\`lockstep rollout show ${rolloutId}\` lists its members.`,
        },
      );
    }
    if (meant.length > 1)
      throw new LockstepError(
        "INPUT_INVALID",
        `Cannot force: "${target}" has several keys in it; name one.`,
        {
          hint: `Add --key: ${meant.map((row) => row.key).join(", ")}.`,
        },
      );
    const { options } = rollout;
    const forced = { ...options.forced, [member.bindingId]: reason };
    await tx.rollouts.setOptions(rolloutId, { ...options, forced });
    await tx.audit.append({
      action: "rollout.forced",
      actor,
      subject: { kind: "secret", id: rollout.secretId, name: rollout.secretName },
      details: { rollout: rolloutId, target, key: member.key, phase: rollout.phase, reason },
    });
    const again = await tx.rollouts.lock(rolloutId);
    if (again !== null) await advanceLocked(context, tx, next, again);
  });
}
