/**
 * Configuration → what should be stored: kinds have parsed their targets, every binding knows its key, its placement
 * and the place that it claims. Pure: kinds answer about configuration without touching the world.
 *
 * Credentials travel beside and apart, so that nothing that is compared, stored openly or shown can hold one.
 */
import type { BindingConfig, Config, TargetConfig } from "../../protocol/config.ts";
import type { ConfigPath, ConfigProblem } from "../../protocol/config-problem.ts";
import { withoutUnsent } from "../../protocol/credentials.ts";
import { bindingOptionsToStore } from "../binding-options.ts";
import { LockstepError, toLockstepError } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import { policyToStore } from "../policy.ts";
import type { TargetKind } from "../ports/target-kind.ts";
import type { BindingContent } from "../store/config.ts";
import { keysOf, targetKindOf } from "./check-config.ts";
import { issueProblems } from "./issue-problems.ts";

export interface DesiredSecret {
  readonly path: ConfigPath;
  readonly environment: string;
  readonly name: string;
  /** As `core/policy.ts` writes it: no values. */
  readonly policy: JsonObject;
}

export interface DesiredTarget {
  readonly path: ConfigPath;
  readonly environment: string;
  readonly name: string;
  readonly kind: string;
  readonly config: JsonObject;
  readonly destination: string;
}

export interface DesiredBinding extends BindingContent {
  readonly path: ConfigPath;
  readonly secretEnvironment: string;
  readonly secret: string;
  readonly targetEnvironment: string;
  readonly target: string;
  readonly placement: string;
  readonly key: string;
  readonly place: string;
}

export interface DesiredConfig {
  readonly environments: readonly string[];
  readonly secrets: readonly DesiredSecret[];
  readonly targets: readonly DesiredTarget[];
  readonly bindings: readonly DesiredBinding[];
}

/** By `targetId(environment, name)`: what the request gives; null where the kind found none in it. */
export type GivenCredentials = ReadonlyMap<string, JsonObject | null>;

/** A target of an environment that the configuration does not hold. */
export type StoredElsewhere = Pick<DesiredTarget, "environment" | "name" | "kind" | "config">;

export interface Desire {
  readonly desired: DesiredConfig;
  readonly credentials: GivenCredentials;
  /** By `targetId`: a credential is given, and stayed with whoever gave it. */
  readonly unsent: ReadonlySet<string>;
  readonly problems: readonly ConfigProblem[];
}

export function targetId(environment: string, name: string): string {
  return `${environment}/${name}`;
}

export function desiredOf(
  config: Config,
  kinds: ReadonlyMap<string, TargetKind>,
  elsewhere: readonly StoredElsewhere[],
): Desire {
  const problems: ConfigProblem[] = [];
  const credentials = new Map<string, JsonObject | null>();
  const marked = new Set<string>();
  const targets = Object.entries(config.environments).flatMap(([environment, content]) =>
    Object.entries(content.targets).flatMap(([name, target]) => {
      const path = ["environments", environment, "targets", name];
      const sent = withoutUnsent(target);
      if (sent.unsent) marked.add(targetId(environment, name));
      const parsed = parseTarget(sent.target, { path, environment, name }, kinds, problems);
      if (parsed === null) return [];
      credentials.set(targetId(environment, name), parsed.credentials);
      return [parsed.target];
    }),
  );
  const reachable = new Map(
    [...elsewhere, ...targets].map((known) => [targetId(known.environment, known.name), known]),
  );
  const entries = Object.entries(config.environments).flatMap(([environment, content]) =>
    Object.entries(content.secrets).map(([name, secret]) => ({ environment, name, secret })),
  );
  const bindings = entries.flatMap(({ environment, name, secret }) =>
    secret.bindings.flatMap((binding, index) => {
      const path = ["environments", environment, "secrets", name, "bindings", index];
      const target = reachable.get(targetId(binding.environment ?? environment, binding.target));
      const kind = target === undefined ? undefined : kinds.get(target.kind);
      if (target === undefined || kind === undefined) {
        if (binding.environment !== undefined && !Object.hasOwn(config.environments, binding.environment)) {
          problems.push({
            path: [...path, "target"],
            message: `is not a target of environment ${binding.environment}`,
            remedy: "Apply that environment's configuration first.",
          });
        }
        return [];
      }
      const { usage } = binding;
      if (
        usage?.token !== undefined &&
        !Object.hasOwn(config.environments[environment]?.secrets ?? {}, usage.token)
      ) {
        problems.push({
          path: [...path, "usage", "token"],
          message: `names a secret that environment ${environment} does not have`,
          remedy: "Add the secret that holds the endpoint's token, with the service among its bindings.",
        });
      }
      const located = { path, secretEnvironment: environment, secret: name };
      const made = guarded(path, problems, () => bindingOf(binding, located, target, kind));
      return made === null ? [] : [made];
    }),
  );
  problems.push(
    ...entries.flatMap(({ environment, name, secret }) =>
      issueProblems(
        ["environments", environment, "secrets", name],
        secret,
        config.environments[environment]?.secrets ?? {},
      ),
    ),
  );
  const secrets = entries.map(({ environment, name, secret }) => ({
    path: ["environments", environment, "secrets", name],
    environment,
    name,
    policy: policyToStore(secret),
  }));
  return {
    desired: { environments: Object.keys(config.environments), secrets, targets, bindings },
    credentials,
    unsent: marked,
    problems,
  };
}

