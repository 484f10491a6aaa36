/**
 * What the schema cannot say: names that refer to each other, places that two bindings would share, templates and
 * fields, keys that steer interpreters. Pure; the CLI runs it to point at lines, the server because it trusts no
 * client. It answers every problem, not the first.
 */
import {
  type BindingConfig,
  CONFIG_TARGET_EXTRAS,
  CONFIG_TARGET_KINDS,
  type Config,
  type SecretConfig,
  type TargetConfig,
} from "../../protocol/config.ts";
import { type ConfigPath, type ConfigProblem, didYouMean, listed } from "../../protocol/config-problem.ts";
import { PLAIN_FIELD } from "../secret.ts";
import { templateFields } from "../template.ts";
import { steeringReason } from "./steering-keys.ts";

/** Names of targets by environment: also of those whose own configuration is faulty, so that one error stays one. */
export type KnownTargets = ReadonlyMap<string, readonly string[]>;

function knownTargetsOf(config: Config): KnownTargets {
  return new Map(
    Object.entries(config.environments).map(([name, { targets }]) => [name, Object.keys(targets)]),
  );
}

export interface Known {
  /** Targets by environment. Left out: those of the configuration. */
  readonly targets?: KnownTargets;
  /** Of the process that serves. Left out: those of this release. */
  readonly kinds?: Iterable<string>;
}

export function checkConfig(config: Config, known: Known = {}): readonly ConfigProblem[] {
  const knownTargets = known.targets ?? knownTargetsOf(config);
  const kinds = kindsOf(known.kinds);
  const problems: ConfigProblem[] = [];
  const places = new Map<string, string>();
  for (const [environment, { secrets, targets }] of Object.entries(config.environments)) {
    const root = ["environments", environment];
    for (const [name, target] of Object.entries(targets)) {
      problems.push(...checkTarget(target, [...root, "targets", name], kinds));
    }
    for (const [name, secret] of Object.entries(secrets)) {
      const path = [...root, "secrets", name];
      problems.push(...checkSecret(secret, path));
      for (const [index, binding] of secret.bindings.entries()) {
        const at = [...path, "bindings", index];
        problems.push(
          ...checkReference(binding, environment, knownTargets, at),
          ...checkKeys(binding, name, at),
          ...checkTemplate(binding, secret, at),
          ...claimPlaces(binding, environment, name, places, at),
        );
      }
    }
  }
  return problems;
}

/** A kind that this release knows is called by its name also where the process cannot serve it. */
function kindsOf(served: Iterable<string> = []): readonly string[] {
  return [...new Set([...CONFIG_TARGET_KINDS, ...served])];
}

/** The kind that stands at a target, or null when none or several do. `served`: kinds of the process. */
export function targetKindOf(target: TargetConfig, served: Iterable<string>): string | null {
  const kinds = kindsOf(served).filter((kind) => Object.hasOwn(target, kind));
  return kinds.length === 1 ? (kinds[0] ?? null) : null;
}

function checkTarget(target: TargetConfig, path: ConfigPath, offered: readonly string[]): ConfigProblem[] {
  const kinds = offered.filter((kind) => Object.hasOwn(target, kind));
  if (kinds.length > 1) {
    return [
      {
        path,
        message: `names several kinds: ${listed(kinds, "and")}`,
        remedy: "Keep one of them, and make a second target for the other.",
      },
    ];
  }
  const strange = Object.keys(target).filter(
    (key) => !kinds.some((kind) => kind === key) && !CONFIG_TARGET_EXTRAS.some((extra) => extra === key),
  );
  const problems = strange.map((key) => ({
    path: [...path, key],
    message:
      kinds.length === 0
        ? "is neither a kind of target nor a key beside one"
        : "is not a known key of a target",
    remedy:
      didYouMean(key, [...offered, ...CONFIG_TARGET_EXTRAS]) ??
      (kinds.length === 0
        ? `Kinds are ${listed(offered, "and")}; beside one may stand ${listed(CONFIG_TARGET_EXTRAS, "and")}.`
        : `Remove it; known here: ${[...kinds, ...CONFIG_TARGET_EXTRAS].join(", ")}.`),
  }));
  // A misspelt kind is one mistake, told once.
  if (kinds.length === 0 && problems.length === 0) {
    return [{ path, message: "does not say its kind", remedy: `Add one of ${listed(offered, "or")}.` }];
  }
  return problems;
}

