/**
 * All parts of one simulated platform, put together, without any server. It begins with one workspace, one project,
 * one environment and a token of each kind, so that a test needs to add nothing but services.
 */

import { RateLimiter } from "./api/rate-limiter.ts";
import { REAL_CLOCK, type SimulatorClock } from "./clock.ts";
import { FaultBoard } from "./faults/fault-board.ts";
import {
  DEFAULT_BEHAVIOUR,
  DEFAULT_DURATIONS,
  DEFAULT_RATE_LIMIT,
  type Defaults,
  type SimulatorOptions,
} from "./options.ts";
import { RequestLog } from "./request-log.ts";
import { Deployer } from "./world/deployer.ts";
import type { Environment, ServiceInstance } from "./world/model.ts";
import { Patches } from "./world/patches.ts";
import { Platform } from "./world/platform.ts";
import { Replicas } from "./world/replicas.ts";
import { Schedule } from "./world/schedule.ts";
import { World } from "./world/world.ts";

export class Simulation {
  readonly clock: SimulatorClock;
  readonly world: World;
  readonly schedule: Schedule;
  readonly replicas: Replicas;
  readonly deployer: Deployer;
  readonly platform: Platform;
  readonly patches: Patches;
  readonly limiter: RateLimiter;
  readonly faults: FaultBoard;
  readonly log = new RequestLog();
  readonly defaults: Defaults;

  constructor(options: SimulatorOptions = {}) {
    const durations = { ...DEFAULT_DURATIONS, ...options.durations };
    const behaviour = { ...DEFAULT_BEHAVIOUR, ...options.behaviour };
    this.clock = options.clock ?? REAL_CLOCK;
    this.world = new World(this.clock);
    this.schedule = new Schedule(this.clock);
    this.faults = new FaultBoard(this.clock);
    this.limiter = new RateLimiter(this.clock, { ...DEFAULT_RATE_LIMIT, ...options.rateLimit });
    this.replicas = new Replicas(this.world, this.schedule, options.onDeploymentStarted);
    this.deployer = new Deployer({
      world: this.world,
      schedule: this.schedule,
      durations,
      replicas: this.replicas,
      ailmentFor: ({ service }) => this.faults.takeForDeployment(new Set([service.id, service.name])),
    });
    this.platform = new Platform(this.world, this.deployer, behaviour);
    this.patches = new Patches(this.platform, this.schedule, durations);
    this.defaults = addDefaults(this.world, options.defaults ?? {});
  }

  /** Default: the environment that was there from the start. */
  environment(id: string = this.defaults.environmentId): Environment {
    const environment = this.world.environments.get(id);
    if (environment === undefined) throw new Error(`there is no environment ${id}`);
    return environment;
  }

  /** By the service's id or name. */
  instance(service: string, environmentId?: string): ServiceInstance {
    const environment = this.environment(environmentId);
    const instance = this.world.instances.find(
      (one) => one.environment === environment && [one.service.id, one.service.name].includes(service),
    );
    if (instance === undefined) throw new Error(`there is no service ${service} in ${environment.name}`);
    return instance;
  }

  /** Nothing happens any more afterwards; processes have ended. */
  async close(): Promise<void> {
    this.schedule.close();
    await this.replicas.close();
  }
}

function addDefaults(world: World, chosen: Partial<Defaults>): Defaults {
  const workspace = world.addWorkspace("workspace", chosen.workspaceId);
  const project = world.addProject("project", workspace.id, chosen.projectId);
  const environment = world.addEnvironment(
    "production",
    project.id,
    chosen.environmentId === undefined ? {} : { id: chosen.environmentId },
  );
  const text = (token: string | undefined) => (token === undefined ? {} : { text: token });
  return {
    workspaceId: workspace.id,
    projectId: project.id,
    environmentId: environment.id,
    accountToken: world.addToken("account", text(chosen.accountToken)).text,
    workspaceToken: world.addToken("workspace", { workspaceId: workspace.id, ...text(chosen.workspaceToken) })
      .text,
    projectToken: world.addToken("project", {
      projectId: project.id,
      environmentId: environment.id,
      ...text(chosen.projectToken),
    }).text,
  };
}
