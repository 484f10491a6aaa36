/** The versions by which a place's value is recognised, opened once per secret and rendered as a binding stores them. */
import type { Repositories } from "../../core/ports/store/store.ts";
import { PLAIN_FIELD } from "../../core/secret.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import { renderFields, templateFields } from "../../core/template.ts";
import type { AppContext } from "../context.ts";
import { type Fields, openFields } from "../secret-fields.ts";

/** Beyond them a value counts as foreign. */
const MAX_KNOWN_VERSIONS = 20;

export async function openKnownVersions(
  context: AppContext,
  repositories: Repositories,
  secretId: string,
): Promise<ReadonlyMap<number, Fields>> {
  const versions = (await repositories.secrets.versions(secretId))
    .filter((version) => version.state !== "destroyed")
    .slice(0, MAX_KNOWN_VERSIONS);
  const opened = versions.map(
    async ({ version }) => [version, await openFields(context, repositories, secretId, version)] as const,
  );
  return new Map(await Promise.all(opened));
}

/** Versions that lack a field of the template cannot stand at the place. */
export function renderVersions(
  versions: ReadonlyMap<number, Fields>,
  template: string | null,
): ReadonlyMap<number, SecretValue> {
  const needed = templateFields(template ?? `{{${PLAIN_FIELD}}}`);
  return new Map(
    [...versions]
      .filter(([, fields]) => needed.every((name) => fields.has(name)))
      .map(([version, fields]) => [version, renderFields(fields, template)]),
  );
}
