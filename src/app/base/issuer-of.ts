/** Who makes a secret's tokens, by its policy. */
import { LockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { SecretPolicy } from "../../core/policy.ts";
import type { Issuer } from "../../core/ports/issuer.ts";
import type { AppContext } from "./context.ts";

/** Throws UNSUPPORTED for an issuer that this release does not know. */
export function issuerOf(
  { issuers }: Pick<AppContext, "issuers">,
  { issue }: Pick<SecretPolicy, "issue">,
): { readonly issuer: Issuer; readonly config: JsonObject } {
  const { kind, config } = issue ?? { kind: "", config: {} };
  const issuer = issuers.get(kind);
  if (issuer === undefined)
    throw new LockstepError("UNSUPPORTED", `Cannot renew: this release has no issuer "${kind}".`);
  return { issuer, config };
}

/** The secret that a request presents and may use up; null: none, or an issuer that this release does not know. */
export function singleUseOf(
  context: Pick<AppContext, "issuers">,
  policy: Pick<SecretPolicy, "issue">,
): string | null {
  try {
    const { issuer, config } = issuerOf(context, policy);
    return issuer.singleUse(config);
  } catch {
    return null;
  }
}
