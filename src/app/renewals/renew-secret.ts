/**
 * Renews one token. Three steps, after each of which the process may die:
 *
 *   decide and write down the attempt (one transaction) ▸ ask the issuer ▸ keep what it gave (one transaction)
 *
 * A new refresh token that comes is kept while the issuer is asked, before the rest of its answer is judged
 * (`keep-successor.ts`).
 *
 * One process at a time: the renewal's row and its lease. What comes late counts only for the attempt that is written
 * down. An attempt that stays written down is a request whose answer nobody kept: it is made again where nothing is known
 * to be used up by it, and otherwise a person is told.
 */
import { randomUUID } from "node:crypto";
import type { Actor } from "../../core/actor.ts";
import { type ErrorCode, isSourceAway, LockstepError, toLockstepError } from "../../core/errors.ts";
import type { Issued, IssueRequest, IssuerInput } from "../../core/ports/issuer.ts";
import { acceptToken } from "../../core/renewal/accept-token.ts";
import { decide, mustAct } from "../../core/renewal/decide.ts";
import { PLAIN_FIELD } from "../../core/secret.ts";
import { seedOf } from "../../core/seed.ts";
import type { RenewalCandidate, RenewalState } from "../../core/store/renewals.ts";
import type { Repositories } from "../../core/store/store.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { AppContext } from "../base/context.ts";
import { issuerOf, singleUseOf } from "../base/issuer-of.ts";
import { chooseHow } from "../rollouts/start-rollout.ts";
import { type PreparedRepositories, transactionWithValues } from "../values/prepared-values.ts";
import { type Introduced, introduceLocked } from "../versions/introduce-version.ts";
import { openInputs } from "./issuer-inputs.ts";
import { keepSuccessor } from "./keep-successor.ts";
import { recordFailure, recordSpentAttempt } from "./record-failure.ts";
import { resolveRenewalAlert, setAnew } from "./renewal-alert.ts";
import { untilStored } from "./until-stored.ts";

/** `due`: when it is. `now`: a person asks for it. `again`: also with what may be used up. */
export type RenewMode = "again" | "due" | "now";

export type Renewal =
  | { readonly state: "renewed"; readonly introduced: Introduced; readonly expiresAtMs: number | null }
  | { readonly state: "waits"; readonly why: string; readonly untilMs: number | null }
  | { readonly state: "failed"; readonly error: LockstepError };

/** Of a lease: the answer must be written down before another may begin. */
const ASK_WITHIN = 0.7;
const LEASE_MS = 90_000;
const BUSY_MS = 2_000;
/** Says nothing of the issuer. */
const NOT_ASKED: ReadonlySet<ErrorCode> = new Set(["NOT_FOUND", "STORE_SET_BACK"]);

/** It may have been given for what is used up: a value store that is away now must not lose it. */
const KEPT = { isIrreplaceable: true };

interface Attempt {
  readonly id: string;
  readonly candidate: RenewalCandidate;
  readonly inputs: ReadonlyMap<string, IssuerInput>;
  readonly singleUse: RenewalState["singleUse"];
  readonly slowest: Parameters<typeof acceptToken>[1]["slowest"];
}

/** Throws NOT_FOUND when there is no such secret, INPUT_INVALID when no issuer makes it, STORE_SET_BACK, and what `isSourceAway` tells. */
export async function renewSecret(
  context: AppContext,
  actor: Actor,
  secretId: string,
  mode: RenewMode,
  signal: AbortSignal,
): Promise<Renewal> {
  let begun: Attempt | Exclude<Renewal, { readonly state: "renewed" }>;
  try {
    begun = await transactionWithValues(context, (tx) => begin(context, tx, actor, secretId, mode));
  } catch (thrown) {
    const error = toLockstepError(thrown);
    if (NOT_ASKED.has(error.code) || isSourceAway(error)) throw error;
    return { state: "failed", error: await recordFailure(context, secretId, null, error) };
  }
  if ("state" in begun) return begun;
  await context.checkpoint("renewal-intent");
  const { id } = begun;
  const askedAtMs = context.clock.now().getTime();
  let issued: Issued;
  try {
    issued = await ask(context, actor, begun, signal);
  } catch (thrown) {
    return { state: "failed", error: await recordFailure(context, secretId, id, toLockstepError(thrown)) };
  }
  await context.checkpoint("renewal-answered");
  return await untilStored(() => keep(context, actor, begun, issued, askedAtMs));
}

