/** What forbids a difference from being applied, all of it at once. Pure. */
import type { ConfigPath, ConfigProblem } from "../../protocol/config-problem.ts";
import type { ErrorCode } from "../errors.ts";
import type { OwnedKey, StoredConfig } from "../store/config.ts";
import { type DesiredBinding, type DesiredConfig, targetId } from "./desired-config.ts";
import { type CredentialsVerdict, claimsOf, type Difference, keyId } from "./diff-config.ts";

export interface PlanProblem extends ConfigProblem {
  readonly code: ErrorCode;
}

export interface CheckedDifference {
  readonly desired: DesiredConfig;
  readonly stored: StoredConfig;
  readonly differences: readonly Difference[];
  /** Who owns keys at the desired places, in the whole store. */
  readonly owners: readonly OwnedKey[];
  readonly credentials: ReadonlyMap<string, CredentialsVerdict>;
  readonly allowShrink: boolean;
  /** The explicit word for taking places out of rollouts that are under way. */
  readonly duringRollout: boolean;
}

export function checkDifference(checked: CheckedDifference): readonly PlanProblem[] {
  return [
    ...(checked.allowShrink ? [] : shrunken(checked)),
    ...takenPlaces(checked),
    ...changedDestinations(checked),
    ...orphanedBindings(checked),
    ...(checked.duringRollout ? [] : leavingRollouts(checked)),
  ];
}

function shrunken({ stored, desired, differences }: CheckedDifference): PlanProblem[] {
  const inScope = (environment: string): boolean => desired.environments.includes(environment);
  const counted = [
    ["binding", "bindings", stored.bindings.filter((binding) => inScope(binding.secretEnvironment)).length],
    ["secret", "secrets", stored.secrets.filter((secret) => !secret.removed).length],
    ["target", "targets", stored.targets.length],
  ] as const;
  const lost = counted.flatMap(([subject, words, before]) => {
    const removed = differences.filter(
      (change) => change.subject === subject && change.action === "remove",
    ).length;
    return removed * 2 > before ? [`${removed} of ${before} ${words}`] : [];
  });
  if (lost.length === 0) return [];
  return [
    {
      code: "CONFIG_SHRUNKEN",
      path: [],
      message: `would remove ${lost.join(", ")}: more than half`,
      remedy: "Check that the file is whole. If that is meant, repeat with --allow-shrink.",
    },
  ];
}

function takenPlaces({ desired, owners }: CheckedDifference): PlanProblem[] {
  // Owners of the desired environments are what the configuration says; only the others are taken from the store.
  const ownedBy = new Map(
    owners
      .filter((owned) => owned.live && !desired.environments.includes(owned.secretEnvironment))
      .map((owned) => [keyId(owned), owned]),
  );
  const claimedBy = new Map<string, DesiredBinding>();
  return desired.bindings.flatMap((binding) =>
    claimsOf(binding).flatMap((claim) => {
      const id = keyId(claim);
      const other = claimedBy.get(id) ?? ownedBy.get(id);
      if (!claimedBy.has(id)) claimedBy.set(id, binding);
      return other === undefined ? [] : [taken(binding.path, claim.key, other)];
    }),
  );
}

type Named = Pick<DesiredBinding, "secretEnvironment" | "secret" | "targetEnvironment" | "target">;

function taken(path: ConfigPath, key: string, owner: Named): PlanProblem {
  return {
    code: "PLACE_TAKEN",
    path,
    message: `claims ${key}, which ${owner.secretEnvironment}/${owner.secret} at ${owner.targetEnvironment}/${owner.target} owns there`,
    remedy: "Let one binding own the key, or give one another `key:` or `fallbackKey:`.",
  };
}

function changedDestinations({ differences, credentials }: CheckedDifference): PlanProblem[] {
  return differences.flatMap((change): PlanProblem[] => {
    if (change.subject !== "target" || change.action !== "change") return [];
    const { desired, stored, changed } = change;
    const kept = credentials.get(targetId(desired.environment, desired.name)) === "kept";
    if (
      !kept ||
      stored.credentialsSealed === null ||
      !(changed.includes("address") || changed.includes("kind"))
    ) {
      return [];
    }
    return [
      {
        code: "DESTINATION_CHANGED",
        path: desired.path,
        message: "has another address, and the stored credential belongs to the old one",
        remedy: "Give the credential again for the new address.",
      },
    ];
  });
}

/** Another environment's bindings are not this configuration's to remove. */
function orphanedBindings({ desired, stored, differences }: CheckedDifference): PlanProblem[] {
  return differences.flatMap((change): PlanProblem[] => {
    if (change.subject !== "target" || change.action !== "remove") return [];
    const bound = stored.bindings.find(
      (binding) =>
        binding.targetId === change.stored.id && !desired.environments.includes(binding.secretEnvironment),
    );
    if (bound === undefined) return [];
    return [
      {
        code: "CONFIG_INVALID",
        path: ["environments", change.stored.environment, "targets"],
        message: `lacks ${change.stored.name}, which ${bound.secretEnvironment}/${bound.secret} is bound to`,
        remedy: `Keep the target, or take the binding out of environment ${bound.secretEnvironment} first.`,
      },
    ];
  });
}

function leavingRollouts({ stored, differences }: CheckedDifference): PlanProblem[] {
  const moving = new Set(stored.secrets.filter((secret) => secret.moving).map((secret) => secret.id));
  return differences.flatMap((change): PlanProblem[] => {
    if (change.subject !== "binding" || change.action !== "remove") return [];
    const { stored: binding } = change;
    if (binding.optional || !moving.has(binding.secretId)) return [];
    return [
      {
        code: "ROLLOUT_OPEN",
        path: ["environments", binding.secretEnvironment, "secrets", binding.secret],
        message: `is moving to a new version, and would lose its place at ${binding.target}`,
        remedy:
          "Wait for the rollout, or repeat with --during-rollout when it is to go on without that place.",
      },
    ];
  });
}
