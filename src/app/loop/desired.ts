/** What one target must hold now: read from the store, with values opened as late as the comparison needs them. */

import type { Repositories } from "../../core/ports/store/store.ts";
import type { LoopBinding, PrunableKey } from "../../core/ports/store/targets.ts";
import type { DesiredSlot, PrunedSlot } from "../../core/reconcile/plan-change.ts";
import { slotsOf } from "../../core/rollout/slots.ts";
import { PLAIN_FIELD } from "../../core/secret.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import { renderFields, templateFields } from "../../core/template.ts";
import type { AppContext } from "../context.ts";
import { type Fields, openFields } from "../secret-fields.ts";

/** Older versions by which a place's value is recognised; beyond them it is `unknown`. */
const MAX_KNOWN_VERSIONS = 20;

export interface Desired {
  readonly slots: readonly DesiredSlot[];
  readonly pruned: readonly (PrunedSlot & { readonly place: string })[];
  readonly bindings: readonly LoopBinding[];
}

export async function loadDesired(context: AppContext, targetId: string): Promise<Desired> {
  const { read } = context.store;
  const [bindings, prunable] = await Promise.all([
    read.targets.bindings(targetId),
    read.targets.prunable(targetId),
  ]);
  const versionsOf = memoize((secretId: string) => openKnownVersions(context, read, secretId));

  const slots: DesiredSlot[] = [];
  for (const binding of bindings) {
    for (const { slot, version } of slotsOf(binding.role, binding.currentVersion, binding.rollout)) {
      if (version === null) continue;
      const versions = await versionsOf(binding.secretId);
      const wanted = versions.get(version);
      // Compromised or destroyed: never pushed. What stands there stays until there is a better version.
      if (wanted === undefined || wanted.compromised) continue;
      const value = renderFields(wanted.fields, binding.template);
      const settledVersion = binding.settled[slot] ?? null;
      slots.push({
        bindingId: binding.id,
        secretId: binding.secretId,
        placement: binding.placement,
        key: slot === "primary" ? binding.key : binding.fallbackKey,
        slot,
        version,
        value,
        owned: settledVersion !== null,
        takeOver: binding.takeOver,
        settledVersion,
        others: renderKnown(versions, binding.template, version),
      });
    }
  }
  const pruned = await Promise.all(
    prunable.map(async (key) => toPruned(key, await versionsOf(key.secretId))),
  );
  return { slots, pruned, bindings };
}

function toPruned(
  key: PrunableKey,
  versions: ReadonlyMap<number, OpenedVersion>,
): PrunedSlot & { place: string } {
  return {
    place: key.place,
    placement: key.placement,
    key: key.key,
    bindingId: key.bindingId,
    secretId: key.secretId,
    slot: key.slot,
    known: renderKnown(versions, key.template, null),
  };
}

interface OpenedVersion {
  readonly fields: Fields;
  readonly compromised: boolean;
}

async function openKnownVersions(
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
      fields: await openFields(context, read, secretId, version.version),
    })),
  );
  return new Map(opened.map(({ version, ...rest }) => [version, rest]));
}

/** By which a value at a place is recognised, compromised versions included. */
function renderKnown(
  versions: ReadonlyMap<number, OpenedVersion>,
  template: string | null,
  except: number | null,
): ReadonlyMap<number, SecretValue> {
  const rendered = new Map<number, SecretValue>();
  for (const [version, { fields }] of versions) {
    // An older version may lack a field that today's template names: it cannot stand at the place then.
    const complete = templateFields(template ?? `{{${PLAIN_FIELD}}}`).every((name) => fields.has(name));
    if (version !== except && complete) rendered.set(version, renderFields(fields, template));
  }
  return rendered;
}

function memoize<T>(load: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const cache = new Map<string, Promise<T>>();
  return (key) => {
    const known = cache.get(key) ?? load(key);
    cache.set(key, known);
    return known;
  };
}
