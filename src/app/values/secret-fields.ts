/** The fields of a version: a text {"field": "value", …} that a value store keeps, and the fingerprint taken over it. */
import { LockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { AppContext } from "../base/context.ts";
import { readValue } from "./read-value.ts";

export type Fields = ReadonlyMap<string, SecretValue>;

/** Same fields, same text: what fingerprints of whole versions are taken over. */
export function serializeFields(fields: Fields): string {
  const names = [...fields.keys()].sort();
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, fields.get(name)?.reveal() ?? ""])));
}

/** Of all fields together: equal ones tell that it is the same value. */
export function fingerprintOf({ fingerprinter }: AppContext, secretId: string, fields: Fields): string {
  return fingerprinter.fingerprint(secretId, SecretValue.of(serializeFields(fields)));
}

/**
 * Never within a transaction: the value may be kept elsewhere. Throws NOT_FOUND for a version that is destroyed or never
 * was, and what `readValue` throws.
 */
export async function openFields(
  context: AppContext,
  repositories: Repositories,
  secretId: string,
  version: number,
): Promise<Fields> {
  const placed = await repositories.valuePlaces.of(secretId, version);
  if (placed === null) {
    throw new LockstepError(
      "NOT_FOUND",
      `Cannot open version ${version}: it does not exist or is destroyed.`,
      {
        details: { secretId, version },
      },
    );
  }
  return parseFields(await readValue(context, placed));
}

function parseFields(plain: string): Fields {
  const parsed = JSON.parse(plain) as Record<string, string>;
  return new Map(Object.entries(parsed).map(([name, value]) => [name, SecretValue.of(value)]));
}
