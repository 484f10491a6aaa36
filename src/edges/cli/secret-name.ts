/** Which secret is meant: a name is unique in one environment, and most have only one. */
import { LockstepError } from "../../core/errors.ts";
import { didYouMean } from "../../protocol/config-problem.ts";
import type { ApiClient } from "./client.ts";

export interface SecretName {
  readonly environment: string;
  readonly name: string;
}

/** Throws NOT_FOUND for a name that exists nowhere, USAGE for one that exists in several environments. */
export async function resolveSecret(
  api: ApiClient,
  name: string,
  environment: string | undefined,
): Promise<SecretName> {
  if (environment !== undefined) return { environment, name };
  const { secrets } = await api.call("listSecrets");
  const known = knownAs(name, secrets);
  if (known !== null) return known;
  const near = didYouMean(
    name,
    secrets.map((secret) => secret.name),
  );
  throw new LockstepError("NOT_FOUND", `There is no secret "${name}".`, {
    hint: near ?? "`lockstep secret list` shows what exists.",
  });
}

/** The same for a secret that may be new: it goes into the only environment there is, `production` at first. */
export async function resolveNewSecret(
  api: ApiClient,
  name: string,
  environment: string | undefined,
): Promise<SecretName> {
  if (environment !== undefined) return { environment, name };
  const { secrets } = await api.call("listSecrets");
  const known = knownAs(name, secrets);
  if (known !== null) return known;
  const environments = [...new Set(secrets.map((secret) => secret.environment))];
  if (environments.length > 1) throw ambiguous(name, secrets);
  return { environment: environments[0] ?? "production", name };
}

function knownAs(name: string, secrets: readonly SecretName[]): SecretName | null {
  const [first, ...others] = secrets.filter((secret) => secret.name === name);
  if (first === undefined) return null;
  if (others.length > 0) throw ambiguous(name, [first, ...others]);
  return { environment: first.environment, name };
}

function ambiguous(name: string, secrets: readonly SecretName[]): LockstepError {
  const environments = [...new Set(secrets.map((secret) => secret.environment))].sort();
  return new LockstepError(
    "USAGE",
    `Cannot choose the environment of "${name}": it exists in ${environments.join(", ")}.`,
    {
      hint: "Add --environment.",
    },
  );
}
