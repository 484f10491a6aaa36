/** The public keys by which a secret's signed tokens are checked: those of every version of its key that may have signed. */
import { LockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { AppContext } from "../base/context.ts";
import { findSecret, type SecretName } from "../base/find-secret.ts";
import { issuerOf } from "../base/issuer-of.ts";
import { openFields } from "../values/secret-fields.ts";
import { openInputs } from "./issuer-inputs.ts";

/** Throws NOT_FOUND, INPUT_INVALID for a secret whose issuer signs nothing. */
export async function publicKeysOf(
  context: AppContext,
  secret: SecretName,
): Promise<{ readonly keys: readonly JsonObject[] }> {
  const { policy, environment } = await findSecret(context, secret);
  const { issuer, config } = policy.issue === null ? { issuer: null, config: {} } : issuerOf(context, policy);
  if (issuer?.publicKeys === undefined) {
    throw new LockstepError("INPUT_INVALID", `"${secret.name}" is no token that is signed here.`, {
      hint: "Only secrets with `issue: { jwt: … }` have public keys.",
    });
  }
  const { read } = context.store;
  const inputs = await openInputs(
    read,
    (versions) =>
      Promise.all(versions.map(({ secretId, version }) => openFields(context, read, secretId, version))),
    environment,
    issuer.inputs(config),
  );
  return { keys: await issuer.publicKeys(config, inputs) };
}
