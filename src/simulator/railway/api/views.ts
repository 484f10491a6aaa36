/**
 * Things of the world as GraphQL sees them. Fields that cost something are functions: the executor calls only those
 * that were selected.
 */
import { createHash } from "node:crypto";
import type { SimulatorBehaviour } from "../options.ts";
import { notAuthorized } from "../refusal.ts";
import {
  canRedeploy,
  canRollback,
  isServing,
  isStopped,
  latestOf,
  snapshotIdOf,
} from "../world/deployment-rules.ts";
import { readConfig, readPatch } from "../world/environment-config.ts";
import type {
  Deployment,
  Environment,
  Patch,
  Project,
  Service,
  ServiceInstance,
  Token,
  Workspace,
} from "../world/model.ts";
import { referencesIn } from "../world/rendering.ts";
import { SHARED, type StoredVariable } from "../world/variable-store.ts";
import type { World } from "../world/world.ts";
import type { Access } from "./caller.ts";
import { type PageArguments, toConnection } from "./connection.ts";
import type { TokenAllowance } from "./rate-limiter.ts";

export interface ViewParts {
  readonly world: World;
  readonly access: Access;
  readonly behaviour: SimulatorBehaviour;
  /** Variable reads answer the state before this many writes. */
  readonly writesBehind: number;
  readonly allowance: TokenAllowance | null;
}

export type View = Readonly<Record<string, unknown>>;

export class Views {
  readonly #parts: ViewParts;

  constructor(parts: ViewParts) {
    this.#parts = parts;
  }

