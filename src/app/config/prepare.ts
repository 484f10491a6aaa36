/**
 * A configuration beside what is stored: desire, differences and what forbids them. Reads only; runs for `plan` and,
 * a second time, inside the transaction of `apply`.
 */
import { LockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { checkConfig } from "../../core/plan/check-config.ts";
import { checkDifference, type PlanProblem } from "../../core/plan/check-difference.ts";
import { checkRemarks } from "../../core/plan/check-remarks.ts";
import {
  type DesiredConfig,
  desiredOf,
  type GivenCredentials,
  targetId,
} from "../../core/plan/desired-config.ts";
import { type CredentialsVerdict, type Difference, diffConfig } from "../../core/plan/diff-config.ts";
import { lifeWarnings } from "../../core/plan/life-warnings.ts";
import type { OwnedKey, StoredConfig, StoredTarget } from "../../core/store/config.ts";
import type { Repositories } from "../../core/store/store.ts";
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { Config } from "../../protocol/config.ts";
import type { ConfigProblem } from "../../protocol/config-problem.ts";
import type { AppContext } from "../base/context.ts";
import { kindOf } from "../targets/open-target.ts";
import { openStoredCredentials } from "../targets/stored-credentials.ts";
import { type ChannelDifference, channelDifferences } from "./channel-config.ts";

export interface ConfigRequest {
  readonly config: Config;
  /** Secrets (`NAME`) or single bindings (`NAME@TARGET`) whose foreign values may be overwritten. */
  readonly takeOver?: readonly string[] | "all";
  /** Delete what Lockstep wrote where bindings are gone. */
  readonly prune?: boolean;
  readonly allowShrink?: boolean;
  /** Bindings may leave rollouts that are under way. */
  readonly duringRollout?: boolean;
  /** Places at destinations that were never applied are looked at too. It needs the right to apply. */
  readonly askNew?: boolean;
}

export interface Prepared {
  readonly desired: DesiredConfig;
  readonly stored: StoredConfig;
  /** Targets of other environments that bindings name. */
  readonly elsewhere: readonly StoredTarget[];
  readonly credentials: GivenCredentials;
  /** By `targetId`: a credential is given, and stayed with whoever gave it. */
  readonly unsent: ReadonlySet<string>;
  /** By `targetId`: kind, origin and pin are what was applied. */
  readonly known: ReadonlySet<string>;
  readonly verdicts: ReadonlyMap<string, CredentialsVerdict>;
  readonly differences: readonly Difference[];
  /** Whether an owned key still stands where its target is. */
  readonly isReachable: (owned: OwnedKey) => boolean;
  readonly problems: readonly PlanProblem[];
  readonly channels: readonly ChannelDifference[];
  /** Allowed, and less than it may seem. */
  readonly warnings: readonly ConfigProblem[];
}

/** Throws CONFIG_INVALID with `details.problems` (ConfigProblem) when the configuration itself is faulty. */
export async function prepareConfig(
  context: AppContext,
  repositories: Repositories,
  request: ConfigRequest,
): Promise<Prepared> {
  const { config } = request;
  const faulty = [...checkConfig(config, { kinds: context.targetKinds.keys() })];
  const elsewhere = await targetsElsewhere(repositories, config);
  const { desired, credentials, unsent, problems } = desiredOf(config, context.targetKinds, elsewhere);
  const told = new Set(faulty.map(({ path }) => JSON.stringify(path)));
  faulty.push(...problems.filter(({ path }) => !told.has(JSON.stringify(path))));
  if (faulty.length > 0) throw configInvalid(faulty);

  const stored = await repositories.config.snapshot(desired.environments);
  const known = knownDestinations(context, desired, stored, elsewhere);
  const verdicts = await judgeCredentials(context, { desired, stored, credentials, unsent, known });
  const isReachable = reachability(context, desired, stored);
  const differences = diffConfig(desired, stored, {
    prune: request.prune === true,
    isReachable,
    credentials: verdicts,
  });
  const places = [...new Set(desired.bindings.map((binding) => binding.place))];
  const owners = await repositories.config.ownersAt(places);
  const remarks = checkRemarks(desired, context.targetKinds);
  return {
    desired,
    stored,
    elsewhere,
    credentials,
    unsent,
    known,
    verdicts,
    differences,
    isReachable,
    problems: [
      ...checkDifference({
        desired,
        stored,
        differences,
        owners,
        credentials: verdicts,
        allowShrink: request.allowShrink === true,
        duringRollout: request.duringRollout === true,
      }),
      ...remarks.problems,
    ],
    warnings: [...remarks.warnings, ...lifeWarnings(config, await endlessTokens(repositories))],
    channels: await channelDifferences(context, repositories, config.alerts),
  };
}

/** Issued values whose end nobody knows. */
async function endlessTokens(
  repositories: Repositories,
): Promise<(environment: string, secret: string) => boolean> {
  const endless = new Set(
    (await repositories.renewals.candidates())
      .filter(({ newest }) => newest !== null && newest.expiresAtMs === null)
      .map(({ environment, name }) => JSON.stringify([environment, name])),
  );
  return (environment, secret) => endless.has(JSON.stringify([environment, secret]));
}

async function targetsElsewhere(
  repositories: Repositories,
  config: Config,
): Promise<readonly StoredTarget[]> {
  const named = Object.values(config.environments).flatMap(({ secrets }) =>
    Object.values(secrets).flatMap(({ bindings }) =>
      bindings.flatMap(({ environment }) => environment ?? []),
    ),
  );
  const foreign = [...new Set(named)].filter((name) => !Object.hasOwn(config.environments, name));
  return foreign.length === 0 ? [] : (await repositories.config.snapshot(foreign)).targets;
}

function reachability(
  context: AppContext,
  desired: DesiredConfig,
  stored: StoredConfig,
): (owned: OwnedKey) => boolean {
  const targets = new Map(
    [...stored.targets, ...desired.targets].map((target) => [
      targetId(target.environment, target.name),
      target,
    ]),
  );
  return ({ targetEnvironment, target: name, placement, place }) => {
    const target = targets.get(targetId(targetEnvironment, name));
    // A target of another environment: not changed by this configuration.
    if (target === undefined) return true;
    return kindOf(context, target.kind).locationKey(target.config, placement, target) === place;
  };
}

/** From the stored configurations, never from the destinations' own column. Targets elsewhere are as they were applied. */
function knownDestinations(
  context: AppContext,
  desired: DesiredConfig,
  stored: StoredConfig,
  elsewhere: readonly StoredTarget[],
): ReadonlySet<string> {
  const applied = new Map(
    stored.targets.map(({ environment, name, kind, config }) => [
      targetId(environment, name),
      { kind, destination: kindOf(context, kind).destination(config) },
    ]),
  );
  const unmoved = desired.targets.filter(({ environment, name, kind, destination }) => {
    const before = applied.get(targetId(environment, name));
    return before?.kind === kind && before.destination === destination;
  });
  return new Set([...unmoved, ...elsewhere].map(({ environment, name }) => targetId(environment, name)));
}

async function judgeCredentials(
  context: AppContext,
  {
    desired,
    stored,
    credentials,
    unsent,
    known: unmoved,
  }: Pick<Prepared, "desired" | "stored" | "credentials" | "unsent" | "known">,
): Promise<ReadonlyMap<string, CredentialsVerdict>> {
  const known = new Map(stored.targets.map((target) => [targetId(target.environment, target.name), target]));
  const verdicts = new Map<string, CredentialsVerdict>();
  for (const target of desired.targets) {
    const id = targetId(target.environment, target.name);
    const before = known.get(id);
    const given = credentials.get(id) ?? null;
    const isKept = (before?.credentialsSealed ?? null) !== null;
    // Towards another address it counts as another one, whether it was sent or not: it is sealed anew.
    if ((given !== null || unsent.has(id)) && !unmoved.has(id)) verdicts.set(id, "new");
    else if (given === null && unsent.has(id)) verdicts.set(id, isKept ? "kept" : "new");
    else if (given === null) verdicts.set(id, isKept ? "kept" : "none");
    else verdicts.set(id, before !== undefined && (await isStored(context, before, given)) ? "same" : "new");
  }
  return verdicts;
}

async function isStored(context: AppContext, target: StoredTarget, given: JsonObject): Promise<boolean> {
  try {
    const opened = await openStoredCredentials(context, kindOf(context, target.kind), target);
    if (opened === null) return false;
    const becameOf = kindOf(context, target.kind).cameFrom?.(opened, given) ?? false;
    return becameOf || canonicalJson(opened) === canonicalJson(given);
  } catch (error) {
    // One that does not open is replaced by the given one: that is the way back.
    if (error instanceof LockstepError && error.code === "SEALED_UNREADABLE") return false;
    throw error;
  }
}

function configInvalid(problems: readonly ConfigProblem[]): LockstepError {
  const count = problems.length === 1 ? "1 error" : `${problems.length} errors`;
  const lines = problems.map(({ path, message, remedy }) => `  ${path.join(".")} ${message}. ${remedy}`);
  return new LockstepError("CONFIG_INVALID", `The configuration has ${count}:\n${lines.join("\n")}`, {
    details: { problems },
  });
}
