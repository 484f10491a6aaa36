/** The values by which a place is recognised: of a secret's versions, each rendered as a binding stores it. */
import { LockstepError } from "../../core/errors.ts";
import { PLAIN_FIELD } from "../../core/secret.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { LoopBinding } from "../../core/store/targets.ts";
import { renderFields, templateFields } from "../../core/template.ts";
import { memoize } from "../../lib/memoize.ts";
import type { AppContext } from "../base/context.ts";
import { type Fields, openFields } from "../values/secret-fields.ts";

/** Older versions by which a place's value is recognised; beyond them it is `unknown`. */
const MAX_KNOWN_VERSIONS = 20;

export interface KnownBinding {
  readonly binding: LoopBinding;
  readonly versions: ReadonlyMap<number, SecretValue>;
  /** Of these, what must never be pushed nor sent again. */
  readonly compromised: ReadonlySet<number>;
}

/** The live bindings of a target. */
export async function loadKnown(context: AppContext, targetId: string): Promise<readonly KnownBinding[]> {
  const { read } = context.store;
  const versionsOf = memoize((secretId: string) => openKnownVersions(context, read, secretId));
  const bindings = await read.targets.bindings(targetId);
  return Promise.all(
    bindings.map(async (binding) => {
      const versions = await versionsOf(binding.secretId);
      return {
        binding,
        versions: renderKnown(versions, binding),
        compromised: new Set([...versions].flatMap(([number, one]) => (one.compromised ? [number] : []))),
      };
    }),
  );
}

export interface OpenedVersion {
  /** None where the value could not be used. */
  readonly fields: Fields;
  readonly compromised: boolean;
  /** Its value was changed or removed where it is kept: whoever needs this very version throws it. */
  readonly changed: LockstepError | null;
}

/** The newest of a secret, without destroyed ones. */
export async function openKnownVersions(
  context: AppContext,
  read: Repositories,
  secretId: string,
): Promise<ReadonlyMap<number, OpenedVersion>> {
  const versions = (await read.secrets.versions(secretId))
    .filter((version) => version.state !== "destroyed")
    .slice(0, MAX_KNOWN_VERSIONS);
  const opened = await Promise.all(
    versions.map(async (version) => ({
      version: version.version,
      compromised: version.compromisedAt !== null,
      ...(await openUnchanged(context, read, secretId, version.version)),
    })),
  );
  return new Map(opened.map(({ version, ...rest }) => [version, rest]));
}

/** An old value that somebody removed must not keep the others from their places. */
async function openUnchanged(
  context: AppContext,
  read: Repositories,
  secretId: string,
  version: number,
): Promise<Pick<OpenedVersion, "changed" | "fields">> {
  try {
    return { fields: await openFields(context, read, secretId, version), changed: null };
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== "VALUE_STORE_CHANGED") throw error;
    return { fields: new Map(), changed: error };
  }
}

/** Compromised versions are recognised as well. */
export function renderKnown(
  versions: ReadonlyMap<number, OpenedVersion>,
  { template, except }: { readonly template: string | null; readonly except?: number },
): ReadonlyMap<number, SecretValue> {
  const rendered = new Map<number, SecretValue>();
  for (const [version, { fields }] of versions) {
    // An older version may lack a field that today's template names: it cannot stand at the place then.
    const complete = templateFields(template ?? `{{${PLAIN_FIELD}}}`).every((name) => fields.has(name));
    if (version !== except && complete) rendered.set(version, renderFields(fields, template));
  }
  return rendered;
}
