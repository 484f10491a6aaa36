/** Tokens and how their renewal stands, for people: what ends first comes first. */

import { decide, mustAct } from "../../core/renewal/decide.ts";
import { seedOf } from "../../core/seed.ts";
import type { RenewalCandidate } from "../../core/store/renewals.ts";
import type { RenewalAnswer } from "../../protocol/api-renewals.ts";
import type { AppContext } from "../base/context.ts";

export async function viewRenewals(
  context: AppContext,
  environment?: string,
): Promise<readonly RenewalAnswer[]> {
  const nowMs = context.clock.now().getTime();
  const found = (
    await context.store.read.renewals.candidates(environment === undefined ? {} : { environment })
  ).map((one) => viewOf(one, nowMs));
  const endOf = ({ expiresAt }: RenewalAnswer): number =>
    expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
  return found.sort((left, right) => endOf(left) - endOf(right) || left.secret.localeCompare(right.secret));
}

function viewOf(candidate: RenewalCandidate, nowMs: number): RenewalAnswer {
  const { name, environment, policy, newest, state } = candidate;
  const verdict = decide(candidate, {
    nowMs,
    seed: seedOf(candidate.id, newest?.version ?? null),
  });
  const isExpired = newest?.expiresAtMs != null && newest.expiresAtMs <= nowMs;
  return {
    secret: name,
    environment,
    issuer: policy.issue.kind,
    version: newest?.version ?? null,
    madeAt: iso(newest?.madeAtMs ?? null),
    expiresAt: iso(newest?.expiresAtMs ?? null),
    state: isExpired
      ? "expired"
      : verdict.act === "tell-lost" || mustAct(candidate)
        ? "lost"
        : state.failures > 0
          ? "failing"
          : state.isTaken
            ? "renewing"
            : newest === null
              ? "none"
              : verdict.act === "issue"
                ? "due"
                : "good",
    nextTryAt: verdict.act === "wait" ? iso(verdict.untilMs) : iso(nowMs),
    failures: state.failures,
    error:
      state.failed === null
        ? null
        : { code: state.failed.code, message: state.failed.message, at: iso(state.failed.atMs) ?? "" },
    level: candidate.level,
  };
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
