/**
 * Desired against stored → the changes that make them equal. Pure and convergent: after its changes are made, the
 * same desire gives none.
 *
 * Only the environments that the configuration holds are compared: what it does not speak of is never removed. A
 * binding is known by (secret, target, placement, key); another key or file is another binding, because what stands
 * at the old one is a matter of its own.
 */

import { canonicalJson } from "../../lib/canonical-json.ts";
import type {
  BindingContent,
  OwnedKey,
  StoredBinding,
  StoredConfig,
  StoredSecret,
  StoredTarget,
} from "../store/config.ts";
import {
  type DesiredBinding,
  type DesiredConfig,
  type DesiredSecret,
  type DesiredTarget,
  targetId,
} from "./desired-config.ts";

/** How the given credential stands to the stored one; `kept`: none was given, the stored one stays. */
export type CredentialsVerdict = "same" | "new" | "kept" | "none";

export type Difference =
  | { readonly subject: "environment"; readonly action: "create"; readonly name: string }
  | { readonly subject: "secret"; readonly action: "create"; readonly desired: DesiredSecret }
  | {
      readonly subject: "secret";
      readonly action: "change";
      readonly desired: DesiredSecret;
      readonly stored: StoredSecret;
    }
  | { readonly subject: "secret"; readonly action: "remove"; readonly stored: StoredSecret }
  | { readonly subject: "target"; readonly action: "create"; readonly desired: DesiredTarget }
  | {
      readonly subject: "target";
      readonly action: "change";
      readonly desired: DesiredTarget;
      readonly stored: StoredTarget;
      readonly changed: readonly string[];
    }
  | { readonly subject: "target"; readonly action: "remove"; readonly stored: StoredTarget }
  | { readonly subject: "binding"; readonly action: "create"; readonly desired: DesiredBinding }
  | {
      readonly subject: "binding";
      readonly action: "change";
      readonly desired: DesiredBinding;
      readonly stored: StoredBinding;
      readonly changed: readonly string[];
    }
  | { readonly subject: "binding"; readonly action: "remove"; readonly stored: StoredBinding }
  /** Deleting what Lockstep wrote at a place whose binding is gone, or goes now. */
  | { readonly subject: "key"; readonly action: "delete"; readonly owned: OwnedKey };

export interface DiffOptions {
  readonly prune: boolean;
  /**
   * Whether the key's target, as it is desired, still is at the place where the key stands. Through a target that
   * moved, a deletion would reach the same key at another place.
   */
  readonly isReachable: (owned: OwnedKey) => boolean;
  /** By `targetId`. */
  readonly credentials: ReadonlyMap<string, CredentialsVerdict>;
}

export function diffConfig(
  desired: DesiredConfig,
  stored: StoredConfig,
  options: DiffOptions,
): readonly Difference[] {
  const bindings = diffBindings(desired, stored);
  const deletions = options.prune ? deletionsOf(desired, stored, bindings, options) : [];
  return [
    ...desired.environments
      .filter((name) => !stored.environments.includes(name))
      .map((name): Difference => ({ subject: "environment", action: "create", name })),
    ...diffSecrets(desired, stored),
    ...diffTargets(desired, stored, options, deletions),
    ...bindings,
    ...deletions,
  ];
}

function diffSecrets(desired: DesiredConfig, stored: StoredConfig): Difference[] {
  const live = stored.secrets.filter((secret) => !secret.removed);
  const known = new Map(live.map((secret) => [`${secret.environment}/${secret.name}`, secret]));
  const wanted = new Set(desired.secrets.map((secret) => `${secret.environment}/${secret.name}`));
  return [
    ...desired.secrets.flatMap((secret): Difference[] => {
      const before = known.get(`${secret.environment}/${secret.name}`);
      if (before === undefined) return [{ subject: "secret", action: "create", desired: secret }];
      if (sameJson(before.policy, secret.policy)) return [];
      return [{ subject: "secret", action: "change", desired: secret, stored: before }];
    }),
    ...live
      .filter((secret) => desired.environments.includes(secret.environment))
      .filter((secret) => !wanted.has(`${secret.environment}/${secret.name}`))
      .map((secret): Difference => ({ subject: "secret", action: "remove", stored: secret })),
  ];
}

