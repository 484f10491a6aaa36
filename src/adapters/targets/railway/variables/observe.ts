/** Reads a scope: what is stored for the asked keys, which of them are sealed or staged, and what must restart. */
import { LockstepError } from "../../../../core/errors.ts";
import type { Order } from "../../../../core/order.ts";
import { parseOrder } from "../../../../core/order.ts";
import type { Address, Observed, ObservedKey, UnitSpec, UserUnit } from "../../../../core/ports/place.ts";
import type { TargetObservation } from "../../../../core/ports/target.ts";
import { SecretValue } from "../../../../core/secret-value.ts";
import { isRecord, type RailwayClient } from "../client.ts";
import { placeOf, type RailwayConfig, REVISION_KEY } from "../config.ts";
import { observedService, observedShared, readAnswer, type WholeConfig } from "../wire/answers.ts";
import { allListed, allServices, assertProject, type Listed } from "../wire/pages.ts";
import type { EnvironmentView } from "./environment-view.ts";
import { type ReferenceGraph, type ScopeId, usersOf } from "./reference-graph.ts";
import { hasReference } from "./references.ts";

interface Scope {
  readonly stored: Readonly<Record<string, string | null>>;
  readonly metadata: ReadonlyMap<string, { readonly isSealed: boolean; readonly updatedAt: string }>;
  /** Names that a staged, uncommitted change would override. */
  readonly staged: ReadonlySet<string>;
  readonly graph: ReferenceGraph;
  readonly unit: { readonly serviceId: string; readonly serviceName: string } | null;
}

export interface RailwayObservation extends TargetObservation {
  /** For looks at the processes; it holds stored texts and stays in here. */
  readonly graph: ReferenceGraph;
}

export async function observe(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  addresses: readonly Address[],
  signal: AbortSignal,
  view: EnvironmentView | null = null,
): Promise<RailwayObservation> {
  const scope =
    view !== null
      ? scopeIn(view, config, target)
      : config.service === null
        ? await readShared(client, config, target, signal)
        : await readService(client, config, config.service, target, signal);
  const { graph, unit } = scope;
  const users = usersIn(graph, config, addresses);
  const own = unit === null ? [] : [unitOf(config, unit.serviceId, unit.serviceName)];
  // The shared scope has no process of its own: those that take from it are its units.
  const restarts = config.service === null || config.redeployReferring === true;
  return {
    keys: addresses.map((address) => observeKey(scope, address)),
    orders: ordersOf(scope),
    units: restarts
      ? [...own, ...users.map(({ config: { service }, name }) => unitOf(config, String(service), name))]
      : own,
    ...(config.service === null || users.length === 0 ? {} : { users }),
    graph,
  };
}

/** Of what was deleted the configuration may still tell: only what has a name is there. */
function usersIn(
  graph: ReferenceGraph,
  config: RailwayConfig,
  addresses: readonly Address[],
): readonly UserUnit[] {
  const users = new Map<string, UserUnit>();
  for (const key of new Set(addresses.map((address) => address.key))) {
    for (const service of usersOf(graph, config.service, new Set([key])).keys()) {
      const name = graph.names.get(service);
      if (name === undefined) continue;
      const place = placeOf({ ...config, service });
      const keys = [...(users.get(service)?.keys ?? []), key];
      users.set(service, { ...unitOf(config, service, name), locationKey: place, keys });
    }
  }
  return [...users.values()];
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
  if (hasReference(value)) return { state: "reference", text: value };
  return { state: "present", value: SecretValue.of(value) };
}

function ordersOf({ stored }: Scope): readonly Order[] {
  const marker = Object.hasOwn(stored, REVISION_KEY) ? stored[REVISION_KEY] : null;
  const order = typeof marker === "string" ? parseOrder(marker) : null;
  return order === null ? [] : [order];
}

