/** Seals and opens the fields of a version: an envelope of {"field": "value", …} bound to its row. */
import { versionAssociatedData } from "../core/associated-data.ts";
import { LockstepError } from "../core/errors.ts";
import type { Repositories } from "../core/ports/store/store.ts";
import { SecretValue } from "../core/secret-value.ts";
import type { AppContext } from "./context.ts";

export type Fields = ReadonlyMap<string, SecretValue>;

export function sealFields(
  context: AppContext,
  secretId: string,
  version: number,
  fields: Fields,
): Promise<string> {
  return context.sealer.seal(serializeFields(fields), versionAssociatedData(secretId, version));
}

/** Same fields, same text: what fingerprints of whole versions are taken over. */
export function serializeFields(fields: Fields): string {
  const names = [...fields.keys()].sort();
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, fields.get(name)?.reveal() ?? ""])));
}

/** Throws NOT_FOUND for a version that is destroyed or never was, SEALED_UNREADABLE for one that does not open. */
export async function openFields(
  context: AppContext,
  repositories: Repositories,
  secretId: string,
  version: number,
): Promise<Fields> {
  const sealed = await repositories.secrets.sealedValue(secretId, version);
  if (sealed === null) {
    throw new LockstepError(
      "NOT_FOUND",
      `Cannot open version ${version}: it does not exist or is destroyed.`,
      {
        details: { secretId, version },
      },
    );
  }
  const plain = await context.sealer.open(sealed, versionAssociatedData(secretId, version));
  const parsed = JSON.parse(plain) as Record<string, string>;
  return new Map(Object.entries(parsed).map(([name, value]) => [name, SecretValue.of(value)]));
}
