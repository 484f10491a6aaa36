/** `lockstep renew`, and `rotate` of an issued secret: the next token now, for a person who waits for it. */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { AppContext } from "../context.ts";
import type { Introduced } from "../introduce-version.ts";
import { findSecret, type SecretName } from "../secrets/change-secret.ts";
import { isIssued } from "./renew-policy.ts";
import { renewSecret } from "./renew-secret.ts";

/** Throws NOT_FOUND, INPUT_INVALID without an issuer, RENEWAL_BUSY while another process asks, and what the issuer throws. */
export async function renewNow(
  context: AppContext,
  actor: Actor,
  secret: SecretName,
  { again = false }: { readonly again?: boolean },
  signal: AbortSignal,
): Promise<Introduced & { readonly expiresAt: Date | null }> {
  const { id, policy } = await findSecret(context, secret);
  if (!isIssued(policy)) {
    throw new LockstepError("INPUT_INVALID", `Cannot renew "${secret.name}": no issuer makes its values.`, {
      hint: `Use \`lockstep rotate ${secret.name}\`, or give it an \`issue:\` in lockstep.yaml.`,
    });
  }
  const renewal = await renewSecret(context, actor, id, again ? "again" : "now", signal);
  switch (renewal.state) {
    case "renewed":
      return {
        ...renewal.introduced,
        expiresAt: renewal.expiresAtMs === null ? null : new Date(renewal.expiresAtMs),
      };
    case "waits":
      throw new LockstepError("RENEWAL_BUSY", `Cannot renew "${secret.name}" now: ${renewal.why}.`);
    case "failed":
      throw renewal.error;
  }
}
