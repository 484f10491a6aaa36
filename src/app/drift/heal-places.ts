/**
 * `lockstep heal`: the targets get a new generation, so that the loop looks and writes what should stand there, over a
 * drifted key that is ours; restarts that were given up, or did not last, are tried again. Nothing else is decided here: a key that was
 * never ours stays, whoever asks.
 */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { BindingRow } from "../../core/store/views.ts";
import { groupBy } from "../../lib/group-by.ts";
import type { HealAnswer } from "../../protocol/api-doctor.ts";
import type { AppContext } from "../base/context.ts";
import { transact } from "../base/transaction.ts";
import { bindingStatus } from "../status/binding-status.ts";

export interface HealRequest {
  /** Of the target. */
  readonly environment?: string;
  readonly target?: string;
  readonly secret?: string;
}

interface Place {
  readonly row: BindingRow;
  readonly secret: string;
  readonly environment: string;
}

/**
 * Without a target or secret: what is known to differ. Named ones are looked at whatever is known of them. A target is
 * healed as a whole: its other keys of ours are looked at too. Throws NOT_FOUND when nothing is meant, STORE_SET_BACK.
 */
export async function healPlaces(
  context: AppContext,
  actor: Actor,
  request: HealRequest,
): Promise<HealAnswer> {
  const meant = await placesMeant(context, request);
  const foreign = meant.filter(({ row }) => isForeign(row));
  const healing = meant.filter((place) => !foreign.includes(place));
  const byTarget = groupBy(healing, ({ row }) => row.targetId);
  await transact(context, async (tx, next) => {
    await tx.meta.assertMayMove();
    await tx.targets.bumpGenerations([...byTarget.keys()], actor);
    await tx.activations.reopen([...byTarget.keys()]);
    await tx.activations.oweAgain([...byTarget.keys()]);
    // What nobody may read counts as what was written last; the service says that it is not.
    const unseen = healing.flatMap(({ row }) =>
      row.found === "unreadable" && row.lacking !== null ? [row.id] : [],
    );
    await tx.config.allowTakeOver(unseen);
    for (const [id, places] of byTarget) {
      const [first] = places;
      await tx.audit.append({
        action: "target.healed",
        actor,
        subject: { kind: "target", id, name: first?.row.target ?? "" },
        details: { keys: places.map(({ row }) => row.key), secrets: places.map(({ secret }) => secret) },
      });
    }
    next.reconcile(byTarget.keys());
  });
  return {
    healing: healing.map(shown),
    refused: foreign.map((place) => ({
      ...shown(place),
      reason: "Lockstep does not know the value that is there",
    })),
  };
}

async function placesMeant(context: AppContext, request: HealRequest): Promise<readonly Place[]> {
  const { views } = context.store.read;
  const [secrets, rows, targets] = await Promise.all([
    views.secrets({}),
    views.bindings({}),
    views.targets({}),
  ]);
  const secretNames = new Map(secrets.map(({ id, name }) => [id, name]));
  const environments = new Map(targets.map(({ id, environment }) => [id, environment]));
  const named = rows
    .filter((row) => !row.leftover && row.currentVersion !== null)
    .map((row) => ({
      row,
      secret: secretNames.get(row.secretId) ?? "",
      environment: environments.get(row.targetId) ?? "",
    }))
    .filter(
      ({ row, secret, environment }) =>
        (request.target ?? row.target) === row.target &&
        (request.secret ?? secret) === secret &&
        (request.environment ?? environment) === environment,
    );
  const chosen = request.target !== undefined || request.secret !== undefined;
  if (chosen && named.length === 0) {
    throw new LockstepError("NOT_FOUND", "Cannot heal: no secret with a value is bound at such a place.", {
      hint: "`lockstep status` lists what is bound where.",
    });
  }
  return chosen ? named : named.filter(({ row }) => bindingStatus(row).state !== "in-sync");
}

/** Not ours, or no more since a new epoch began: the loop would refuse it, and give the target up. */
function isForeign({ settled, settledInEpoch, found }: BindingRow): boolean {
  return ((settled.primary ?? null) === null || !settledInEpoch) && found === "unknown";
}

function shown({ row, secret, environment }: Place): HealAnswer["healing"][number] {
  return { environment, target: row.target, secret, placement: row.placement, key: row.key };
}