function parseTarget(
  target: TargetConfig,
  named: { readonly path: ConfigPath; readonly environment: string; readonly name: string },
  kinds: ReadonlyMap<string, TargetKind>,
  problems: ConfigProblem[],
): { readonly target: DesiredTarget; readonly credentials: JsonObject | null } | null {
  const name = targetKindOf(target, kinds.keys());
  const kind = name === null ? undefined : kinds.get(name);
  if (name === null || kind === undefined) {
    if (name !== null) {
      problems.push({
        path: [...named.path, name],
        message: `is a kind of target that this release cannot serve`,
        remedy: `It serves ${[...kinds.keys()].join(", ")}; leave this target out until it can.`,
      });
    }
    return null;
  }
  return guarded(named.path, problems, () => {
    const { config, credentials } = kind.parse(target);
    return { target: { ...named, kind: name, config, destination: kind.destination(config) }, credentials };
  });
}

function bindingOf(
  binding: BindingConfig,
  located: Pick<DesiredBinding, "path" | "secretEnvironment" | "secret">,
  target: StoredElsewhere,
  kind: TargetKind,
): DesiredBinding {
  const { key, fallbackKey } = keysOf(binding, located.secret);
  const placement = kind.resolvePlacement(target.config, binding.file);
  kind.assertHoldable(target.config, { placement, key }, null);
  kind.assertHoldable(target.config, { placement, key: fallbackKey }, null);
  assertAskable(binding, target, kind);
  return {
    ...located,
    targetEnvironment: target.environment,
    target: target.name,
    placement,
    key,
    fallbackKey,
    place: kind.locationKey(target.config, placement, target),
    role: binding.role,
    template: binding.template ?? null,
    optional: binding.optional ?? false,
    drift: binding.drift ?? "report",
    options: bindingOptionsToStore(binding),
  };
}

/** A probe that nobody can ever ask would hold every rotation for good. */
function assertAskable(
  { probe, usage, role, authority }: BindingConfig,
  target: StoredElsewhere,
  kind: TargetKind,
): void {
  const ways = kind.probesThere?.(target.config) ?? [];
  if (authority === true && (probe === undefined || role === "caller")) {
    throw new LockstepError("CONFIG_INVALID", "needs a verifier with a `probe`, which tells that it is one", {
      details: { path: ["authority"] },
      hint: "Leave it out, or give the binding a probe: a value that was changed there is accepted only where the probe accepts it.",
    });
  }
  if (usage !== undefined && role === "caller") {
    throw new LockstepError("CONFIG_INVALID", "counts uses, which only verifiers do", {
      details: { path: ["usage"] },
      hint: "Leave it out at callers.",
    });
  }
  if (usage?.from === "target" && !ways.includes("http")) {
    throw new LockstepError("CONFIG_INVALID", `cannot be read from a target of kind ${kind.kind}`, {
      details: { path: ["usage", "from"] },
      hint: "Let the server read it: leave `from` out.",
    });
  }
  if (usage?.file !== undefined && !ways.includes("file")) {
    throw new LockstepError("CONFIG_INVALID", `cannot be read from a target of kind ${kind.kind}`, {
      details: { path: ["usage", "file"] },
      hint: "Only an agent reads a file of counts; serve them at a `url` here.",
    });
  }
  if (probe?.http?.from === "target" && !ways.includes("http")) {
    throw new LockstepError("CONFIG_INVALID", `cannot be asked from a target of kind ${kind.kind}`, {
      details: { path: ["probe", "http", "from"] },
      hint: "Let the server ask: leave `from` out.",
    });
  }
  if (probe?.openclaw !== undefined && !ways.includes("http")) {
    throw new LockstepError("CONFIG_INVALID", `cannot be asked from a target of kind ${kind.kind}`, {
      details: { path: ["probe", "openclaw"] },
      hint: "A gateway is asked on its own machine: by an agent there, or over SSH.",
    });
  }
  if (probe?.command !== undefined && !ways.includes("command")) {
    throw new LockstepError("CONFIG_INVALID", `cannot be run at a target of kind ${kind.kind}`, {
      details: { path: ["probe", "command"] },
      hint: "Commands are run on hosts over SSH, by accounts that have a shell; use `probe: { http: … }` here.",
    });
  }
}

/** A kind's refusal becomes a problem at the path that it names, below `path`. */
function guarded<T>(path: ConfigPath, problems: ConfigProblem[], work: () => T): T | null {
  try {
    return work();
  } catch (thrown) {
    const error = toLockstepError(thrown);
    // Our own defects are not the configuration's.
    if (error.code === "INTERNAL") throw thrown;
    problems.push({
      path: [...path, ...detailPath(error.details["path"])],
      message: `is refused: ${error.message}`,
      remedy: error.hint,
    });
    return null;
  }
}

function detailPath(path: unknown): ConfigPath {
  if (typeof path === "string") return path.split(".").filter((part) => part !== "");
  if (!Array.isArray(path)) return [];
  return path.filter((part: Json) => typeof part === "string" || typeof part === "number") as ConfigPath;
}
