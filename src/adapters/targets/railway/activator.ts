/** Redeploys services and follows them: one poll request per environment, whatever the number of services. */
import { LockstepError } from "../../../core/errors.ts";
import type {
  ActivationProgress,
  Activator,
  FollowedActivation,
  UnitSpec,
} from "../../../core/ports/target.ts";
import { environmentUnits, readAnswer, snapshotAnswer, type UnitDeployments, unitAnswer } from "./answers.ts";
import { isRecord, type RailwayClient } from "./client.ts";
import type { RailwayConfig } from "./config.ts";
import { isDormant, judge, newestFirst, whyOutdated } from "./deployments.ts";

export function createActivator(client: RailwayClient, config: RailwayConfig, target: string): Activator {
  const lookAtUnit = async (unit: UnitSpec, signal: AbortSignal) => {
    const input = { environmentId: config.environment, serviceId: serviceOf(unit) };
    return readAnswer(unitAnswer, await client.read("Unit", input, signal), target).serviceInstance;
  };
  return {
    async prepare(unit, signal) {
      const seen = await lookAtUnit(unit, signal);
      return { knownIds: newestFirst(seen).map(({ id }) => id), dormant: isDormant(seen) };
    },

    async activate(unit, signal) {
      const newest = newestFirst(await lookAtUnit(unit, signal)).find(({ canRedeploy }) => canRedeploy);
      if (newest === undefined) return { id: await deploy(client, config, unit, target, signal) };
      const answer = await client.write("Redeploy", { deploymentId: newest.id }, signal);
      const made = isRecord(answer) ? answer["deploymentRedeploy"] : undefined;
      return { id: isRecord(made) && typeof made["id"] === "string" ? made["id"] : null };
    },

    async follow(asked, signal) {
      const units = await readUnits(client, config, target, signal);
      const progress: ActivationProgress[] = [];
      for (const one of asked)
        progress.push(await followOne(client, one, units.get(serviceOf(one.unit)), target, signal));
      return progress;
    },
  };
}

/** The commit or image that is configured now: the fallback where no deployment can be repeated. */
async function deploy(
  client: RailwayClient,
  config: RailwayConfig,
  unit: UnitSpec,
  target: string,
  signal: AbortSignal,
): Promise<string | null> {
  const input = { environmentId: config.environment, serviceId: serviceOf(unit) };
  const answer = await client.write("Deploy", input, signal);
  const id = isRecord(answer) ? answer["serviceInstanceDeployV2"] : undefined;
  if (typeof id === "string" && id !== "") return id;
  throw new LockstepError(
    "TARGET_OUTCOME_UNKNOWN",
    `Railway did not confirm the deployment of ${unit.name} at target "${target}".`,
  );
}

async function followOne(
  client: RailwayClient,
  asked: FollowedActivation,
  unit: UnitDeployments | undefined,
  target: string,
  signal: AbortSignal,
): Promise<ActivationProgress> {
  const verdict = judge(asked, unit);
  if (verdict.state !== "compare") return verdict;
  const { id, status, instances } = verdict.deployment;
  const answer = await client.read("Snapshot", { deploymentId: id }, signal);
  const snapshot = readAnswer(snapshotAnswer, answer, target).deploymentSnapshot;
  const reason = whyOutdated(snapshot?.variables ?? null, asked.expected);
  if (reason !== null) return { state: "outdated", id, reason };
  return {
    state: "succeeded",
    id,
    incarnation: { deployment: id, status, instances: instances.map((instance) => instance.id) },
  };
}

async function readUnits(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, UnitDeployments>> {
  const units = new Map<string, UnitDeployments>();
  let after: string | null = null;
  for (;;) {
    const answer: unknown = await client.read(
      "FollowEnvironment",
      { environmentId: config.environment, after },
      signal,
    );
    const { serviceInstances } = readAnswer(environmentUnits, answer, target).environment;
    for (const { node } of serviceInstances.edges) units.set(node.serviceId, node);
    if (!serviceInstances.pageInfo.hasNextPage || serviceInstances.pageInfo.endCursor === null) return units;
    after = serviceInstances.pageInfo.endCursor;
  }
}

function serviceOf(unit: UnitSpec): string {
  return String(unit.config["service"]);
}
