/**
 * A whole environment in one request: what is stored for every service and the shared scope, what is sealed or staged,
 * and how every service is deployed. For looks at many targets of one environment, which would ask the same again and
 * again. Only ever shared by looks that began before it was read.
 */

import type { RailwayClient } from "../client.ts";
import type { RailwayConfig } from "../config.ts";
import { moreUnits } from "../deployments/units.ts";
import { environmentView, readAnswer, type UnitDeployments, type WholeConfig } from "../wire/answers.ts";
import { allListed, assertProject, type Listed } from "../wire/pages.ts";

export interface EnvironmentView {
  readonly projectId: string;
  readonly config: WholeConfig;
  readonly listed: readonly Listed[];
  readonly staged: { readonly status: string; readonly patch: unknown };
  /** By service id. */
  readonly units: ReadonlyMap<string, UnitDeployments>;
}

export async function readEnvironment(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  signal: AbortSignal,
): Promise<EnvironmentView> {
  const input = { environmentId: config.environment };
  const answer = readAnswer(environmentView, await client.read("ObserveEnvironment", input, signal), target);
  const { environment, environmentStagedChanges } = answer;
  assertProject(config, environment.projectId, target);
  const [listed, units] = await Promise.all([
    allListed(client, config, environment.variables, target, signal),
    moreUnits({ client, config, target }, environment.serviceInstances, signal),
  ]);
  return {
    projectId: environment.projectId,
    config: environment.config,
    listed,
    staged: environmentStagedChanges,
    units,
  };
}
