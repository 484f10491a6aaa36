/**
 * What the platform does when it is told to: variables and their consequences, and the rules for starting
 * deployments. Callers were authorised before.
 */
import type { SimulatorBehaviour } from "../options.ts";
import { refusal } from "../refusal.ts";
import type { Deployer } from "./deployer.ts";
import { canRedeploy, isBuilding, isInProgress, latestOf } from "./deployment-rules.ts";
import { servicesReferring } from "./environment-values.ts";
import type { Deployment, Environment, ServiceInstance } from "./model.ts";
import { type ScopeChange, SHARED } from "./variable-store.ts";
import type { World } from "./world.ts";

/** The exact rule of the platform is not published; these are the names that every process can read. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export interface VariableWrite {
  readonly environment: Environment;
  /** null: the shared scope. */
  readonly serviceId: string | null;
  readonly variables: Readonly<Record<string, string>>;
  readonly replace: boolean;
  readonly skipDeploys: boolean;
  readonly cause: string;
}

export class Platform {
  readonly world: World;
  readonly deployer: Deployer;
  readonly behaviour: SimulatorBehaviour;
  readonly #startedAtMs = new WeakMap<ServiceInstance, number[]>();

  constructor(world: World, deployer: Deployer, behaviour: SimulatorBehaviour) {
    this.world = world;
    this.deployer = deployer;
    this.behaviour = behaviour;
  }

  upsert(write: VariableWrite): void {
    const set = Object.entries(write.variables).map(([name, value]) => ({ name, value }));
    for (const { name } of set) if (!NAME.test(name)) throw refusal("Error in name - Invalid input");
    const dropped = this.behaviour.emptyStrings === "drop" ? set.filter(({ value }) => value === "") : [];
    const scope = write.serviceId ?? SHARED;
    this.store(write.environment, [
      { scope, set: set.filter((entry) => !dropped.includes(entry)), replace: write.replace },
    ]);
    if (!write.skipDeploys)
      this.deployAffected(write.environment, scope, Object.keys(write.variables), write.cause);
  }

  /** Starts a deployment by itself unless the simulator was told otherwise: the operation has no `skipDeploys`. */
  deleteVariable(environment: Environment, serviceId: string | null, name: string): void {
    const scope = serviceId ?? SHARED;
    if (!environment.variables.scope(scope).has(name)) {
      if (this.behaviour.deleteMissing === "error") throw refusal("Variable not found");
      return;
    }
    this.store(environment, [{ scope, remove: [name] }]);
    if (this.behaviour.deleteStartsDeployment)
      this.deployAffected(environment, scope, [name], "variableDelete");
  }

  /** Sharing puts a reference into the service; unsharing takes it out again. */
  configureShared(
    environment: Environment,
    name: string,
    enabledServiceIds: readonly string[],
    disabledServiceIds: readonly string[],
  ): void {
    if (!environment.variables.scope(SHARED).has(name)) throw refusal("Variable not found");
    const reference = `\${{shared.${name}}}`;
    this.store(environment, [
      ...enabledServiceIds.map((scope) => ({ scope, set: [{ name, value: reference }] })),
      ...disabledServiceIds
        .filter((scope) => environment.variables.scope(scope).get(name)?.value === reference)
        .map((scope) => ({ scope, remove: [name] })),
    ]);
  }

  store(environment: Environment, changes: readonly ScopeChange[]): void {
    const now = this.world.now();
    environment.variables.write(changes, now);
    environment.updatedAt = now;
  }

  /**
   * Deploys what uses the changed names: the service itself, or whoever refers to a shared one (which services
   * Railway chooses is not documented). What was never deployed stays so. Every call counts, also one that changed
   * nothing. The values are stored already when a throttle refuses the deployment.
   */
  deployAffected(environment: Environment, scope: string, names: readonly string[], cause: string): void {
    const own = this.world.findInstance(environment.id, scope);
    const affected =
      scope === SHARED ? servicesReferring(this.world, environment, new Set(names)) : own ? [own] : [];
    for (const instance of affected) if (instance.deployments.length > 0) this.deploy(instance, cause);
  }

  deploy(instance: ServiceInstance, cause: string): Deployment {
    this.#throttle(instance);
    return this.deployer.start(instance, { cause });
  }

  redeploy(deployment: Deployment, cause: string): Deployment {
    if (deployment.instance.deployments.some(isBuilding)) {
      throw refusal("Cannot redeploy yet, please wait for the original deployment to finish building");
    }
    if (!canRedeploy(deployment)) throw refusal("Cannot redeploy without a snapshot");
    return this.deploy(deployment.instance, cause);
  }

  redeployLatest(instance: ServiceInstance, cause: string): Deployment {
    const latest = latestOf(instance);
    if (latest === undefined) throw refusal("Deployment not found");
    return this.redeploy(latest, cause);
  }

  deployFromSource(instance: ServiceInstance, cause: string): Deployment {
    if (instance.settings.source === null) throw refusal("Deployment not found");
    return this.deploy(instance, cause);
  }

  rollback(deployment: Deployment): Deployment {
    if (!deployment.built) throw refusal("Cannot rollback without a snapshot");
    this.#throttle(deployment.instance);
    return this.deployer.start(deployment.instance, { cause: "deploymentRollback", from: deployment });
  }

  cancel(deployment: Deployment): void {
    if (!isInProgress(deployment)) throw refusal("Deployment cannot be cancelled");
    this.deployer.drop(deployment);
  }

  #throttle(instance: ServiceInstance): void {
    const throttle = this.behaviour.deploymentThrottle;
    if (throttle === null) return;
    const nowMs = this.world.now().getTime();
    const recent = (this.#startedAtMs.get(instance) ?? []).filter((atMs) => nowMs - atMs < throttle.windowMs);
    if (recent.length >= throttle.max) throw refusal("Service deployment rate limit exceeded");
    this.#startedAtMs.set(instance, [...recent, nowMs]);
  }
}
