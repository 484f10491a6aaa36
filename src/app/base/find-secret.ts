/** A secret by the name that people give it. */
import { LockstepError } from "../../core/errors.ts";
import type { SecretRecord } from "../../core/store/secrets.ts";
import type { AppContext } from "./context.ts";

export interface SecretName {
  readonly environment: string;
  readonly name: string;
}

/** Throws NOT_FOUND. */
export async function findSecret(context: AppContext, secret: SecretName): Promise<SecretRecord> {
  const known = await context.store.read.secrets.find(secret.environment, secret.name);
  if (known !== null) return known;
  throw new LockstepError("NOT_FOUND", `There is no secret "${secret.name}" in ${secret.environment}.`, {
    hint: "`lockstep secret list` shows what exists.",
  });
}