async function begin(
  context: AppContext,
  tx: PreparedRepositories,
  actor: Actor,
  secretId: string,
  mode: RenewMode,
): Promise<Attempt | Exclude<Renewal, { readonly state: "renewed" }>> {
  // It may hold a refresh token that was used up since.
  await tx.meta.assertMayMove();
  await assertMaySeal(context, tx);
  const candidate = await tx.renewals.lock(secretId);
  if (candidate === null) throw new LockstepError("NOT_FOUND", "There is no such secret with an issuer.");
  const { issuer, config } = issuerOf(context, candidate.policy);
  const nowMs = context.clock.now().getTime();
  const verdict = decide(candidate, {
    nowMs,
    seed: seedOf(candidate.id, candidate.newest?.version ?? null),
  });
  if (candidate.state.isTaken)
    return { state: "waits", why: "another process asks for it now", untilMs: null };
  if (verdict.act === "tell-lost" && mode !== "again")
    return { state: "failed", error: await recordSpentAttempt(context, tx, candidate) };
  if (mode === "due" && verdict.act === "wait")
    return { state: "waits", why: verdict.why, untilMs: verdict.untilMs };
  if (mode === "now" && mustAct(candidate)) return { state: "failed", error: stillLost(context, candidate) };

  const name = issuer.singleUse(config);
  const used = name === null ? null : await tx.secrets.find(candidate.environment, name);
  if (used !== null) {
    // Two secrets that live on one refresh token take turns. It is read behind its lock: a version read before may
    // have been used up and replaced by the time that the lock is had.
    await tx.secrets.lockForNewVersion(used.id);
    if (await tx.renewals.isUsedUpElsewhere(secretId, used.id))
      return await later(tx, secretId, nowMs + BUSY_MS);
  }
  const inputs = await openInputs(
    tx,
    (versions) => tx.values.open(versions),
    candidate.environment,
    issuer.inputs(config),
  );
  const usedVersion = name === null ? undefined : inputs.get(name)?.versions[0]?.version;
  const origin = issuer.origin(config);
  if (origin !== null) {
    const heldUntilMs = await tx.renewals.heldUntilMs(origin);
    if (heldUntilMs !== null && heldUntilMs > nowMs && mode === "due")
      return await later(tx, secretId, heldUntilMs);
    const perMinute = issuer.perMinute?.(config) ?? Number.POSITIVE_INFINITY;
    if ((await tx.renewals.askedLately(origin)) >= perMinute)
      return await later(tx, secretId, nowMs + BUSY_MS * (1 + context.random()));
  }
  // A token that could not be brought anywhere would be made for nothing.
  const versions = await tx.secrets.versions(secretId);
  if ((await tx.targets.bindingTargets(secretId)).length > 0)
    await chooseHow(context, tx, candidate, versions.find(({ state }) => state === "current") ?? null, {});

  const singleUse =
    used === null || usedVersion === undefined ? null : { secretId: used.id, version: usedVersion };
  const id = randomUUID();
  await tx.renewals.begin(secretId, {
    id,
    issue: candidate.policy.issue.stored,
    origin,
    singleUse,
    owner: context.processId,
    leaseMs: LEASE_MS,
  });
  if (mode === "again" && candidate.state.attempt !== null) {
    await tx.audit.append({
      action: "renewal.lost",
      actor,
      subject: { kind: "secret", id: candidate.id, name: candidate.name },
      details: { again: true },
    });
  }
  return { id, candidate, inputs, singleUse, slowest: await tx.renewals.slowestActivation(secretId) };
}

