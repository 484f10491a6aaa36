/** How services are deployed, and what a deployment was started with: requests that both activator and observer make. */
import type { z } from "zod";
import { LockstepError } from "../../../../core/errors.ts";
import type { UnitSpec } from "../../../../core/ports/place.ts";
import type { RailwayClient } from "../client.ts";
import type { RailwayConfig } from "../config.ts";
import { NO_DEPLOYMENT } from "../errors.ts";
import type { ReferenceGraph } from "../variables/reference-graph.ts";
import {
  environmentUnits,
  readAnswer,
  snapshotAnswer,
  type UnitDeployments,
  unitAnswer,
} from "../wire/answers.ts";
import type { StartedWith } from "./snapshot.ts";

/** What every request needs to know. */
export interface UnitReader {
  readonly client: RailwayClient;
  readonly config: RailwayConfig;
  readonly target: string;
  /** By service id: read already, by a look at the whole environment. */
  readonly units?: ReadonlyMap<string, UnitDeployments> | undefined;
  /** Who takes from whom, as the look before has read it. */
  readonly graph?: ReferenceGraph | undefined;
}

/** Requests; Railway's smallest plan allows ten a second. */
export const MAX_SNAPSHOTS_AT_ONCE = 4;

export async function readUnit(
  { client, config, target }: UnitReader,
  unit: UnitSpec,
  signal: AbortSignal,
  purpose?: "background",
): Promise<Omit<UnitDeployments, "serviceId">> {
  const input = { environmentId: config.environment, serviceId: serviceOf(unit) };
  return readAnswer(unitAnswer, await client.read("Unit", input, signal, purpose), target).serviceInstance;
}

/** Null: it cannot be seen for this deployment. That must not hide how the other units stand. */
export async function readStart(
  { client, config, target }: UnitReader,
  { unit, deploymentId }: { readonly unit: UnitSpec; readonly deploymentId: string },
  signal: AbortSignal,
): Promise<StartedWith | null> {
  const input = {
    deploymentId,
    projectId: config.project,
    environmentId: config.environment,
    serviceId: serviceOf(unit),
  };
  try {
    const answer = await client.read("Snapshot", input, signal, "background");
    const { deploymentSnapshot, variables } = readAnswer(snapshotAnswer, answer, target);
    return deploymentSnapshot && { snapshot: deploymentSnapshot.variables, stored: variables };
  } catch (error) {
    if (error instanceof LockstepError && isAboutThatOne(error)) return null;
    throw error;
  }
}

function isAboutThatOne({ family, code, details }: LockstepError): boolean {
  if (details["reason"] === NO_DEPLOYMENT) return true;
  return family === "rejected" && code !== "TARGET_CREDENTIAL_REJECTED";
}

/** By service id, of the whole environment. */
export async function readUnits(
  reader: UnitReader,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, UnitDeployments>> {
  if (reader.units !== undefined) return reader.units;
  return await moreUnits(reader, await unitsPage(reader, null, signal), signal);
}

/** With every page after the first one. */
export async function moreUnits(
  reader: UnitReader,
  first: UnitsPage,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, UnitDeployments>> {
  const units = new Map<string, UnitDeployments>();
  let page = first;
  for (;;) {
    for (const { node } of page.edges) units.set(node.serviceId, node);
    if (!page.pageInfo.hasNextPage || page.pageInfo.endCursor === null) return units;
    page = await unitsPage(reader, page.pageInfo.endCursor, signal);
  }
}

type UnitsPage = z.output<typeof environmentUnits>["environment"]["serviceInstances"];

async function unitsPage(
  { client, config, target }: UnitReader,
  after: string | null,
  signal: AbortSignal,
): Promise<UnitsPage> {
  const input = { environmentId: config.environment, after };
  const answer: unknown = await client.read("FollowEnvironment", input, signal, "background");
  return readAnswer(environmentUnits, answer, target).environment.serviceInstances;
}

export function serviceOf(unit: UnitSpec): string {
  return String(unit.config["service"]);
}
