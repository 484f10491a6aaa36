/** What is known of secrets: names and versions, never values; and the one audited way to a value. */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { SecretRecord, VersionRecord } from "../../core/store/secrets.ts";
import type { AppContext } from "../base/context.ts";
import { findSecret, type SecretName } from "../base/find-secret.ts";
import { type Fields, openFields } from "../values/secret-fields.ts";

export interface ListedSecret {
  readonly secret: SecretRecord;
  /** Null: no value yet. */
  readonly current: VersionRecord | null;
  readonly versions: number;
}

export async function listSecrets(
  context: AppContext,
  environment?: string,
): Promise<readonly ListedSecret[]> {
  const secrets = await context.store.read.secrets.list(environment);
  return Promise.all(
    secrets.map(async (secret) => {
      const versions = await context.store.read.secrets.versions(secret.id);
      return {
        secret,
        current: versions.find((version) => version.state === "current") ?? null,
        versions: versions.length,
      };
    }),
  );
}

export async function listVersions(
  context: AppContext,
  secret: SecretName,
): Promise<readonly VersionRecord[]> {
  return context.store.read.secrets.versions((await findSecret(context, secret)).id);
}

export interface Revealed {
  readonly version: number;
  readonly fields: Fields;
}

/** The entry is committed before the value is opened: nobody sees a value without a trace. */
export async function revealSecret(
  context: AppContext,
  actor: Actor,
  secret: SecretName,
  version?: number,
): Promise<Revealed> {
  const known = await findSecret(context, secret);
  const versions = await context.store.read.secrets.versions(known.id);
  const wanted = versions.find((one) =>
    version === undefined ? one.state === "current" : one.version === version,
  );
  if (wanted === undefined || wanted.state === "destroyed") {
    throw new LockstepError("NOT_FOUND", `Cannot reveal "${secret.name}": it has no such version.`, {
      hint: `See \`lockstep secret versions ${secret.name}\`.`,
    });
  }
  await context.store.transaction((tx) =>
    tx.audit.append({
      action: "secret.revealed",
      actor,
      subject: { kind: "secret", id: known.id, name: known.name },
      details: { version: wanted.version },
    }),
  );
  return {
    version: wanted.version,
    fields: await openFields(context, context.store.read, known.id, wanted.version),
  };
}
