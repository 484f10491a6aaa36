/**
 * `lockstep apply`: makes the store want what the configuration says, in one transaction with its audit entries, and
 * lets the loop do the rest. Nothing is written to a place here.
 *
 * What was planned is what is applied: the differences are computed again inside the transaction, and when the store
 * moved meanwhile, or the places do not look any more as they were shown, nothing is changed (PLAN_CHANGED).
 */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { PlanProblem } from "../../core/plan/check-difference.ts";
import { bindingId } from "../../core/plan/diff-config.ts";
import { canonicalJson } from "../../lib/canonical-json.ts";
import { isUnsent } from "../../protocol/credentials.ts";
import type { AppContext } from "../base/context.ts";
import { transact } from "../base/transaction.ts";
import { applyDifferences } from "./apply-differences.ts";
import { applyChannels, saidOf } from "./channel-config.ts";
import { isTakenOver, planPrepared } from "./plan-config.ts";
import { type ConfigPlan, type PlannedPlace, viewChannel, viewDifference } from "./plan-view.ts";
import { type ConfigRequest, type Prepared, prepareConfig } from "./prepare.ts";

export interface ApplyRequest extends ConfigRequest {
  /** The digest of the plan that a person agreed to. */
  readonly expectedPlanDigest?: string;
}

export interface ConfigApplied {
  /** As it was applied. */
  readonly plan: ConfigPlan;
  /** Targets that the loop looks at now. */
  readonly reconciling: number;
  /** Places that keep a foreign value until it is taken over. */
  readonly kept: readonly PlannedPlace[];
}

/**
 * Throws CONFIG_INVALID, CONFIG_SHRUNKEN, PLACE_TAKEN, DESTINATION_CHANGED, ROLLOUT_OPEN or INPUT_INVALID, with all
 * problems in `details.problems`; PLAN_CHANGED when it is not what was agreed to.
 */
export async function applyConfig(
  context: AppContext,
  actor: Actor,
  request: ApplyRequest,
  signal: AbortSignal = new AbortController().signal,
): Promise<ConfigApplied> {
  const prepared = await prepareConfig(context, context.store.read, request);
  refuseUnsent(request, prepared);
  const plan = await planPrepared(context, prepared, request, signal);
  refuseProblems(plan.problems);
  if (request.expectedPlanDigest !== undefined && request.expectedPlanDigest !== plan.digest)
    throw planChanged();
  const takenOver = new Set(
    plan.places.filter((place) => isTakenOver(request.takeOver, place)).map((place) => idOfPlace(place)),
  );
  const bumped = plan.hasChanges ? await commit(context, actor, request, { prepared, plan, takenOver }) : [];
  const kept = plan.places.filter(
    (place) =>
      place.place.state !== "not-asked" && isTakenOver("all", place) && !takenOver.has(idOfPlace(place)),
  );
  return { plan, reconciling: bumped.length, kept };
}

async function commit(
  context: AppContext,
  actor: Actor,
  request: ApplyRequest,
  planned: {
    readonly prepared: Prepared;
    readonly plan: ConfigPlan;
    readonly takenOver: ReadonlySet<string>;
  },
): Promise<readonly string[]> {
  return transact(context, async (tx, next) => {
    await tx.config.lockConfig();
    const now = await prepareConfig(context, tx, request);
    refuseProblems(now.problems);
    if (contentOf(now) !== contentOf(planned.prepared)) throw planChanged();
    const { bumped } = await applyDifferences(context, tx, actor, now, planned.takenOver);
    await applyChannels(context, tx, actor, now.channels);
    await tx.audit.append({
      action: "config.applied",
      actor,
      subject: { kind: "config", id: planned.plan.digest, name: now.desired.environments.join(", ") },
      details: {
        changes: planned.plan.changes.map((change) => change.text),
        prune: request.prune === true,
        allowShrink: request.allowShrink === true,
        duringRollout: request.duringRollout === true,
      },
    });
    next.reconcile(bumped);
    return bumped;
  });
}

/** In the words that were shown: what the loop settles meanwhile does not make it another plan. */
function contentOf({ differences, channels }: Prepared): string {
  return canonicalJson([...differences.map(viewDifference), ...channels.map(viewChannel)]);
}

function refuseProblems(problems: readonly PlanProblem[]): void {
  const [first] = problems;
  if (first === undefined) return;
  const lines = problems.map(({ path, message, remedy }) => {
    const where = path.length === 0 ? "The configuration" : path.join(".");
    return `${where} ${message}. ${remedy}`;
  });
  throw new LockstepError(first.code, `Cannot apply: ${lines.join("\n")}`, {
    hint: first.remedy,
    details: { problems },
  });
}

/** Nothing is sealed that is not there. */
function refuseUnsent({ config }: ApplyRequest, { unsent }: Prepared): void {
  const channels = Object.entries(config.alerts ?? {}).filter(([, channel]) =>
    Object.values(saidOf(channel).config).some(isUnsent),
  );
  const names = [...unsent, ...channels.map(([name]) => `channel ${name}`)];
  if (names.length === 0) return;
  throw new LockstepError(
    "INPUT_INVALID",
    `Cannot apply: the credential of ${names.join(", ")} was not sent.`,
    {
      hint: "Apply with `lockstep apply`, which sends what lockstep.yaml refers to.",
    },
  );
}

function idOfPlace(place: PlannedPlace): string {
  return bindingId({ ...place, secretEnvironment: place.environment });
}

function planChanged(): LockstepError {
  return new LockstepError("PLAN_CHANGED", "Cannot apply: the plan is not the one that was shown any more.");
}
