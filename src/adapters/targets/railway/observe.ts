/** Reads a scope: what is stored for the asked keys, which of them are sealed or staged, and what must restart. */
import { LockstepError } from "../../../core/errors.ts";
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
  type EnvironmentConfig,
  observedService,
  observedShared,
  readAnswer,
  type WholeConfig,
} from "./answers.ts";
import { isRecord, type RailwayClient } from "./client.ts";
import { type RailwayConfig, REVISION_KEY } from "./config.ts";
import type { EnvironmentView } from "./environment-view.ts";
import { allListed, allServices, assertProject, type Listed } from "./pages.ts";
import { hasReference, sharedNameOf, sharedNamesIn } from "./references.ts";

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
  view: EnvironmentView | null = null,
): Promise<TargetObservation> {
  const scope =
    view !== null
      ? scopeIn(view, config, target, addresses)
      : config.service === null
        ? await readShared(client, config, target, addresses, signal)
        : await readService(client, config, config.service, target, signal);
  return {
    keys: addresses.map((address) => observeKey(scope, address)),
    orders: ordersOf(scope),
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
  if (hasReference(value)) return { state: "reference", text: value };
  return { state: "present", value: SecretValue.of(value) };
}

function ordersOf({ stored }: Scope): readonly Order[] {
  const marker = Object.hasOwn(stored, REVISION_KEY) ? stored[REVISION_KEY] : null;
  const order = typeof marker === "string" ? parseOrder(marker) : null;
  return order === null ? [] : [order];
}

function scopeIn(
  view: EnvironmentView,
  config: RailwayConfig,
  target: string,
  addresses: readonly Address[],
): Scope {
  assertProject(config, view.projectId, target);
  const { service } = config;
  if (service === null) {
    const referring = referringServices(view.config, view.listed, keysOf(addresses));
    return {
      stored: textsOf(view.config.sharedVariables),
      metadata: metadataOf(view.listed, null),
      staged: stagedNames(view.staged, ["sharedVariables"]),
      units: [...view.units.values()]
        .filter(({ serviceId }) => referring.has(serviceId))
        .map(({ serviceId, serviceName }) => unitOf(config, serviceId, serviceName)),
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
    units: [unitOf(config, service, unit.serviceName)],
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

function keysOf(addresses: readonly Address[]): ReadonlySet<string> {
  return new Set(addresses.map(({ key }) => key));
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
  const variables = await allListed(client, config, answer.environment.variables, target, signal);
  return {
    stored: answer.variables,
    metadata: metadataOf(variables, serviceId),
    staged: stagedNames(answer.environmentStagedChanges, ["services", serviceId, "variables"]),
    units: [unitOf(config, serviceId, serviceName)],
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
  assertProject(config, answer.environment.projectId, target);
  const variables = await allListed(client, config, answer.environment.variables, target, signal);
  const names = await allServices(client, config, answer.environment.serviceInstances, target, signal);
  const referring = referringServices(answer.environment.config, variables, keysOf(addresses));
  return {
    stored: answer.variables,
    metadata: metadataOf(variables, null),
    staged: stagedNames(answer.environmentStagedChanges, ["sharedVariables"]),
    units: [...names]
      .filter(([serviceId]) => referring.has(serviceId))
      .map(([serviceId, name]) => unitOf(config, serviceId, name)),
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

/** Services whose stored texts refer to one of the shared keys, or of which Railway's own list says so. */
function referringServices(
  { services }: EnvironmentConfig,
  variables: readonly Listed[],
  keys: ReadonlySet<string>,
): ReadonlySet<string> {
  const byText = Object.entries(services)
    .filter(([, service]) =>
      Object.values(service.variables ?? {}).some((variable) =>
        sharedNamesIn(variable?.value ?? "").some((name) => keys.has(name)),
      ),
    )
    .map(([serviceId]) => serviceId);
  const byList = variables
    .filter(({ references }) => references.some((reference) => keys.has(sharedNameOf(reference) ?? "")))
    .map(({ serviceId }) => serviceId);
  return new Set([...byText, ...byList].filter((serviceId) => serviceId !== null));
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
