/** Building the platform's world: what a person sets up in the dashboard before anything is synchronised. */
import { z } from "zod";
import type { ServiceSettings } from "../world/model.ts";
import { SHARED } from "../world/variable-store.ts";
import { command } from "./command.ts";

const NOTHING = z.strictObject({});
const VARIABLE = z.union([z.string(), z.strictObject({ value: z.string(), sealed: z.boolean() })]);
export const VARIABLES = z.record(z.string(), VARIABLE);

const SETTINGS = {
  /** Replicas. Default 1. */
  replicas: z.int().positive().optional(),
  /** A cron service: its process runs at times, and has ended otherwise. */
  cron: z.string().nullable().optional(),
  /** Falls asleep when idle. */
  sleeping: z.boolean().optional(),
  source: z.strictObject({ image: z.string().optional(), repo: z.string().optional() }).nullable().optional(),
  overlapSeconds: z.number().nonnegative().optional(),
  drainingSeconds: z.number().nonnegative().optional(),
  healthcheckPath: z.string().optional(),
  url: z.string().optional(),
};
type SettingsInput = z.output<z.ZodObject<typeof SETTINGS>>;

export const WORLD_COMMANDS = {
  /** Ids and tokens that exist from the start. */
  defaults: command(NOTHING, ({ defaults }) => defaults),

  addWorkspace: command(
    z.strictObject({
      name: z.string(),
      id: z.string().optional(),
      requiresTwoFactor: z.boolean().optional(),
    }),
    ({ world }, { name, id, requiresTwoFactor }) => ({
      workspaceId: world.addWorkspace(name, id, requiresTwoFactor).id,
    }),
  ),

  addProject: command(
    z.strictObject({ name: z.string(), id: z.string().optional(), workspaceId: z.string().optional() }),
    ({ world, defaults }, { name, id, workspaceId }) => ({
      projectId: world.addProject(name, workspaceId ?? defaults.workspaceId, id).id,
    }),
  ),

  /** Environments of pull requests: switched on and off, and what they are copies of. */
  changeProject: command(
    z.strictObject({
      projectId: z.string().optional(),
      prDeploys: z.boolean().optional(),
      botPrEnvironments: z.boolean().optional(),
      baseEnvironmentId: z.string().nullable().optional(),
    }),
    ({ world, defaults }, { projectId, ...changes }) => {
      const project = world.projects.get(projectId ?? defaults.projectId);
      if (project === undefined) throw new Error("there is no such project");
      Object.assign(project, changes);
    },
  ),

  addEnvironment: command(
    z.strictObject({
      name: z.string(),
      id: z.string().optional(),
      projectId: z.string().optional(),
      canAccess: z.boolean().optional(),
      isEphemeral: z.boolean().optional(),
    }),
    ({ world, defaults }, { name, id, projectId, canAccess, isEphemeral }) => {
      const options = { canAccess: canAccess ?? true, isEphemeral: isEphemeral ?? false };
      const environment = world.addEnvironment(
        name,
        projectId ?? defaults.projectId,
        id === undefined ? options : { ...options, id },
      );
      return { environmentId: environment.id };
    },
  ),

  /** With its variables already deployed, unless `deployed` is false. A service of that id gets an instance here. */
  addService: command(
    z.strictObject({
      name: z.string(),
      id: z.string().optional(),
      environmentId: z.string().optional(),
      variables: VARIABLES.optional(),
      deployed: z.boolean().optional(),
      ...SETTINGS,
    }),
    (simulation, input) => {
      const { world, deployer } = simulation;
      const environment = simulation.environment(input.environmentId);
      const known = input.id === undefined ? undefined : world.services.get(input.id);
      const service = known ?? world.addService(input.name, environment.projectId, input.id);
      const instance = world.addInstance(service, environment, settingsOf(input));
      environment.variables.write([{ scope: service.id, set: listed(input.variables ?? {}) }], world.now());
      const deployment = input.deployed === false ? null : deployer.settled(instance);
      return { serviceId: service.id, instanceId: instance.id, deploymentId: deployment?.id ?? null };
    },
  ),

  /** Replaces what is named. */
  changeService: command(
    z.strictObject({
      service: z.string(),
      environmentId: z.string().optional(),
      name: z.string().optional(),
      ...SETTINGS,
    }),
    (simulation, input) => {
      const instance = simulation.instance(input.service, input.environmentId);
      instance.settings = { ...instance.settings, ...settingsOf(input) };
      if (input.name !== undefined) instance.service.name = input.name;
      instance.updatedAt = simulation.world.now();
    },
  ),

  /** It still resolves by id, with `deletedAt`; its deployments are gone. */
  deleteService: command(
    z.strictObject({ service: z.string(), environmentId: z.string().optional() }),
    (simulation, { service, environmentId }) => {
      const instance = simulation.instance(service, environmentId);
      instance.service.deletedAt = simulation.world.now();
      for (const deployment of instance.deployments) simulation.deployer.remove(deployment);
    },
  ),

  deleteEnvironment: command(
    z.strictObject({ environmentId: z.string().optional() }),
    (simulation, { environmentId }) => {
      simulation.environment(environmentId).deletedAt = simulation.world.now();
    },
  ),

  /** Restricting an environment takes everybody's access away. */
  restrictEnvironment: command(
    z.strictObject({ environmentId: z.string().optional(), canAccess: z.boolean() }),
    (simulation, { environmentId, canAccess }) => {
      simulation.environment(environmentId).canAccess = canAccess;
    },
  ),

  /** Project tokens reach the default environment unless told; workspace tokens the default workspace. */
  addToken: command(
    z.strictObject({
      kind: z.enum(["account", "workspace", "project"]),
      token: z.string().min(1).optional(),
      name: z.string().optional(),
      workspaceId: z.string().optional(),
      environmentId: z.string().optional(),
      /** Requests per window. */
      limit: z.int().nonnegative().optional(),
    }),
    (simulation, input) => {
      const { world, defaults } = simulation;
      const environment = input.kind === "project" ? simulation.environment(input.environmentId) : null;
      const token = world.addToken(input.kind, {
        name: input.name ?? input.kind,
        workspaceId: input.kind === "workspace" ? (input.workspaceId ?? defaults.workspaceId) : null,
        projectId: environment?.projectId ?? null,
        environmentId: environment?.id ?? null,
        limit: input.limit ?? null,
        ...(input.token === undefined ? {} : { text: input.token }),
      });
      return { token: token.text };
    },
  ),

  revokeToken: command(z.strictObject({ token: z.string() }), ({ world }, { token }) => {
    const known = world.findToken(token);
    if (known === undefined) throw new Error("there is no such token");
    known.revoked = true;
  }),

  /** Shared variables of an environment, written without any consequence. */
  setShared: command(
    z.strictObject({ environmentId: z.string().optional(), variables: VARIABLES }),
    (simulation, { environmentId, variables }) => {
      simulation.platform.store(simulation.environment(environmentId), [
        { scope: SHARED, set: listed(variables) },
      ]);
    },
  ),
};

export function listed(variables: z.output<typeof VARIABLES>) {
  return Object.entries(variables).map(([name, variable]) =>
    typeof variable === "string" ? { name, value: variable } : { name, ...variable },
  );
}

function settingsOf(input: SettingsInput): Partial<ServiceSettings> {
  const { replicas, cron, sleeping, source, overlapSeconds, drainingSeconds, healthcheckPath, url } = input;
  return {
    ...(replicas === undefined ? {} : { numReplicas: replicas }),
    ...(cron === undefined ? {} : { cronSchedule: cron }),
    ...(sleeping === undefined ? {} : { sleepApplication: sleeping }),
    ...(source === undefined
      ? {}
      : { source: source && { image: source.image ?? null, repo: source.repo ?? null } }),
    ...(overlapSeconds === undefined ? {} : { overlapSeconds }),
    ...(drainingSeconds === undefined ? {} : { drainingSeconds }),
    ...(healthcheckPath === undefined ? {} : { healthcheckPath }),
    ...(url === undefined ? {} : { url }),
  };
}
