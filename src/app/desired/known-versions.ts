/** The versions by which a place's value is recognised, opened once per secret and rendered as a binding stores them. */

import { PLAIN_FIELD } from "../../core/secret.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { Repositories } from "../../core/store/store.ts";
import { renderFields, templateFields } from "../../core/template.ts";
import type { AppContext } from "../base/context.ts";
import type { Fields } from "../values/secret-fields.ts";
import { openKnownVersions as openWithMarks } from "./known-bindings.ts";

/** Without those whose value was changed or removed where it is kept: nothing is recognised by them. */
export async function openKnownVersions(
  context: AppContext,
  repositories: Repositories,
  secretId: string,
): Promise<ReadonlyMap<number, Fields>> {
  const opened = await openWithMarks(context, repositories, secretId);
  return new Map(
    [...opened].flatMap(([version, { fields, changed }]) => (changed === null ? [[version, fields]] : [])),
  );
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
