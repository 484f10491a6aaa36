/** Redeploys services and follows them: one poll request per environment, whatever the number of services. */
import { LockstepError } from "../../../../core/errors.ts";
import type { ActivationProgress, Activator, FollowedActivation } from "../../../../core/ports/activator.ts";
import type { UnitSpec } from "../../../../core/ports/place.ts";
import { mapLimited } from "../../../../lib/map-limited.ts";
import { isRecord, type RailwayClient } from "../client.ts";
import { placeOf, type RailwayConfig } from "../config.ts";
import { NO_SNAPSHOT } from "../errors.ts";
import type { Deployment, UnitDeployments } from "../wire/answers.ts";
import { isDormant, isInProgress, judge, newestFirst } from "./deployments.ts";
import { type OwnerService, whyOutdated } from "./snapshot.ts";
import {
  MAX_SNAPSHOTS_AT_ONCE,
  readStart,
  readUnit,
  readUnits,
  serviceOf,
  type UnitReader,
} from "./units.ts";

const BUILD_POLL_MS = 10_000;

export function createActivator(client: RailwayClient, config: RailwayConfig, target: string): Activator {
  const reader: UnitReader = { client, config, target };
  return {
    async prepare(unit, signal) {
      const seen = await readUnit(reader, unit, signal);
      return { knownIds: newestFirst(seen).map(({ id }) => id), dormant: isDormant(seen) };
    },

    async activate(unit, signal) {
      const deployments = newestFirst(await readUnit(reader, unit, signal));
      for (const { id } of deployments.filter(({ canRedeploy }) => canRedeploy)) {
        const made = await redeploy(client, id, target, signal);
        if (made !== null) return { id: made };
      }
      const building = deployments.find(isInProgress);
      if (building !== undefined) throw stillBuilding(unit, target, building);
      return { id: await deploy(client, config, { unit, target }, signal) };
    },

    async follow(asked, signal) {
      if (asked.length === 0) return [];
      const units = await readUnits(reader, signal);
      return await mapLimited(asked, MAX_SNAPSHOTS_AT_ONCE, (one) => followOne(reader, one, units, signal));
    },
  };
}

/**
 * That deployment's code with what is stored now. Null: it cannot be repeated, and nothing was started.
 * `usePreviousImageTag` stays unset: a person's redeployment does the same.
 */
async function redeploy(
  client: RailwayClient,
  deploymentId: string,
  target: string,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    const answer = await client.write("Redeploy", { deploymentId }, signal);
    const made = isRecord(answer) ? answer["deploymentRedeploy"] : undefined;
    if (isRecord(made) && typeof made["id"] === "string" && made["id"] !== "") return made["id"];
    throw unconfirmed(target);
  } catch (error) {
    if (error instanceof LockstepError && error.details["reason"] === NO_SNAPSHOT) return null;
    throw error;
  }
}

/** The commit or image that is configured now: the fallback where no deployment can be repeated. */
async function deploy(
  client: RailwayClient,
  config: RailwayConfig,
  { unit, target }: { readonly unit: UnitSpec; readonly target: string },
  signal: AbortSignal,
): Promise<string> {
  const input = { environmentId: config.environment, serviceId: serviceOf(unit) };
  const answer = await client.write("Deploy", input, signal);
  const id = isRecord(answer) ? answer["serviceInstanceDeployV2"] : undefined;
  if (typeof id === "string" && id !== "") return id;
  throw unconfirmed(target);
}

function unconfirmed(target: string): LockstepError {
  return new LockstepError(
    "TARGET_OUTCOME_UNKNOWN",
    `Railway did not confirm the redeployment at target "${target}".`,
  );
}

function stillBuilding(unit: UnitSpec, target: string, { id, status }: Deployment): LockstepError {
  return new LockstepError(
    "TARGET_UNAVAILABLE",
    `Cannot redeploy ${unit.name} at target "${target}": its first deployment is still ${status}.`,
    { retryAfterMs: BUILD_POLL_MS, details: { target, deployment: id } },
  );
}

/** Null: the place is this service's own, the shared scope, or none of this environment. */
function otherAt(
  config: RailwayConfig,
  place: string,
  own: string,
  units: ReadonlyMap<string, UnitDeployments>,
): OwnerService | null {
  for (const { serviceId: id, serviceName: name } of units.values())
    if (id !== own && placeOf({ ...config, service: id }) === place) return { id, name };
  return null;
}

async function followOne(
  reader: UnitReader,
  asked: FollowedActivation,
  units: ReadonlyMap<string, UnitDeployments>,
  signal: AbortSignal,
): Promise<ActivationProgress> {
  const verdict = judge(asked, units.get(serviceOf(asked.unit)));
  if (verdict.state !== "compare") return verdict;
  const { id, status, instances } = verdict.deployment;
  if (asked.expected.length > 0) {
    const started = await readStart(reader, { unit: asked.unit, deploymentId: id }, signal);
    // Not knowing is not "other values": asking again would redeploy for ever.
    if (started === null)
      return { state: "running", id, reason: "Railway does not show what the deployment was started with" };
    const reason = whyOutdated(started, asked.expected, (place) =>
      otherAt(reader.config, place, serviceOf(asked.unit), units),
    );
    if (reason !== null) return { state: "outdated", id, reason };
  }
  return {
    state: "succeeded",
    id,
    incarnation: { deployment: id, status, instances: instances.map((instance) => instance.id) },
  };
}
