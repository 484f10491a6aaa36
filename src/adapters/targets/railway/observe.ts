/** Reads a scope: what is stored for the asked keys, which of them are sealed or staged, and what must restart. */
import type { Order } from "../../../core/order.ts";
import { parseOrder } from "../../../core/order.ts";
import type {
  Address,
  Observed,
  ObservedKey,
  TargetObservation,
  UnitSpec,
} from "../../../core/ports/target.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import {
  moreVariables,
  observedService,
  observedShared,
  readAnswer,
  type VariableMetadata,
} from "./answers.ts";
import { isRecord, type RailwayClient } from "./client.ts";
import { type RailwayConfig, REVISION_KEY } from "./config.ts";

interface Scope {
  readonly stored: Readonly<Record<string, string | null>>;
  readonly metadata: ReadonlyMap<string, { readonly isSealed: boolean; readonly updatedAt: string }>;
  /** Names that a staged, uncommitted change would override. */
  readonly staged: ReadonlySet<string>;
  readonly units: readonly UnitSpec[];
}

export async function observe(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  addresses: readonly Address[],
  signal: AbortSignal,
): Promise<TargetObservation> {
  const scope =
    config.service === null
      ? await readShared(client, config, target, addresses, signal)
      : await readService(client, config, config.service, target, signal);
  return {
    keys: addresses.map((address) => observeKey(scope, address)),
    order: orderOf(scope),
    units: scope.units,
  };
}

function observeKey(scope: Scope, address: Address): ObservedKey {
  const pending = scope.staged.has(address.key) ? { pendingManualChange: true } : {};
  return { ...address, observed: look(scope, address.key), ...pending };
}

function look({ stored, metadata }: Scope, key: string): Observed {
  const known = metadata.get(key);
  if (known?.isSealed === true)
    return { state: "unreadable", reason: "it is sealed", changedAt: known.updatedAt };
  const value = Object.hasOwn(stored, key) ? stored[key] : undefined;
  if (value === null) return { state: "unreadable", reason: "Railway does not show its value" };
  if (value === undefined) {
    return known === undefined
      ? { state: "absent" }
      : { state: "unreadable", reason: "Railway lists it without a value" };
  }
  if (value.includes("${{")) return { state: "reference", text: value };
  return { state: "present", value: SecretValue.of(value) };
}

function orderOf({ stored }: Scope): Order | null {
  const marker = Object.hasOwn(stored, REVISION_KEY) ? stored[REVISION_KEY] : null;
  return typeof marker === "string" ? parseOrder(marker) : null;
}

async function readService(
  client: RailwayClient,
  config: RailwayConfig,
  serviceId: string,
  target: string,
  signal: AbortSignal,
): Promise<Scope> {
  const input = { projectId: config.project, environmentId: config.environment, serviceId };
  const answer = readAnswer(observedService, await client.read("ObserveService", input, signal), target);
  return {
    stored: answer.variables,
    metadata: await allMetadata(client, config, answer.environment.variables, serviceId, target, signal),
    staged: stagedNames(answer.environmentStagedChanges, ["services", serviceId, "variables"]),
    units: [unitOf(config, serviceId, answer.serviceInstance.serviceName)],
  };
}

async function readShared(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  addresses: readonly Address[],
  signal: AbortSignal,
): Promise<Scope> {
  const input = { projectId: config.project, environmentId: config.environment };
  const answer = readAnswer(observedShared, await client.read("ObserveShared", input, signal), target);
  const names = new Map(
    answer.environment.serviceInstances.edges.map(({ node }) => [node.serviceId, node.serviceName]),
  );
  const keys = addresses.map((address) => address.key);
  const units = referringServices(answer.environment.config, keys)
    .filter((serviceId) => names.has(serviceId))
    .map((serviceId) => unitOf(config, serviceId, names.get(serviceId) ?? serviceId));
  return {
    stored: answer.variables,
    metadata: await allMetadata(client, config, answer.environment.variables, null, target, signal),
    staged: stagedNames(answer.environmentStagedChanges, ["sharedVariables"]),
    units,
  };
}

/** A list that is read short would turn into wrong conclusions: every page is followed. */
async function allMetadata(
  client: RailwayClient,
  config: RailwayConfig,
  first: VariableMetadata,
  serviceId: string | null,
  target: string,
  signal: AbortSignal,
): Promise<Scope["metadata"]> {
  const found = new Map<string, { isSealed: boolean; updatedAt: string }>();
  let page = first;
  for (;;) {
    for (const { node } of page.edges) {
      if (node.serviceId === serviceId)
        found.set(node.name, { isSealed: node.isSealed, updatedAt: node.updatedAt });
    }
    if (!page.pageInfo.hasNextPage || page.pageInfo.endCursor === null) return found;
    const input = { environmentId: config.environment, after: page.pageInfo.endCursor };
    page = readAnswer(moreVariables, await client.read("MoreVariables", input, signal), target).environment
      .variables;
  }
}

/** `environmentStagedChanges` answers also when nothing is staged: its patch is empty or committed then. */
function stagedNames(
  staged: { readonly status: string; readonly patch: unknown },
  path: readonly string[],
): ReadonlySet<string> {
  if (staged.status !== "STAGED") return new Set();
  let at: unknown = staged.patch;
  for (const step of path) at = isRecord(at) ? at[step] : undefined;
  return new Set(isRecord(at) ? Object.keys(at) : []);
}

/** Services whose own variables mention `${{shared.KEY}}` of one of the keys, spaces inside allowed. */
function referringServices(environmentConfig: unknown, keys: readonly string[]): readonly string[] {
  const services = isRecord(environmentConfig) ? environmentConfig["services"] : undefined;
  if (!isRecord(services)) return [];
  const wanted = new Set(keys);
  return Object.entries(services).flatMap(([serviceId, service]) => {
    const variables = isRecord(service) ? service["variables"] : undefined;
    if (!isRecord(variables)) return [];
    return Object.values(variables).some((variable) => refersTo(variable, wanted)) ? [serviceId] : [];
  });
}

function refersTo(variable: unknown, keys: ReadonlySet<string>): boolean {
  const value = isRecord(variable) ? variable["value"] : undefined;
  if (typeof value !== "string") return false;
  return [...value.matchAll(/\$\{\{\s*shared\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g)].some((match) =>
    keys.has(match[1] ?? ""),
  );
}

function unitOf(config: RailwayConfig, serviceId: string, name: string): UnitSpec {
  return {
    key: `railway:${config.environment}/${serviceId}`,
    name,
    kind: "railway-service",
    config: { service: serviceId, environment: config.environment },
    followGroup: `railway:${new URL(config.endpoint).origin}/${config.environment}`,
  };
}
