/** The root fields that ask. */
import { notAuthorized } from "../refusal.ts";
import { renderedForReader, storedForReader } from "../world/environment-values.ts";
import type { DeploymentStatus } from "../world/model.ts";
import { SHARED } from "../world/variable-store.ts";
import type { PageArguments } from "./connection.ts";
import type { RequestContext } from "./context.ts";
import { newestFirst } from "./views.ts";

interface VariablesArguments {
  readonly projectId: string;
  readonly environmentId: string;
  readonly serviceId?: string | null;
  readonly unrendered?: boolean | null;
}

interface DeploymentsArguments extends PageArguments {
  readonly input: {
    readonly environmentId?: string | null;
    readonly projectId?: string | null;
    readonly serviceId?: string | null;
    readonly status?: {
      readonly in?: readonly DeploymentStatus[] | null;
      readonly notIn?: readonly DeploymentStatus[] | null;
    } | null;
  };
}

export const QUERIES = {
  apiToken: (_: unknown, { access }: RequestContext) => ({
    workspaces: access.workspaces().map(({ id, name }) => ({ id, name })),
  }),

  me: (_: unknown, { access, views }: RequestContext) => views.user(access.account()),

  projectToken: (_: unknown, { access, views }: RequestContext) => views.projectToken(access.projectToken()),

  workspace: ({ workspaceId }: { workspaceId: string }, { access, views }: RequestContext) =>
    views.workspace(access.workspace(workspaceId)),

  projects: (
    args: PageArguments & { workspaceId?: string | null; includeDeleted?: boolean | null },
    { access, views, world }: RequestContext,
  ) => {
    const allowed = new Set(access.workspaces().map(({ id }) => id));
    if (args.workspaceId) access.workspace(args.workspaceId);
    const projects = [...world.projects.values()].filter(
      ({ workspaceId, deletedAt }) =>
        allowed.has(workspaceId) &&
        (!args.workspaceId || args.workspaceId === workspaceId) &&
        (args.includeDeleted === true || deletedAt === null),
    );
    return views.page(projects, args, (project) => views.project(project));
  },

  project: ({ id }: { id: string }, { access, views }: RequestContext) => views.project(access.project(id)),

  environments: (
    args: PageArguments & { projectId: string; isEphemeral?: boolean | null },
    { access, views, world }: RequestContext,
  ) => {
    if (access.isProjectToken()) throw notAuthorized();
    const project = access.project(args.projectId);
    const environments = [...world.environments.values()].filter(
      ({ projectId, isEphemeral }) =>
        projectId === project.id &&
        (typeof args.isEphemeral !== "boolean" || args.isEphemeral === isEphemeral),
    );
    return views.page(environments, args, (environment) => views.environment(environment));
  },

  environment: (
    { id, projectId }: { id: string; projectId?: string | null },
    { access, views }: RequestContext,
  ) => views.environment(access.environment(id, projectId)),

  service: ({ id }: { id: string }, { access, views }: RequestContext) => views.service(access.service(id)),

  serviceInstance: (
    { environmentId, serviceId }: { environmentId: string; serviceId: string },
    { access, views }: RequestContext,
  ) => views.instance(access.instance(access.openEnvironment(environmentId), serviceId)),

  variables: (args: VariablesArguments, { access, world, effects }: RequestContext) => {
    const environment = access.openEnvironment(args.environmentId, args.projectId);
    const instance = args.serviceId ? access.instance(environment, args.serviceId) : null;
    if (args.unrendered !== true)
      return renderedForReader(world, environment, instance, effects.writesBehind);
    return storedForReader(environment.variables.scope(instance?.service.id ?? SHARED, effects.writesBehind));
  },

  variablesForServiceDeployment: (
    args: VariablesArguments & { serviceId: string },
    { access, world, effects }: RequestContext,
  ) => {
    const environment = access.openEnvironment(args.environmentId, args.projectId);
    return renderedForReader(
      world,
      environment,
      access.instance(environment, args.serviceId),
      effects.writesBehind,
    );
  },

  deployment: ({ id }: { id: string }, { access, views }: RequestContext) =>
    views.deployment(access.deployment(id)),

  deploymentSnapshot: ({ deploymentId }: { deploymentId: string }, { access, views }: RequestContext) =>
    views.snapshot(access.deployment(deploymentId)),

  deployments: (args: DeploymentsArguments, { access, behaviour, views, world }: RequestContext) => {
    if (access.isProjectToken() && !behaviour.projectTokenListsDeployments) throw notAuthorized();
    const { environmentId, projectId, serviceId, status } = args.input;
    if (environmentId) access.openEnvironment(environmentId, projectId);
    else if (projectId) access.project(projectId);
    else if (serviceId) access.service(serviceId);
    else throw notAuthorized();
    const instances = world.instances.filter(
      ({ environment, service }) =>
        (!environmentId || environment.id === environmentId) &&
        (!projectId || environment.projectId === projectId) &&
        (!serviceId || service.id === serviceId),
    );
    const deployments = newestFirst(instances).filter(
      (one) => (status?.in?.includes(one.status) ?? true) && !(status?.notIn?.includes(one.status) ?? false),
    );
    return views.page(deployments, args, (deployment) => views.deployment(deployment));
  },

  environmentStagedChanges: (
    { environmentId }: { environmentId: string },
    { access, views }: RequestContext,
  ) => views.patch(access.openEnvironment(environmentId).staged),

  environmentPatch: ({ id }: { id: string }, { access, views, world }: RequestContext) => {
    for (const { staged, patches } of world.environments.values()) {
      const patch = [staged, ...patches].find((one) => one.id === id);
      if (patch === undefined) continue;
      access.openEnvironment(patch.environmentId);
      return views.patch(patch);
    }
    throw notAuthorized();
  },
};
