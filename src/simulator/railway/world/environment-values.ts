/**
 * What a variable is worth to whom. A reader of the API sees no sealed value; a process gets everything; stored
 * text is given as it was written.
 */
import type { Environment, ServiceInstance, SnapshotVariable } from "./model.ts";
import { type Renderable, referencesIn, renderVariable } from "./rendering.ts";
import { type ScopeVariables, SHARED } from "./variable-store.ts";
import type { World } from "./world.ts";

/** null: sealed, or it cannot be read. */
export type ReadVariables = Record<string, string | null>;

/** As written, sealed ones null. */
export function storedForReader(variables: ScopeVariables): ReadVariables {
  return fromEntries([...variables.values()].map(({ name, value, sealed }) => [name, sealed ? null : value]));
}

/** What the next deployment would get, as far as a reader may see it. */
export function renderedForReader(
  world: World,
  environment: Environment,
  instance: ServiceInstance | null,
  writesBehind: number,
): ReadVariables {
  const renderable = renderableOf(world, environment, writesBehind, false);
  const names = [...environment.variables.scope(instance?.service.id ?? SHARED, writesBehind).keys()];
  const owner = instance?.service.name ?? null;
  const rendered = fromEntries(names.map((name) => [name, renderVariable(renderable, owner, name)]));
  return instance === null ? rendered : { ...rendered, ...providedVariables(world, instance) };
}

/** What a deployment that starts now is given. */
export function variablesForDeployment(
  world: World,
  instance: ServiceInstance,
): Map<string, SnapshotVariable> {
  const { environment, service } = instance;
  const renderable = renderableOf(world, environment, 0, true);
  const taken = new Map<string, SnapshotVariable>();
  for (const { name, value, sealed } of environment.variables.scope(service.id).values()) {
    const rendered = renderVariable(renderable, service.name, name) ?? "";
    taken.set(name, { value, rendered, sealed });
  }
  return taken;
}

/** Names that the platform adds to every service. */
export function providedVariables(world: World, instance: ServiceInstance): Record<string, string> {
  const { environment, service } = instance;
  const host = service.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return {
    RAILWAY_PROJECT_ID: environment.projectId,
    RAILWAY_PROJECT_NAME: world.projects.get(environment.projectId)?.name ?? "",
    RAILWAY_ENVIRONMENT: environment.name,
    RAILWAY_ENVIRONMENT_ID: environment.id,
    RAILWAY_ENVIRONMENT_NAME: environment.name,
    RAILWAY_SERVICE_ID: service.id,
    RAILWAY_SERVICE_NAME: service.name,
    RAILWAY_PRIVATE_DOMAIN: `${host}.railway.internal`,
  };
}

/** Services of the environment whose stored variables refer to one of these shared names. */
export function servicesReferring(
  world: World,
  environment: Environment,
  sharedNames: ReadonlySet<string>,
): ServiceInstance[] {
  return world
    .instancesIn(environment.id)
    .filter(({ service }) =>
      [...environment.variables.scope(service.id).values()].some(({ value }) =>
        referencesIn(value).some(
          (inside) => inside.startsWith("shared.") && sharedNames.has(inside.slice(7)),
        ),
      ),
    );
}

function renderableOf(
  world: World,
  environment: Environment,
  writesBehind: number,
  openSealed: boolean,
): Renderable {
  const readable = (variables: ScopeVariables) =>
    [...variables.values()].map(
      ({ name, value, sealed }) => [name, sealed && !openSealed ? null : value] as const,
    );
  const services = new Map<string, ReadonlyMap<string, string | null>>();
  for (const instance of world.instancesIn(environment.id)) {
    const own = readable(environment.variables.scope(instance.service.id, writesBehind));
    services.set(
      instance.service.name,
      new Map([...own, ...Object.entries(providedVariables(world, instance))]),
    );
  }
  return { shared: new Map(readable(environment.variables.scope(SHARED, writesBehind))), services };
}

/** Without a prototype: a variable may be called `__proto__`. */
function fromEntries(entries: readonly (readonly [string, string | null])[]): ReadVariables {
  const result: ReadVariables = Object.create(null);
  for (const [name, value] of entries) result[name] = value;
  return result;
}
