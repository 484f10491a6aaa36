/** Railway's lists, each read to its end, and the one check that ids belong together. */
import { LockstepError } from "../../../../core/errors.ts";
import type { RailwayClient } from "../client.ts";
import type { RailwayConfig } from "../config.ts";
import {
  moreServices,
  moreVariables,
  readAnswer,
  type ServiceNames,
  type VariableMetadata,
} from "./answers.ts";

export type Listed = VariableMetadata["edges"][number]["node"];

/** An account's token reaches many projects: a pair of ids that do not belong together is refused by us. */
export function assertProject({ project }: RailwayConfig, found: string, target: string): void {
  if (found === project) return;
  throw new LockstepError(
    "TARGET_MISSING",
    `The environment of target "${target}" belongs to another project than configured.`,
  );
}

/** A list that is read short would turn into wrong conclusions: every page is followed. */
export async function allListed(
  client: RailwayClient,
  config: RailwayConfig,
  first: VariableMetadata,
  target: string,
  signal: AbortSignal,
): Promise<readonly Listed[]> {
  const found: Listed[] = [];
  let page = first;
  for (;;) {
    found.push(...page.edges.map(({ node }) => node));
    if (!page.pageInfo.hasNextPage || page.pageInfo.endCursor === null) return found;
    const input = { environmentId: config.environment, after: page.pageInfo.endCursor };
    const answer = readAnswer(moreVariables, await client.read("MoreVariables", input, signal), target);
    page = answer.environment.variables;
  }
}

export async function allServices(
  client: RailwayClient,
  config: RailwayConfig,
  first: ServiceNames,
  target: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  let page = first;
  for (;;) {
    for (const { node } of page.edges) found.set(node.serviceId, node.serviceName);
    if (!page.pageInfo.hasNextPage || page.pageInfo.endCursor === null) return found;
    const input = { environmentId: config.environment, after: page.pageInfo.endCursor };
    const answer = readAnswer(moreServices, await client.read("MoreServices", input, signal), target);
    page = answer.environment.serviceInstances;
  }
}
