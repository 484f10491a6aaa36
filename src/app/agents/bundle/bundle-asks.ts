/**
 * What an agent is to ask on its own machine. The questions are in every bundle, so that the machine's owner learns
 * before a rotation what the policy would need; values come along while a rollout waits for the answers, and only such
 * as the place holds or is to refuse.
 */

import { probedVersions } from "../../../core/rollout/gates.ts";
import type { LoopBinding } from "../../../core/store/targets.ts";
import type { BundleAsk } from "../../../protocol/agent/asks.ts";
import type { AppContext } from "../../base/context.ts";
import type { Desired } from "../../desired/desired.ts";
import { type KnownBinding, loadKnown } from "../../desired/known-values.ts";
import { isReadAtTarget } from "../../observe/observe-verifier.ts";
import { isProbedFromTarget, reloadOf } from "../../observe/probe-binding.ts";

export async function bundleAsks(
  context: AppContext,
  targetId: string,
  desired: Desired,
): Promise<readonly BundleAsk[]> {
  const asked = desired.bindings.flatMap((binding) => {
    const there = askedThere(binding);
    return there === null ? [] : [{ binding, there }];
  });
  // Opens values, so only where they are needed.
  const known = asked.some(({ binding }) => binding.rollout !== null)
    ? await loadKnown(context, targetId)
    : [];
  return await Promise.all(
    asked.map(async ({ binding, there }): Promise<BundleAsk> => {
      const one = known.find(({ binding: { id } }) => id === binding.id);
      const versions = one === undefined ? [] : versionsOf(one, desired);
      return {
        bindingId: binding.id,
        secret: binding.secretName,
        ...there,
        versions,
        ...(one === undefined || versions.length === 0 ? {} : reloadThere(one)),
        ...(binding.options.authority ? { authority: true as const } : {}),
        tokens: versions.length === 0 ? [] : await tokensOf(context, binding, desired),
      };
    }),
  );
}

/** Null: nothing about this binding is asked from its machine. */
function askedThere({ role, options }: LoopBinding): Pick<BundleAsk, "probe" | "usage"> | null {
  const { probe, usage } = options;
  const there = {
    probe: probe !== null && isProbedFromTarget(probe) ? probe : null,
    usage: usage !== null && isReadAtTarget(usage) ? usage : null,
  };
  if (role === "caller" || (there.probe === null && there.usage === null)) return null;
  return there as Pick<BundleAsk, "probe" | "usage">;
}

/** The agent asks after it has written, so that what is wanted stands there then. */
function reloadThere(known: KnownBinding): Pick<BundleAsk, "reload"> {
  const reload = reloadOf(known, known.binding.options.probe);
  if (reload === null) return {};
  const { wanted, by } = reload;
  return { reload: { wanted, by: { version: by.version, value: by.value.reveal() } } };
}

/** Of the token's secret what the target holds anyway: an agent learns nothing that is not bound to it. */
async function tokensOf(
  { store }: AppContext,
  { secretId, options }: LoopBinding,
  { slots }: Desired,
): Promise<string[]> {
  const name = options.usage?.["token"];
  const own = await store.read.secrets.findById(secretId);
  if (typeof name !== "string" || own === null) return [];
  const token = await store.read.secrets.find(own.environment, name);
  return slots.filter((slot) => slot.secretId === token?.id).map(({ value }) => value.reveal());
}

function versionsOf(
  { binding, versions, compromised }: KnownBinding,
  desired: Desired,
): BundleAsk["versions"] {
  if (binding.rollout === null) return [];
  const held = new Set(
    desired.slots.flatMap(({ bindingId, version }) => (bindingId === binding.id ? [version] : [])),
  );
  const { fromVersion } = binding.rollout;
  return probedVersions(binding.rollout, binding.options.counterProbed).flatMap((version) => {
    const value = versions.get(version);
    const isKnownThere = held.has(version) || version === fromVersion;
    if (value === undefined || compromised.has(version) || !isKnownThere) return [];
    return [{ version, value: value.reveal() }];
  });
}