/** What an issuer gives could not be written down by a process that was left behind with an old root key. */
async function assertMaySeal({ sealer }: AppContext, tx: Repositories): Promise<void> {
  const meta = await tx.meta.read();
  if (meta !== null && !sealer.opens(meta.sealingKeyId))
    throw new LockstepError(
      "ROOT_KEY_CHANGED",
      "Cannot ask an issuer: the store is sealed under another root key than this process has.",
    );
}

async function later(
  tx: Repositories,
  secretId: string,
  untilMs: number,
): Promise<Exclude<Renewal, { readonly state: "renewed" }>> {
  await tx.renewals.postpone(secretId, untilMs);
  return { state: "waits", why: "its issuer allows no more requests for now", untilMs };
}

function ask(context: AppContext, actor: Actor, attempt: Attempt, signal: AbortSignal): Promise<Issued> {
  const { candidate, inputs } = attempt;
  const { issuer, config } = issuerOf(context, candidate.policy);
  const request: IssueRequest = {
    config,
    inputs,
    nowMs: () => context.clock.now().getTime(),
    hide: context.hideFromLog,
    keep: (successor) => keepSuccessor(context, actor, attempt, successor),
  };
  return context.telemetry.during("issuer-request", issuer.kind, () =>
    withDeadline(signal, LEASE_MS * ASK_WITHIN, (limited) => issuer.issue(request, limited)),
  );
}

async function keep(
  context: AppContext,
  actor: Actor,
  attempt: Attempt,
  issued: Issued,
  askedAtMs: number,
): Promise<Renewal> {
  const { id, candidate, slowest } = attempt;
  try {
    const nowMs = context.clock.now().getTime();
    const { expiresAtMs } = acceptToken(issued, { askedAtMs, nowMs, slowest });
    const introduced = await transactionWithValues(
      context,
      async (tx, next) => {
        const made = await introduceLocked(
          context,
          tx,
          next,
          actor,
          candidate,
          {
            fields: { [PLAIN_FIELD]: issued.value },
            ...(expiresAtMs === null ? {} : { expiresAt: new Date(expiresAtMs) }),
          },
          {},
        );
        const { version } = made;
        const isOurs = await tx.renewals.succeed(candidate.id, id, { version, atMs: askedAtMs, expiresAtMs });
        if (!isOurs)
          throw new LockstepError("RENEWAL_BUSY", "Another process has begun to renew it meanwhile.");
        await tx.audit.append({
          action: "renewal.issued",
          actor,
          subject: { kind: "secret", id: candidate.id, name: candidate.name },
          details: { version, expiresAt: expiresAtMs === null ? null : new Date(expiresAtMs).toISOString() },
        });
        await resolveRenewalAlert(tx, actor, candidate);
        return made;
      },
      KEPT,
    );
    await context.checkpoint("recorded");
    return { state: "renewed", introduced, expiresAtMs };
  } catch (thrown) {
    const error = toLockstepError(thrown);
    if (isSourceAway(error)) throw error;
    return {
      state: "failed",
      error: await recordFailure(context, candidate.id, id, error, { isGranted: true }),
    };
  }
}

function stillLost(context: AppContext, candidate: RenewalCandidate): LockstepError {
  const { state, name, policy } = candidate;
  const used = singleUseOf(context, policy);
  return new LockstepError(
    state.failed?.code === "ISSUER_GRANT_GONE" ? "ISSUER_GRANT_GONE" : "ISSUER_OUTCOME_UNKNOWN",
    `Cannot renew "${name}": ${state.failed?.message ?? "what the last request used up may be spent."}`,
    used === null
      ? {}
      : {
          hint: `${setAnew(candidate, used)} Or risk what is there once more: \`lockstep renew ${name} --again\`.`,
        },
  );
}
