/**
 * A whole environment in one request: what is stored for every service and the shared scope, what is sealed or staged,
 * and how every service is deployed. For looks at many targets of one environment, which would ask the same again and
 * again. Only ever shared by looks that began before it was read.
 */
import { environmentView, readAnswer, type UnitDeployments } from "./answers.ts";
import type { RailwayClient } from "./client.ts";
import type { RailwayConfig } from "./config.ts";
import { allListed, assertProject, type Listed } from "./pages.ts";
import { moreUnits } from "./units.ts";

type Texts = Readonly<Record<string, string | null>>;

export interface EnvironmentView {
  readonly projectId: string;
  /** By service id. A service without variables is there too. */
  readonly stored: ReadonlyMap<string, Texts>;
  readonly shared: Texts;
  readonly listed: readonly Listed[];
  readonly staged: { readonly status: string; readonly patch: unknown };
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
    stored: new Map(
      Object.entries(environment.config.services).map(([id, { variables }]) => [id, textsOf(variables)]),
    ),
    shared: textsOf(environment.config.sharedVariables),
    listed,
    staged: environmentStagedChanges,
    units,
  };
}

function textsOf(
  variables:
    | Readonly<Record<string, { readonly value?: string | null | undefined } | null>>
    | null
    | undefined,
): Texts {
  return Object.fromEntries(
    Object.entries(variables ?? {}).flatMap(([name, variable]) =>
      variable === null ? [] : [[name, variable.value ?? null]],
    ),
  );
}
