/** What a try that failed leaves behind: when the next one is, what a person is told, and whether there is a next one. */
import { SYSTEM } from "../../core/actor.ts";
import { type ErrorCode, LockstepError } from "../../core/errors.ts";
import { isStillThere } from "../../core/renewal/decide.ts";
import { dueAtMs, MAX_REFUSALS, refusedAgainAtMs, retryAtMs } from "../../core/renewal/due.ts";
import { seedOf } from "../../core/seed.ts";
import type { RenewalCandidate } from "../../core/store/renewals.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { AppContext } from "../base/context.ts";
import { singleUseOf } from "../base/issuer-of.ts";
import { UNKEPT } from "./keep-successor.ts";
import { escalate, setAnew } from "./renewal-alert.ts";

/** Of a token that is not there yet: what the backoff of the first one is measured by. */
const FIRST_BACKOFF_MS = 3_600_000;
/** The provider answered, and gave nothing for what was presented. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(["ISSUER_REFUSED", "ISSUER_ANSWER"]);

/** Answers what is told of it. `attempt` null: nobody was asked. `isGranted`: it brought a token that is of no use. */
export async function recordFailure(
  context: AppContext,
  secretId: string,
  attempt: string | null,
  error: LockstepError,
  { isGranted = false }: { readonly isGranted?: boolean } = {},
): Promise<LockstepError> {
  const told = await context.store.transaction(async (tx) => {
    const candidate = await tx.renewals.lock(secretId);
    if (candidate === null) return error;
    const nowMs = context.clock.now().getTime();
    const isRefusal = attempt !== null && !isGranted && isStillThere(candidate) && REFUSALS.has(error.code);
    const { isLost, said } = judge(context, candidate, attempt, error, isRefusal);
    const nextMs = Math.max(
      nextTryMs(candidate, nowMs, isRefusal ? candidate.state.refusals + 1 : 0),
      nowMs + (error.retryAfterMs ?? 0),
    );
    const isTaken = !(await tx.renewals.fail(secretId, attempt, {
      failed: { code: said.code, message: said.message.slice(0, 1_000), atMs: nowMs },
      notBeforeMs: nextMs,
      counts: error.code !== "ISSUER_LIMITED",
      isLost,
      isRefusal,
    }));
    if (isTaken) return said;
    if (isLost) await recordLost(tx, candidate, said);
    const after = await tx.renewals.lock(secretId);
    if (after !== null) await escalate(context, tx, after, { again: isLost });
    return said;
  });
  context.log.warn("renewal failed", { secretId, code: told.code, reason: told.message });
  return told;
}

function judge(
  context: AppContext,
  candidate: RenewalCandidate,
  attempt: string | null,
  error: LockstepError,
  isRefusal: boolean,
): { readonly isLost: boolean; readonly said: LockstepError } {
  // A defect of ours says nothing about what became of the request.
  const isUnknown = error.code === "ISSUER_OUTCOME_UNKNOWN" || error.code === "INTERNAL";
  const { rotates, refusals } = candidate.state;
  const maySpent = attempt !== null && rotates && isStillThere(candidate);
  if (error.code === "ISSUER_GRANT_GONE" || error.details[UNKEPT] === true || (isUnknown && maySpent))
    return { isLost: true, said: error };
  if (isRefusal && refusals + 1 >= MAX_REFUSALS)
    return { isLost: true, said: refusedTooOften(context, candidate, error) };
  const said =
    isUnknown && error.code !== "INTERNAL"
      ? new LockstepError("ISSUER_UNAVAILABLE", error.message, { details: error.details })
      : error;
  return { isLost: false, said };
}

/** Words of ours about the last refusal stay: they name what it answered. */
function refusedTooOften(
  context: AppContext,
  candidate: RenewalCandidate,
  error: LockstepError,
): LockstepError {
  const name = singleUseOf(context, candidate.policy) ?? "it";
  return new LockstepError(
    "ISSUER_GRANT_GONE",
    `${error.message} It gave nothing for ${name} ${MAX_REFUSALS} times, so ${name} is not presented any more.`,
    {
      hint: `${setAnew(candidate, name)} If it is still good, correct what the answer complains of, then \`lockstep renew ${candidate.name} --again\`.`,
    },
  );
}

/** An attempt whose end nobody kept, of something that cannot be used twice. */
export async function recordSpentAttempt(
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
    isRefusal: false,
  });
  await recordLost(tx, candidate, error);
  const after = await tx.renewals.lock(candidate.id);
  if (after !== null) await escalate(context, tx, after, { again: true });
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

function nextTryMs({ id, policy, newest, state }: RenewalCandidate, nowMs: number, refusals: number): number {
  const seed = seedOf(id, newest?.version ?? null);
  const life =
    newest === null || newest.expiresAtMs === null
      ? { due: nowMs, expiresAtMs: nowMs + FIRST_BACKOFF_MS }
      : {
          due: dueAtMs({ madeAtMs: newest.madeAtMs, expiresAtMs: newest.expiresAtMs }, policy.renew, seed),
          expiresAtMs: newest.expiresAtMs,
        };
  const nextMs = retryAtMs(
    { nowMs, dueAtMs: life.due, expiresAtMs: life.expiresAtMs, failures: state.failures + 1 },
    seed,
  );
  if (refusals === 0 || newest === null) return nextMs;
  return Math.max(nextMs, refusedAgainAtMs(nowMs, life.expiresAtMs, refusals));
}
