/**
 * Variables in the shape of `EnvironmentConfig`: reading the stored state as one, merging staged ones, and turning a
 * patch into writes. null deletes; parts that are not about variables are carried along and not obeyed.
 */
import { refusal } from "../refusal.ts";
import type { Environment, EnvironmentConfigPatch, VariablePatch, VariablePatches } from "./model.ts";
import { type ScopeChange, type ScopeVariables, SHARED, type VariableSet } from "./variable-store.ts";
import type { World } from "./world.ts";

/** Values only when decrypted, and sealed ones never. */
export function readConfig(
  world: World,
  environment: Environment,
  decrypt: boolean,
  writesBehind: number,
): Record<string, unknown> {
  const variables = (scope: ScopeVariables) =>
    Object.fromEntries(
      [...scope.values()].map(({ name, value, sealed }) => [
        name,
        { value: decrypt && !sealed ? value : null, ...(sealed ? { isSealed: true } : {}) },
      ]),
    );
  const services = world.instancesIn(environment.id).map(({ service, settings }) => [
    service.id,
    {
      source: settings.source ?? {},
      deploy: { numReplicas: settings.numReplicas, cronSchedule: settings.cronSchedule },
      variables: variables(environment.variables.scope(service.id, writesBehind)),
    },
  ]);
  return {
    services: Object.fromEntries(services),
    sharedVariables: variables(environment.variables.scope(SHARED, writesBehind)),
  };
}

/** Untrusted: whatever a client sent as an `EnvironmentConfig`. */
export function parsePatch(raw: unknown): EnvironmentConfigPatch {
  const patch = asRecord(raw, "patch");
  const services = Object.entries(asRecord(patch["services"] ?? {}, "services")).map(([id, service]) => {
    const parts = asRecord(service, "service");
    return [id, { ...parts, variables: parseVariables(parts["variables"] ?? {}) }] as const;
  });
  return {
    ...patch,
    ...(services.length > 0 ? { services: Object.fromEntries(services) } : {}),
    ...(patch["sharedVariables"] === undefined
      ? {}
      : { sharedVariables: parseVariables(patch["sharedVariables"]) }),
  };
}

export function mergePatches(
  below: EnvironmentConfigPatch,
  above: EnvironmentConfigPatch,
): EnvironmentConfigPatch {
  const services = { ...below.services };
  for (const [id, service] of Object.entries(above.services ?? {})) {
    services[id] = {
      ...services[id],
      ...service,
      variables: { ...services[id]?.variables, ...service.variables },
    };
  }
  const sharedVariables = { ...below.sharedVariables, ...above.sharedVariables };
  return {
    ...below,
    ...above,
    ...(Object.keys(services).length > 0 ? { services } : {}),
    ...(Object.keys(sharedVariables).length > 0 ? { sharedVariables } : {}),
  };
}

/** One change per scope that the patch touches. */
export function changesOf(patch: EnvironmentConfigPatch): ScopeChange[] {
  const scopes: (readonly [string, VariablePatches])[] = [
    ...Object.entries(patch.services ?? {}).map(([id, { variables }]) => [id, variables ?? {}] as const),
    [SHARED, patch.sharedVariables ?? {}],
  ];
  return scopes
    .filter(([, variables]) => Object.keys(variables).length > 0)
    .map(([scope, variables]) => changeOf(scope, variables));
}

/** What a reader sees of a patch. */
export function readPatch(patch: EnvironmentConfigPatch, decrypt: boolean): EnvironmentConfigPatch {
  const masked = (variables: VariablePatches): VariablePatches =>
    Object.fromEntries(
      Object.entries(variables).map(([name, variable]) => [
        name,
        variable === null || (decrypt && variable.isSealed !== true)
          ? variable
          : { ...variable, value: null },
      ]),
    );
  const services = Object.entries(patch.services ?? {}).map(
    ([id, service]) => [id, { ...service, variables: masked(service.variables ?? {}) }] as const,
  );
  return {
    ...patch,
    ...(patch.services === undefined ? {} : { services: Object.fromEntries(services) }),
    ...(patch.sharedVariables === undefined ? {} : { sharedVariables: masked(patch.sharedVariables) }),
  };
}

function changeOf(scope: string, variables: VariablePatches): ScopeChange {
  const entries = Object.entries(variables);
  return {
    scope,
    remove: entries.filter(([, variable]) => variable === null).map(([name]) => name),
    set: entries.flatMap(([name, variable]) => (variable === null ? [] : [setOf(name, variable)])),
  };
}

function setOf(name: string, { value, isSealed }: VariablePatch): VariableSet {
  return {
    name,
    ...(typeof value === "string" ? { value } : {}),
    ...(isSealed === undefined ? {} : { sealed: isSealed }),
  };
}

function parseVariables(raw: unknown): VariablePatches {
  const entries = Object.entries(asRecord(raw, "variables"));
  return Object.fromEntries(entries.map(([name, variable]) => [name, parseVariable(variable)]));
}

function parseVariable(raw: unknown): VariablePatch | null {
  if (raw === null) return null;
  const { value, isSealed, ...rest } = asRecord(raw, "variable");
  if (value !== undefined && value !== null && typeof value !== "string") throw refusal("Invalid input");
  if (isSealed !== undefined && typeof isSealed !== "boolean") throw refusal("Invalid input");
  return {
    ...rest,
    ...(value === undefined ? {} : { value }),
    ...(isSealed === undefined ? {} : { isSealed }),
  };
}

function asRecord(raw: unknown, what: string): Record<string, unknown> {
  if (typeof raw === "object" && raw !== null && !Array.isArray(raw))
    return Object.fromEntries(Object.entries(raw));
  throw refusal(`Invalid input: ${what} must be an object`);
}
