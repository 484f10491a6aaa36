/** `lockstep rollout list` and `show`. */
import { LockstepError } from "../../core/errors.ts";
import { invariant } from "../../core/invariant.ts";
import type { Member } from "../../core/rollout/member.ts";
import { PHASES } from "../../core/rollout/strategy.ts";
import type { RolloutRow } from "../../core/store/views.ts";
import type { RolloutSummary, RolloutView } from "../../protocol/api-views.ts";
import type { AppContext } from "../base/context.ts";
import { isNewer } from "../desired/newer-rollout.ts";
import { viewBindings } from "../status/bindings.ts";
import { decideNow } from "./advance-rollout.ts";
import { memberOf } from "./load-members.ts";

export async function listRollouts(
  context: AppContext,
  filter: Parameters<AppContext["store"]["read"]["views"]["rollouts"]>[0],
): Promise<readonly RolloutSummary[]> {
  return (await context.store.read.views.rollouts(filter)).map(summary);
}

/** Throws NOT_FOUND. */
export async function viewRollout(context: AppContext, rolloutId: string): Promise<RolloutView> {
  const { views } = context.store.read;
  const [row] = await views.rollouts({ id: rolloutId, limit: 1 });
  if (row === undefined) {
    throw new LockstepError("NOT_FOUND", "There is no rollout with this id.", {
      hint: "`lockstep rollout list` shows the rollouts.",
    });
  }
  const bindings = await viewBindings(context, row.secretId);
  return { ...summary(row), bindings, ...(await viewProgress(context, row)) };
}

const LEFT_ALONE = "a newer release began this rollout, and its workers move it; this one leaves it alone";

type Progress = Omit<RolloutView, keyof RolloutSummary | "bindings">;

/** How far it is, and what each side holds now. */
async function viewProgress(context: AppContext, row: RolloutRow): Promise<Progress> {
  const { read } = context.store;
  const rollout = await read.rollouts.find(row.id);
  invariant(rollout !== null, "a rollout that was listed is there");
  const isKnown = !isNewer(rollout);
  const common = {
    phases: isKnown ? [...PHASES[rollout.strategy]] : [rollout.phase],
    phaseStartedAt: new Date(rollout.phaseStartedAtMs).toISOString(),
    held: rollout.held,
    urgent: rollout.urgent,
    rollbackOf: rollout.rollbackOf,
  };
  const isOpen = rollout.state === "running" || rollout.state === "stalled";
  const decided = isOpen && isKnown ? await decideNow(context, read, rollout, { fixes: false }) : null;
  const members =
    decided?.members ??
    (await read.rollouts.members(rollout.id)).map((one) => memberOf(context, one, rollout));
  const waits = new Map(
    decided?.decision.waitingFor.map(({ bindingId, reason }) => [bindingId, reason] as const),
  );
  return {
    ...common,
    settling: decided?.decision.settling ?? null,
    members: members.map((member) => ({
      target: member.target,
      key: member.key,
      role: member.role,
      optional: member.optional,
      primary: member.settled.primary ?? null,
      fallback: member.settled.fallback ?? null,
      evidence: member.evidence,
      lookedAt: member.observedAtMs === null ? null : new Date(member.observedAtMs).toISOString(),
      acceptance: acceptanceText(member),
      waitsFor: waits.get(member.bindingId) ?? (isOpen && !isKnown ? LEFT_ALONE : null),
      forced: member.forced,
    })),
  };
}

function acceptanceText({ acceptanceBy, acceptance }: Member): string | null {
  if (acceptanceBy === null) return null;
  if (acceptanceBy === "attested") return "said to accept the fallback (attested)";
  const told = [...acceptance].map(([version, { verdict }]) => {
    if (verdict === "cannot-tell") return `cannot tell about v${version}`;
    return `${verdict === "accepted" ? "accepts" : "refuses"} v${version}`;
  });
  return told.length === 0 ? "not asked yet" : told.join(", ");
}

function summary(row: RolloutRow): RolloutSummary {
  return {
    rollout: row.id,
    secret: row.secretName,
    environment: row.environment,
    from: row.fromVersion,
    to: row.toVersion,
    strategy: row.strategy,
    phase: row.phase,
    state: row.state,
    reason: row.reason,
    actor: row.actor,
    startedAt: row.startedAt.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
  };
}