  page<Item>(items: readonly Item[], page: PageArguments, toView: (item: Item) => View) {
    return toConnection(items, page, this.#parts.behaviour.maxPageSize, toView);
  }

  user(token: Token): View {
    return {
      id: token.id,
      name: token.name,
      email: "owner@example.com",
      apiTokenRateLimit: () => this.#allowance(),
      workspaces: () => this.#parts.access.workspaces().map((workspace) => this.workspace(workspace)),
    };
  }

  workspace({ id, name }: Workspace): View {
    const { world } = this.#parts;
    return {
      id,
      name,
      apiTokenRateLimit: () => this.#allowance(),
      projects: (page: PageArguments) =>
        this.page(
          [...world.projects.values()].filter((project) => project.workspaceId === id),
          page,
          (project) => this.project(project),
        ),
    };
  }

  project(project: Project): View {
    const { world, access } = this.#parts;
    const environments = () =>
      [...world.environments.values()].filter(({ projectId }) => projectId === project.id);
    return {
      ...project,
      updatedAt: project.createdAt,
      primaryEnvironmentId: () => environments()[0]?.id ?? null,
      environments: ({ isEphemeral, ...page }: PageArguments & { readonly isEphemeral?: boolean | null }) =>
        this.page(
          environments().filter(
            (one) =>
              (!access.isProjectToken() || one.id === access.projectToken().environmentId) &&
              (typeof isEphemeral !== "boolean" || one.isEphemeral === isEphemeral),
          ),
          page,
          (environment) => this.environment(environment),
        ),
      services: (page: PageArguments) =>
        this.page(
          [...world.services.values()].filter(({ projectId }) => projectId === project.id),
          page,
          (service) => this.service(service),
        ),
    };
  }

  projectToken(token: Token): View {
    const { access } = this.#parts;
    return {
      id: token.id,
      name: token.name,
      createdAt: token.createdAt,
      displayToken: `${token.text.slice(0, 4)}…`,
      projectId: token.projectId,
      environmentId: token.environmentId,
      project: () => this.project(access.project(token.projectId ?? "")),
      environment: () => this.environment(access.environment(token.environmentId ?? "")),
    };
  }

  environment(environment: Environment): View {
    const { world, behaviour, writesBehind } = this.#parts;
    const open = () => {
      if (!environment.canAccess) throw notAuthorized();
      return environment;
    };
    return {
      id: environment.id,
      name: environment.name,
      projectId: environment.projectId,
      isEphemeral: environment.isEphemeral,
      canAccess: environment.canAccess,
      createdAt: environment.createdAt,
      updatedAt: environment.updatedAt,
      deletedAt: environment.deletedAt,
      // Null in live reads, also with changes staged.
      unmergedChangesCount: null,
      configEtag: () => etagOf(environment, behaviour.etagFollowsVariables),
      config: ({ decryptVariables }: { decryptVariables?: boolean | null }) =>
        readConfig(world, open(), decryptVariables === true, writesBehind),
      serviceInstances: (page: PageArguments) =>
        this.page(world.instancesIn(open().id), page, (instance) => this.instance(instance)),
      deployments: (page: PageArguments) =>
        this.page(newestFirst(world.instancesIn(open().id)), page, (deployment) =>
          this.deployment(deployment),
        ),
      variables: (page: PageArguments) => {
        const alive = new Set([SHARED, ...world.instancesIn(open().id).map(({ service }) => service.id)]);
        const scopes = [...environment.variables.at(writesBehind)].filter(([scope]) => alive.has(scope));
        const listed = scopes.flatMap(([scope, variables]) =>
          [...variables.values()].map((variable) => ({ scope, variable })),
        );
        return this.page(listed, page, ({ scope, variable }) => this.variable(environment, scope, variable));
      },
    };
  }

  service(service: Service): View {
    return {
      ...service,
      updatedAt: service.createdAt,
      project: () => this.project(this.#parts.access.project(service.projectId)),
    };
  }

  instance(instance: ServiceInstance): View {
    const { behaviour } = this.#parts;
    const { service, environment, settings } = instance;
    return {
      ...settings,
      id: instance.id,
      serviceId: service.id,
      serviceName: service.name,
      environmentId: environment.id,
      createdAt: instance.createdAt,
      updatedAt: instance.updatedAt,
      deletedAt: service.deletedAt,
      service: () => this.service(service),
      activeDeployments: () =>
        instance.deployments
          .filter((one) => isServing(one) || (behaviour.drainingIsActive && one.status === "REMOVING"))
          .reverse()
          .map((deployment) => this.deployment(deployment)),
      latestDeployment: () => {
        const latest = latestOf(instance);
        return latest === undefined ? null : this.deployment(latest);
      },
    };
  }

  deployment(deployment: Deployment): View {
    const { service, environment, settings } = deployment.instance;
    return {
      id: deployment.id,
      status: deployment.status,
      statusUpdatedAt: deployment.statusUpdatedAt,
      createdAt: deployment.createdAt,
      updatedAt: deployment.statusUpdatedAt,
      projectId: environment.projectId,
      environmentId: environment.id,
      serviceId: service.id,
      snapshotId: snapshotIdOf(deployment),
      canRedeploy: canRedeploy(deployment),
      canRollback: canRollback(deployment),
      deploymentStopped: isStopped(deployment),
      instances: deployment.replicas.map(({ id, status }) => ({ id, status })),
      meta: {
        reason: deployment.cause === "deploymentRedeploy" ? "redeploy" : "deploy",
        ...deployment.source,
      },
      url: settings.url,
      staticUrl: settings.url,
      environment: () => this.environment(environment),
      service: () => this.service(service),
    };
  }

  variable(environment: Environment, scope: string, variable: StoredVariable): View {
    return {
      id: variable.id,
      name: variable.name,
      isSealed: variable.sealed,
      createdAt: variable.createdAt,
      updatedAt: variable.updatedAt,
      references: variable.sealed ? [] : referencesIn(variable.value),
      environmentId: environment.id,
      serviceId: scope === SHARED ? null : scope,
      environment: () => this.environment(environment),
      // Non-null in the schema, and yet there is none for a shared variable.
      service: () => (scope === SHARED ? null : this.service(this.#parts.access.service(scope))),
    };
  }

  patch(patch: Patch): View {
    return {
      ...patch,
      environment: () => this.environment(this.#parts.access.environment(patch.environmentId)),
      patch: ({ decryptVariables }: { decryptVariables?: boolean | null }) =>
        readPatch(patch.content, decryptVariables === true),
    };
  }

  /** What a deployment was started with, without provided names. null until it was built. */
  snapshot(deployment: Deployment): View | null {
    if (snapshotIdOf(deployment) === null) return null;
    const { snapshotForm, sealedInSnapshot } = this.#parts.behaviour;
    const { snapshot } = deployment;
    const variables: Record<string, string | null> = Object.create(null);
    for (const [name, { value, rendered, sealed }] of snapshot.variables) {
      if (sealed && sealedInSnapshot === "absent") continue;
      const shown = snapshotForm === "rendered" ? rendered : value;
      variables[name] = sealed && sealedInSnapshot === "null" ? null : shown;
    }
    return { id: snapshot.id, createdAt: snapshot.createdAt, updatedAt: snapshot.createdAt, variables };
  }

  #allowance(): View | null {
    const { allowance } = this.#parts;
    return allowance && { remainingPoints: allowance.remaining, resetsAt: allowance.resetsAt.toISOString() };
  }
}

function etagOf(environment: Environment, followsVariables: boolean): string {
  const revision = followsVariables ? environment.variables.revision : 0;
  return createHash("sha256").update(`${environment.id}/${revision}`).digest("hex").slice(0, 32);
}

export function newestFirst(instances: readonly ServiceInstance[]): Deployment[] {
  return instances
    .flatMap(({ deployments }) => deployments)
    .reverse()
    .sort((left, right) => right.createdAt.getTime() - left.createdAt.getTime());
}
