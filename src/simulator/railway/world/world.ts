/**
 * Everything that exists on the simulated platform, by id. It finds and adds; what happens to variables and
 * deployments is told by the modules beside it.
 */
import { randomUUID } from "node:crypto";
import type { SimulatorClock } from "../clock.ts";
import type {
  Deployment,
  Environment,
  Patch,
  Project,
  Service,
  ServiceInstance,
  ServiceSettings,
  Token,
  TokenKind,
  Workspace,
} from "./model.ts";
import { VariableStore } from "./variable-store.ts";

const DEFAULT_SETTINGS: ServiceSettings = {
  numReplicas: 1,
  cronSchedule: null,
  sleepApplication: false,
  source: { image: "example/app:1", repo: null },
  overlapSeconds: null,
  drainingSeconds: null,
  healthcheckPath: null,
  healthcheckTimeout: null,
  startCommand: null,
  url: null,
};

export class World {
  readonly workspaces = new Map<string, Workspace>();
  readonly projects = new Map<string, Project>();
  readonly environments = new Map<string, Environment>();
  readonly services = new Map<string, Service>();
  readonly instances: ServiceInstance[] = [];
  readonly deployments = new Map<string, Deployment>();
  readonly #tokens = new Map<string, Token>();
  readonly #clock: SimulatorClock;

  constructor(clock: SimulatorClock) {
    this.#clock = clock;
  }

  now(): Date {
    return this.#clock.now();
  }

  addWorkspace(name: string, id: string = randomUUID(), requiresTwoFactor = false): Workspace {
    return put(this.workspaces, { id, name, requiresTwoFactor });
  }

  addProject(name: string, workspaceId: string, id: string = randomUUID()): Project {
    return put(this.projects, {
      id,
      name,
      workspaceId,
      createdAt: this.now(),
      deletedAt: null,
      prDeploys: false,
      botPrEnvironments: false,
      baseEnvironmentId: null,
    });
  }

  addEnvironment(
    name: string,
    projectId: string,
    options: { readonly id?: string; readonly canAccess?: boolean; readonly isEphemeral?: boolean } = {},
  ): Environment {
    const id = options.id ?? randomUUID();
    const now = this.now();
    return put(this.environments, {
      id,
      name,
      projectId,
      isEphemeral: options.isEphemeral ?? false,
      canAccess: options.canAccess ?? true,
      createdAt: now,
      updatedAt: now,
      deletedAt: null,
      variables: new VariableStore(),
      staged: this.emptyPatch(id),
      patches: [],
    });
  }

  addService(name: string, projectId: string, id: string = randomUUID()): Service {
    return put(this.services, { id, name, projectId, createdAt: this.now(), deletedAt: null });
  }

  addInstance(
    service: Service,
    environment: Environment,
    settings: Partial<ServiceSettings>,
  ): ServiceInstance {
    const now = this.now();
    const instance: ServiceInstance = {
      id: randomUUID(),
      service,
      environment,
      createdAt: now,
      updatedAt: now,
      settings: { ...DEFAULT_SETTINGS, ...settings },
      deployments: [],
    };
    this.instances.push(instance);
    return instance;
  }

  addToken(
    kind: TokenKind,
    scope: Partial<Pick<Token, "text" | "name" | "workspaceId" | "projectId" | "environmentId" | "limit">>,
  ): Token {
    const token: Token = {
      id: randomUUID(),
      kind,
      name: scope.name ?? kind,
      text: scope.text ?? randomUUID(),
      createdAt: this.now(),
      workspaceId: scope.workspaceId ?? null,
      projectId: scope.projectId ?? null,
      environmentId: scope.environmentId ?? null,
      limit: scope.limit ?? null,
      revoked: false,
    };
    this.#tokens.set(token.text, token);
    return token;
  }

  findToken(text: string): Token | undefined {
    return this.#tokens.get(text);
  }

  /** Instances of services that still exist. */
  instancesIn(environmentId: string): ServiceInstance[] {
    return this.instances.filter(
      ({ environment, service }) => environment.id === environmentId && service.deletedAt === null,
    );
  }

  findInstance(environmentId: string, serviceId: string): ServiceInstance | undefined {
    return this.instances.find(
      ({ environment, service }) => environment.id === environmentId && service.id === serviceId,
    );
  }

  emptyPatch(environmentId: string): Patch {
    const now = this.now();
    return {
      id: randomUUID(),
      environmentId,
      createdAt: now,
      updatedAt: now,
      appliedAt: null,
      status: "STAGED",
      message: null,
      lastAppliedError: null,
      content: {},
    };
  }
}

function put<Thing extends { readonly id: string }>(things: Map<string, Thing>, thing: Thing): Thing {
  if (things.has(thing.id)) throw new Error(`there is something with the id ${thing.id} already`);
  things.set(thing.id, thing);
  return thing;
}
