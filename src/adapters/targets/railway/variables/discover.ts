/**
 * Looks around in the environment that the token reaches: every service and the shared scope, in one request. Values
 * that the store does not know stay in here.
 */

import type { JsonObject } from "../../../../core/json.ts";
import type { DiscoveredKey, Discovery, Interest } from "../../../../core/ports/discoverer.ts";
import { SecretValue } from "../../../../core/secret-value.ts";
import { visibleLine } from "../../../../lib/visible-text.ts";
import type { RailwayClient } from "../client.ts";
import { DEFAULT_ENDPOINT, placeOf, type RailwayConfig, SHARED_PLACEMENT } from "../config.ts";
import { discoveredEnvironment, readAnswer, type StoredVariable } from "../wire/answers.ts";
import { allServices, assertProject } from "../wire/pages.ts";
import { hasReference } from "./references.ts";

interface Scope {
  /** Null: the shared scope. */
  readonly service: string | null;
  readonly name: string;
  readonly variables: Readonly<Record<string, StoredVariable | null>>;
}

export async function discover(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  interest: Interest,
  signal: AbortSignal,
): Promise<Discovery> {
  const input = { environmentId: config.environment };
  const answer = await client.read("DiscoverEnvironment", input, signal);
  const { environment } = readAnswer(discoveredEnvironment, answer, target);
  assertProject(config, environment.projectId, target);
  const names = await allServices(client, config, environment.serviceInstances, target, signal);
  const scopes: readonly Scope[] = [
    { service: null, name: "the shared scope", variables: environment.config.sharedVariables ?? {} },
    ...Object.entries(environment.config.services).map(([service, { variables }]) => ({
      service,
      name: `service ${visibleLine(names.get(service) ?? service)}`,
      variables: variables ?? {},
    })),
  ];
  return { found: scopes.flatMap((scope) => foundIn(config, scope, interest)), unseen: [] };
}

function foundIn(config: RailwayConfig, scope: Scope, interest: Interest): readonly DiscoveredKey[] {
  const { service, name, variables } = scope;
  const about = {
    locationKey: placeOf({ ...config, service }),
    name,
    placement: service === null ? SHARED_PLACEMENT : "",
    config: configOf(config, service),
    file: null,
  };
  return Object.entries(variables).flatMap(([key, variable]): DiscoveredKey[] => {
    if (variable === null) return [];
    const { value = null, isSealed = false } = variable;
    if (value === null || isSealed === true) {
      const reason = isSealed === true ? "it is sealed" : "Railway does not show its value";
      return interest.keys.has(key) ? [{ ...about, key, observed: { state: "unreadable", reason } }] : [];
    }
    if (hasReference(value)) return [];
    const held = SecretValue.of(value);
    if (!interest.keys.has(key) && !interest.knows(held)) return [];
    return [{ ...about, key, observed: { state: "present", value: held } }];
  });
}

function configOf({ project, environment, endpoint }: RailwayConfig, service: string | null): JsonObject {
  return {
    railway: {
      project,
      environment,
      ...(service === null ? { shared: true } : { service }),
      ...(endpoint === DEFAULT_ENDPOINT ? {} : { endpoint }),
    },
  };
}
