/**
 * Who asks, and what it may touch. The kind of a token cannot be told from its text; the header decides where it is
 * looked up, so a token in the wrong header is nobody's: status 200 and "Not Authorized".
 */
import type { IncomingHttpHeaders } from "node:http";
import { notAuthorized, refusal } from "../refusal.ts";
import type {
  Deployment,
  Environment,
  Project,
  Service,
  ServiceInstance,
  Token,
  Workspace,
} from "../world/model.ts";
import type { World } from "../world/world.ts";

export interface Caller {
  /** null: no token, an unknown one, a revoked one, or the wrong header. */
  readonly token: Token | null;
  readonly sentProjectHeader: boolean;
}

/** When both headers are sent, whichever fits counts. */
export function identify(world: World, headers: IncomingHttpHeaders): Caller {
  const projectText = headers["project-access-token"];
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
  const byProject = typeof projectText === "string" ? world.findToken(projectText) : undefined;
  const byBearer = bearer === undefined ? undefined : world.findToken(bearer);
  const fitting = [
    byProject?.kind === "project" ? byProject : null,
    byBearer !== undefined && byBearer.kind !== "project" ? byBearer : null,
  ];
  return {
    token: fitting.find((token) => token !== null && !token.revoked) ?? null,
    sentProjectHeader: projectText !== undefined,
  };
}

/** Finds things on behalf of a caller. What it may not see and what is not there are refused alike. */
export class Access {
  readonly #world: World;
  readonly #caller: Caller;

  constructor(world: World, caller: Caller) {
    this.#world = world;
    this.#caller = caller;
  }

  projectToken(): Token {
    const { token, sentProjectHeader } = this.#caller;
    if (token?.kind === "project") return token;
    throw sentProjectHeader ? refusal("Project Token not found") : notAuthorized();
  }

  /** Account or workspace token. */
  bearer(): Token {
    const { token } = this.#caller;
    if (token === null || token.kind === "project") throw notAuthorized();
    return token;
  }

  account(): Token {
    const token = this.bearer();
    if (token.kind !== "account") throw notAuthorized();
    return token;
  }

  workspaces(): Workspace[] {
    const { workspaceId } = this.bearer();
    return [...this.#world.workspaces.values()].filter(
      ({ id }) => workspaceId === null || workspaceId === id,
    );
  }

  workspace(id: string): Workspace {
    const workspace = this.workspaces().find((one) => one.id === id);
    if (workspace === undefined) throw notAuthorized();
    assertSecondFactor(workspace);
    return workspace;
  }

  project(id: string): Project {
    const token = this.#token();
    const project = this.#world.projects.get(id);
    if (project === undefined) throw notAuthorized();
    if (token.kind === "project" && token.projectId !== id) throw notAuthorized();
    if (token.workspaceId !== null && token.workspaceId !== project.workspaceId) throw notAuthorized();
    const workspace = this.#world.workspaces.get(project.workspaceId);
    if (workspace !== undefined && token.kind !== "project") assertSecondFactor(workspace);
    return project;
  }

  /** `projectId` given: it must be the environment's. */
  environment(id: string, projectId?: string | null): Environment {
    const token = this.#token();
    const environment = this.#world.environments.get(id);
    if (environment === undefined) throw notAuthorized();
    if (token.kind === "project" && token.environmentId !== id) throw notAuthorized();
    if (projectId !== undefined && projectId !== null && projectId !== environment.projectId)
      throw notAuthorized();
    this.project(environment.projectId);
    return environment;
  }

  /** One whose contents may be read and written. */
  openEnvironment(id: string, projectId?: string | null): Environment {
    const environment = this.environment(id, projectId);
    if (!environment.canAccess || environment.deletedAt !== null) throw notAuthorized();
    return environment;
  }

  service(id: string): Service {
    const service = this.#world.services.get(id);
    if (service === undefined) throw notAuthorized();
    this.project(service.projectId);
    return service;
  }

  instance(environment: Environment, serviceId: string): ServiceInstance {
    const instance = this.#world.findInstance(environment.id, serviceId);
    if (instance === undefined) throw refusal("ServiceInstance not found");
    if (instance.service.deletedAt !== null) throw refusal("Service not found");
    return instance;
  }

  deployment(id: string): Deployment {
    const deployment = this.#world.deployments.get(id);
    if (deployment === undefined)
      throw this.#caller.token === null ? notAuthorized() : refusal("Deployment not found");
    this.openEnvironment(deployment.instance.environment.id);
    return deployment;
  }

  /** For what project tokens may be kept from. */
  isProjectToken(): boolean {
    return this.#token().kind === "project";
  }

  #token(): Token {
    if (this.#caller.token === null) throw notAuthorized();
    return this.#caller.token;
  }
}

function assertSecondFactor(workspace: Workspace): void {
  if (!workspace.requiresTwoFactor) return;
  throw refusal("Two Factor Authentication Required", { workspaceName: workspace.name });
}
