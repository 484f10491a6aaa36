/** Secrets as doctor reasons from them: with their bindings, their open rollout, and the token that an issuer made. */
import type { SecretFacts, TokenFacts } from "../../core/doctor/facts.ts";
import { mustAct } from "../../core/renewal/decide.ts";
import type { RenewalCandidate } from "../../core/store/renewals.ts";
import type { RolloutRow } from "../../core/store/views.ts";
import { groupBy } from "../../lib/group-by.ts";
import type { AppContext } from "../base/context.ts";
import { singleUseOf } from "../base/issuer-of.ts";
import { bindingFacts } from "./binding-facts.ts";
import type { LiveAnswers } from "./live-answers.ts";
import type { Recorded } from "./recorded.ts";

/** At most one of a secret is open. */
const ALL = 1_000_000;

export async function secretFacts(
  context: AppContext,
  recorded: Recorded,
  { failures, adoptions }: LiveAnswers,
): Promise<readonly SecretFacts[]> {
  const { read } = context.store;
  const secretIds = recorded.secrets.map(({ id }) => id);
  const open = await read.views.rollouts({ open: true, secretIds, limit: ALL });
  const rollouts = new Map(open.map((rollout) => [rollout.secretId, rollout]));
  const environments = new Map(recorded.targets.map(({ id, environment }) => [id, environment]));
  const bySecret = groupBy(recorded.bindings, (binding) => binding.secretId);
  const tokens = new Map(
    (await read.renewals.candidates({ secretIds })).map((one) => [one.id, tokenFacts(context, one)]),
  );
  return recorded.secrets.map((secret) => ({
    name: secret.name,
    environment: secret.environment,
    current: secret.currentVersion,
    currentSince: secret.currentSince,
    currentMadeAt: secret.currentMadeAt,
    maxAgeMs: secret.policy.rotate.maxAgeMs,
    rollout: rolloutFacts(rollouts.get(secret.id)),
    bindings: (bySecret.get(secret.id) ?? []).map((row) =>
      bindingFacts(
        row,
        environments.get(row.targetId) ?? secret.environment,
        failures?.get(row.targetId) ?? null,
      ),
    ),
    token: tokens.get(secret.id) ?? null,
    adoption: adoptions.get(secret.id) ?? null,
  }));
}

function tokenFacts(context: AppContext, candidate: RenewalCandidate): TokenFacts {
  const { policy, newest, state } = candidate;
  return {
    expiresAt: newest?.expiresAtMs == null ? null : new Date(newest.expiresAtMs),
    failures: state.failures,
    error: state.failed?.message ?? null,
    mustAct: mustAct(candidate),
    usedUp: singleUseOf(context, policy),
  };
}

function rolloutFacts(row: RolloutRow | undefined): SecretFacts["rollout"] {
  if (row === undefined || (row.state !== "running" && row.state !== "stalled")) return null;
  const { id, state, reason, fromVersion: from } = row;
  const settlingSince = row.phase === "settle" ? row.phaseStartedAt : null;
  return { id, state, reason, from, settlingSince };
}
