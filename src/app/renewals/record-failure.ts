/** What a try that failed leaves behind: when the next one is, what a person is told, and whether there is a next one. */
import { SYSTEM } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { RenewalCandidate } from "../../core/ports/store/renewals.ts";
import type { Repositories } from "../../core/ports/store/store.ts";
import { dueAtMs, retryAtMs } from "../../core/renewal/due.ts";
import type { AppContext } from "../context.ts";
import { renewPolicyOf, seedOf } from "./renew-policy.ts";
import { tellLevel } from "./tell.ts";

/** Of a token that is not there yet: how the ladder is laid out for the first one. */
const FIRST_LADDER_MS = 3_600_000;

/** Answers what is told of it. `usedUp`: the request could use up what cannot be had again. */
export async function recordFailure(
  context: AppContext,
  secretId: string,
  attempt: string | null,
  error: LockstepError,
  usedUp = false,
): Promise<LockstepError> {
  // A defect of ours says nothing about what became of the request.
  const isUnknown = error.code === "ISSUER_OUTCOME_UNKNOWN" || error.code === "INTERNAL";
  const isLost = error.code === "ISSUER_GRANT_GONE" || (usedUp && isUnknown);
  const told =
    isUnknown && !usedUp && error.code !== "INTERNAL"
      ? new LockstepError("ISSUER_UNAVAILABLE", error.message, { details: error.details })
      : error;
  await context.store.transaction(async (tx) => {
    const candidate = await tx.renewals.lock(secretId);
    if (candidate === null) return;
    const nowMs = context.clock.now().getTime();
    const isTaken = !(await tx.renewals.fail(secretId, attempt, {
      failed: { code: told.code, message: told.message.slice(0, 1_000), atMs: nowMs },
      notBeforeMs: Math.max(nextTryMs(candidate, nowMs), nowMs + (error.retryAfterMs ?? 0)),
      counts: error.code !== "ISSUER_LIMITED",
      isLost,
    }));
    if (isTaken) return;
    if (isLost) await recordLost(tx, candidate, told);
    const after = await tx.renewals.lock(secretId);
    if (after !== null) await tellLevel(context, tx, after);
  });
  context.log.warn("renewal failed", { secretId, code: told.code, reason: told.message });
  return told;
}

/** An attempt whose end nobody kept, of something that cannot be used twice. */
export async function tellLost(
  context: AppContext,
  tx: Repositories,
  candidate: RenewalCandidate,
): Promise<LockstepError> {
  const error = new LockstepError(
    "ISSUER_OUTCOME_UNKNOWN",
    `The answer to a request for "${candidate.name}" was lost, and what it used up may be spent.`,
  );
  const nowMs = context.clock.now().getTime();
  await tx.renewals.fail(candidate.id, null, {
    failed: { code: error.code, message: error.message, atMs: nowMs },
    notBeforeMs: nowMs,
    counts: true,
    isLost: true,
  });
  await recordLost(tx, candidate, error);
  const after = await tx.renewals.lock(candidate.id);
  if (after !== null) await tellLevel(context, tx, after);
  return error;
}

async function recordLost(
  tx: Repositories,
  { id, name }: RenewalCandidate,
  error: LockstepError,
): Promise<void> {
  await tx.audit.append({
    action: "renewal.lost",
    actor: SYSTEM,
    subject: { kind: "secret", id, name },
    details: { code: error.code, reason: error.message },
  });
}

function nextTryMs({ id, policy, newest, state }: RenewalCandidate, nowMs: number): number {
  const seed = seedOf(id, newest?.version ?? null);
  const life =
    newest === null || newest.expiresAtMs === null
      ? { due: nowMs, expiresAtMs: nowMs + FIRST_LADDER_MS }
      : {
          due: dueAtMs(
            { madeAtMs: newest.madeAtMs, expiresAtMs: newest.expiresAtMs },
            renewPolicyOf(policy),
            seed,
          ),
          expiresAtMs: newest.expiresAtMs,
        };
  return retryAtMs(
    { nowMs, dueAtMs: life.due, expiresAtMs: life.expiresAtMs, failures: state.failures + 1 },
    seed,
  );
}