function diffTargets(
  desired: DesiredConfig,
  stored: StoredConfig,
  options: DiffOptions,
  deletions: readonly Difference[],
): Difference[] {
  const known = new Map(stored.targets.map((target) => [targetId(target.environment, target.name), target]));
  const wanted = new Set(desired.targets.map((target) => targetId(target.environment, target.name)));
  const waiting = new Set([
    ...stored.owned
      .filter((owned) => owned.prune && options.isReachable(owned))
      .map((owned) => owned.targetId),
    ...deletions.flatMap((deletion) => (deletion.subject === "key" ? [deletion.owned.targetId] : [])),
  ]);
  return [
    ...desired.targets.flatMap((target): Difference[] => {
      const id = targetId(target.environment, target.name);
      const before = known.get(id);
      if (before === undefined) return [{ subject: "target", action: "create", desired: target }];
      const changed = [
        ...(before.kind === target.kind ? [] : ["kind"]),
        ...(before.destination === target.destination ? [] : ["address"]),
        ...(sameJson(before.config, target.config) ? [] : ["config"]),
        ...(options.credentials.get(id) === "new" ? ["credential"] : []),
      ];
      return changed.length === 0
        ? []
        : [{ subject: "target", action: "change", desired: target, stored: before, changed }];
    }),
    ...stored.targets
      .filter((target) => desired.environments.includes(target.environment))
      .filter((target) => !wanted.has(targetId(target.environment, target.name)))
      // The place can be reached only while its target is there: deletions come first, the target goes with a later apply.
      .filter((target) => !waiting.has(target.id))
      .map((target): Difference => ({ subject: "target", action: "remove", stored: target })),
  ];
}

function diffBindings(desired: DesiredConfig, stored: StoredConfig): Difference[] {
  const known = new Map(stored.bindings.map((binding) => [bindingId(binding), binding]));
  const wanted = new Set(desired.bindings.map(bindingId));
  const removed = stored.bindings
    .filter((binding) => desired.environments.includes(binding.secretEnvironment))
    .filter((binding) => !wanted.has(bindingId(binding)));
  return [
    // First, so that another binding may own the key from now on.
    ...removed.map((binding): Difference => ({ subject: "binding", action: "remove", stored: binding })),
    ...desired.bindings.flatMap((binding): Difference[] => {
      const before = known.get(bindingId(binding));
      if (before === undefined) return [{ subject: "binding", action: "create", desired: binding }];
      const changed = changedContent(binding, before);
      if (before.place !== binding.place) changed.push("place");
      return changed.length === 0
        ? []
        : [{ subject: "binding", action: "change", desired: binding, stored: before, changed }];
    }),
  ];
}

function changedContent(desired: BindingContent, stored: BindingContent): string[] {
  const keys = ["role", "fallbackKey", "template", "optional", "drift", "options"] as const;
  return keys.filter((key) => !sameJson(desired[key], stored[key]));
}

function deletionsOf(
  desired: DesiredConfig,
  stored: StoredConfig,
  bindings: readonly Difference[],
  options: DiffOptions,
): Difference[] {
  const going = new Set(
    bindings.flatMap((change) =>
      change.subject === "binding" && change.action === "remove" ? [change.stored.id] : [],
    ),
  );
  const claimed = new Set(desired.bindings.flatMap((binding) => claimsOf(binding).map(keyId)));
  return (
    stored.owned
      .filter((owned) => owned.written && !owned.prune && (!owned.live || going.has(owned.bindingId)))
      // What another binding claims is its own from now on.
      .filter((owned) => !claimed.has(keyId(owned)))
      .filter((owned) => desired.environments.includes(owned.secretEnvironment))
      .filter((owned) => options.isReachable(owned))
      .map((owned): Difference => ({ subject: "key", action: "delete", owned }))
  );
}

export function claimsOf(
  binding: Pick<DesiredBinding, "place" | "key" | "fallbackKey">,
): readonly { readonly place: string; readonly key: string; readonly slot: "primary" | "fallback" }[] {
  return [
    { place: binding.place, key: binding.key, slot: "primary" },
    { place: binding.place, key: binding.fallbackKey, slot: "fallback" },
  ];
}

export function keyId({ place, key }: { readonly place: string; readonly key: string }): string {
  return JSON.stringify([place, key]);
}

export function bindingId(
  binding: Omit<
    Pick<
      DesiredBinding,
      "secretEnvironment" | "secret" | "targetEnvironment" | "target" | "placement" | "key"
    >,
    never
  >,
): string {
  const { secretEnvironment, secret, targetEnvironment, target, placement, key } = binding;
  return JSON.stringify([secretEnvironment, secret, targetEnvironment, target, placement, key]);
}

function sameJson(left: unknown, right: unknown): boolean {
  return canonicalJson(left) === canonicalJson(right);
}