function checkSecret(secret: SecretConfig, path: ConfigPath): ConfigProblem[] {
  if (secret.fields === undefined) return [];
  const problems: ConfigProblem[] = [];
  if (Object.keys(secret.fields).length === 0) {
    problems.push({
      path: [...path, "fields"],
      message: "names no field",
      remedy: "Name fields, or leave it out.",
    });
  }
  if (secret.generate !== undefined) {
    problems.push({
      path: [...path, "generate"],
      message: "is next to `fields`, so it is unclear which field it makes",
      remedy: "Move it below the field that it makes.",
    });
  }
  return problems;
}

function checkReference(
  binding: BindingConfig,
  environment: string,
  knownTargets: KnownTargets,
  path: ConfigPath,
): ConfigProblem[] {
  const where = binding.environment ?? environment;
  const known = knownTargets.get(where);
  // An environment that this configuration does not hold: the server knows what is there.
  if (known === undefined || known.includes(binding.target)) return [];
  const elsewhere = [...knownTargets].find(([, names]) => names.includes(binding.target));
  const remedy =
    elsewhere === undefined
      ? (didYouMean(binding.target, known) ??
        `Add it below \`targets\`; there is ${listed(known, "and") || "none yet"}.`)
      : `It is a target of ${elsewhere[0]}; if crossing is meant, add \`environment: ${elsewhere[0]}\`.`;
  return [{ path: [...path, "target"], message: `is not a target of environment ${where}`, remedy }];
}

function checkKeys(binding: BindingConfig, secretName: string, path: ConfigPath): ConfigProblem[] {
  const { key, fallbackKey } = keysOf(binding, secretName);
  const problems: ConfigProblem[] = [];
  if (key === fallbackKey) {
    problems.push({
      path: [...path, "fallbackKey"],
      message: "is the same as the key",
      remedy: "Give the fallback a key of its own, or leave it out.",
    });
  }
  const steering = [key, fallbackKey].map(steeringReason).find((reason) => reason !== null);
  if (binding.allowSteeringKey !== true && steering !== undefined) {
    problems.push({
      path: binding.key === undefined ? path : [...path, "key"],
      message: `uses a key that steers programs: it ${steering}`,
      remedy: "Choose another key, or add `allowSteeringKey: true` when that is meant.",
    });
  }
  return problems;
}

function checkTemplate(binding: BindingConfig, secret: SecretConfig, path: ConfigPath): ConfigProblem[] {
  const fields = secret.fields === undefined ? [PLAIN_FIELD] : Object.keys(secret.fields);
  if (binding.template === undefined) {
    if (fields.includes(PLAIN_FIELD)) return [];
    return [
      {
        path,
        message: "needs a template, because the secret has several fields",
        remedy: `Add \`template:\`, for example "{{${fields[0] ?? PLAIN_FIELD}}}".`,
      },
    ];
  }
  const named = templateFields(binding.template);
  const at = [...path, "template"];
  if (named.length === 0) {
    return [
      {
        path: at,
        message: "names no field",
        remedy: `Write {{${fields[0] ?? PLAIN_FIELD}}} where it belongs.`,
      },
    ];
  }
  return [...new Set(named)]
    .filter((name) => !fields.includes(name))
    .map((name) => ({
      path: at,
      message: "names a field that the secret does not have",
      remedy: didYouMean(name, fields) ?? `Use ${listed(fields, "or")}.`,
    }));
}

function claimPlaces(
  binding: BindingConfig,
  environment: string,
  secretName: string,
  places: Map<string, string>,
  path: ConfigPath,
): ConfigProblem[] {
  const { key, fallbackKey } = keysOf(binding, secretName);
  const problems: ConfigProblem[] = [];
  for (const [word, claimed] of [
    ["key", key],
    ["fallback key", fallbackKey],
  ] as const) {
    const place = JSON.stringify([
      binding.environment ?? environment,
      binding.target,
      binding.file ?? "",
      claimed,
    ]);
    const owner = places.get(place);
    if (owner !== undefined && owner !== JSON.stringify(path)) {
      problems.push({
        path,
        message: `has a ${word} that another binding at this target already owns`,
        remedy: `Look at ${ownerText(owner)}; let one of them own ${claimed}, or give one another \`key:\` or \`fallbackKey:\`.`,
      });
    }
    places.set(place, owner ?? JSON.stringify(path));
  }
  return problems;
}

function ownerText(path: string): string {
  const [, , , name, , index] = JSON.parse(path) as (string | number)[];
  return `binding ${Number(index) + 1} of ${name}`;
}

export function keysOf(
  binding: Pick<BindingConfig, "key" | "fallbackKey">,
  secretName: string,
): { readonly key: string; readonly fallbackKey: string } {
  const key = binding.key ?? secretName;
  return { key, fallbackKey: binding.fallbackKey ?? `${key}_FALLBACK` };
}
