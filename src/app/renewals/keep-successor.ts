/**
 * Keeps what a provider gave in place of a used refresh token: in a transaction of its own, before anybody judges the
 * token that came with it. Whatever is wrong with that token, the next request is made with the new refresh token.
 */
import type { Actor } from "../../core/actor.ts";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import { PLAIN_FIELD } from "../../core/secret.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { RenewalCandidate, RenewalState } from "../../core/store/renewals.ts";
import type { AppContext } from "../base/context.ts";
import type { Next } from "../base/follow-ups.ts";
import { issuerOf } from "../base/issuer-of.ts";
import { type PreparedRepositories, transactionWithValues } from "../values/prepared-values.ts";
import { addVersion, introduceLocked } from "../versions/introduce-version.ts";
import { untilStored } from "./until-stored.ts";

/** In an error's details: the used refresh token is spent, and nothing stands in its place. */
export const UNKEPT = "successorUnkept";

interface Asked {
  readonly candidate: RenewalCandidate;
  /** What the request presented. */
  readonly singleUse: RenewalState["singleUse"];
}

/** Throws ISSUER_OUTCOME_UNKNOWN, with why, where it could not take the place of the used one. */
export async function keepSuccessor(
  context: AppContext,
  actor: Actor,
  asked: Asked,
  successor: SecretValue,
): Promise<void> {
  context.hideFromLog(successor);
  const kept = (aside: boolean) =>
    untilStored(() =>
      transactionWithValues(
        context,
        (tx, next) => put(context, tx, next, actor, asked, { successor, aside }),
        // It was given once: a value store that is away now must not lose it.
        { isIrreplaceable: true },
      ),
    );
  try {
    await kept(false);
  } catch (thrown) {
    const isAside = await kept(true).then(
      () => true,
      () => false,
    );
    throw new LockstepError(
      "ISSUER_OUTCOME_UNKNOWN",
      `The provider gave a new refresh token, which ${isAside ? "stands beside the used one" : "could not be kept"}: ${toLockstepError(thrown).message}`,
      { details: { [UNKEPT]: true } },
    );
  }
}

async function put(
  context: AppContext,
  tx: PreparedRepositories,
  next: Next,
  actor: Actor,
  { candidate, singleUse }: Asked,
  { successor, aside }: { readonly successor: SecretValue; readonly aside: boolean },
): Promise<void> {
  const { issuer, config } = issuerOf(context, candidate.policy);
  const name = issuer.singleUse(config);
  // In the order in which a renewal's begin takes the two locks.
  await tx.renewals.lock(candidate.id);
  const secret = name === null ? null : await tx.secrets.find(candidate.environment, name);
  if (secret === null) {
    throw new LockstepError("NOT_FOUND", `there is no secret ${name ?? "for it"} any more.`);
  }
  const version = await tx.secrets.lockForNewVersion(secret.id);
  await tx.renewals.sawRotation(candidate.id);
  const current = (await tx.secrets.versions(secret.id)).find(({ state }) => state === "current");
  const fields = { [PLAIN_FIELD]: successor };
  if (!aside && (current === undefined || current.version === singleUse?.version)) {
    await introduceLocked(context, tx, next, actor, secret, { fields });
    return;
  }
  // A newer one was set while this request was under way, by a person or by another answer: that one counts, and this
  // one is kept beside it.
  await addVersion(tx, actor, secret, { version, state: "retired", fields });
}