function scopeIn(view: EnvironmentView, config: RailwayConfig, target: string): Scope {
  assertProject(config, view.projectId, target);
  const { service } = config;
  const names = new Map([...view.units.values()].map((one) => [one.serviceId, one.serviceName]));
  const graph = graphOf(view.config, names, view.listed);
  if (service === null) {
    return {
      stored: textsOf(view.config.sharedVariables),
      metadata: metadataOf(view.listed, null),
      staged: stagedNames(view.staged, ["sharedVariables"]),
      graph,
      unit: null,
    };
  }
  const unit = view.units.get(service);
  if (unit === undefined)
    throw new LockstepError(
      "TARGET_MISSING",
      `The environment of target "${target}" has no such service: it was deleted at Railway, or never stood there.`,
    );
  return {
    stored: textsOf(view.config.services[service]?.variables),
    metadata: metadataOf(view.listed, service),
    staged: stagedNames(view.staged, ["services", service, "variables"]),
    graph,
    unit,
  };
}

/** As a service's own variables are answered. */
function textsOf(variables: WholeConfig["sharedVariables"]): Scope["stored"] {
  return Object.fromEntries(
    Object.entries(variables ?? {}).flatMap(([name, variable]) =>
      variable === null ? [] : [[name, variable.value ?? null]],
    ),
  );
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
  assertProject(config, answer.environment.projectId, target);
  const { serviceName, deletedAt } = answer.serviceInstance;
  // What was deleted still resolves by its id.
  if (deletedAt !== null)
    throw new LockstepError("TARGET_MISSING", `The service of target "${target}" was deleted at Railway.`);
  const { environment } = answer;
  const variables = await allListed(client, config, environment.variables, target, signal);
  const names = await allServices(client, config, environment.serviceInstances, target, signal);
  return {
    stored: answer.variables,
    metadata: metadataOf(variables, serviceId),
    staged: stagedNames(answer.environmentStagedChanges, ["services", serviceId, "variables"]),
    graph: graphOf(environment.config, names, variables),
    unit: { serviceId, serviceName },
  };
}

async function readShared(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  signal: AbortSignal,
): Promise<Scope> {
  const input = { projectId: config.project, environmentId: config.environment };
  const answer = readAnswer(observedShared, await client.read("ObserveShared", input, signal), target);
  assertProject(config, answer.environment.projectId, target);
  const variables = await allListed(client, config, answer.environment.variables, target, signal);
  const names = await allServices(client, config, answer.environment.serviceInstances, target, signal);
  return {
    stored: answer.variables,
    metadata: metadataOf(variables, null),
    staged: stagedNames(answer.environmentStagedChanges, ["sharedVariables"]),
    graph: graphOf(answer.environment.config, names, variables),
    unit: null,
  };
}

function metadataOf(variables: readonly Listed[], serviceId: string | null): Scope["metadata"] {
  return new Map(variables.filter((one) => one.serviceId === serviceId).map((one) => [one.name, one]));
}

/** `environmentStagedChanges` answers also when nothing is staged: its patch is empty or committed then. */
function stagedNames(
  staged: { readonly status: string; readonly patch: unknown },
  path: readonly string[],
): ReadonlySet<string> {
  if (staged.status === "COMMITTED") return new Set();
  let at: unknown = staged.patch;
  for (const step of path) at = isRecord(at) ? at[step] : undefined;
  return new Set(isRecord(at) ? Object.keys(at) : []);
}

function graphOf(
  config: WholeConfig,
  names: ReadonlyMap<string, string>,
  listed: readonly Listed[],
): ReferenceGraph {
  const scopes: readonly (readonly [ScopeId, WholeConfig["sharedVariables"]])[] = [
    [null, config.sharedVariables],
    ...Object.entries(config.services).map(([id, { variables }]) => [id, variables] as const),
  ];
  const texts = new Map(
    scopes.map(([scope, variables]) => [scope, new Map(Object.entries(textsOf(variables)))] as const),
  );
  return { names, texts, listed };
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
