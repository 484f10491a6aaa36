/**
 * The replicas of deployments, and the real processes behind them when somebody gave a starter. Without one a replica
 * is ready at once and never ends by itself.
 */
import { randomUUID } from "node:crypto";
import type { ProcessStarter, ReplicaProcess } from "../processes.ts";
import { providedVariables } from "./environment-values.ts";
import type { Deployment, Replica, ReplicaStatus } from "./model.ts";
import type { Schedule } from "./schedule.ts";
import type { World } from "./world.ts";

export class Replicas {
  readonly #world: World;
  readonly #schedule: Schedule;
  readonly #starter: ProcessStarter | undefined;
  readonly #stopping = new Set<Promise<void>>();

  constructor(world: World, schedule: Schedule, starter: ProcessStarter | undefined) {
    this.#world = world;
    this.#schedule = schedule;
    this.#starter = starter;
  }

  create(deployment: Deployment): void {
    deployment.replicas = Array.from({ length: deployment.instance.settings.numReplicas }, () => ({
      id: randomUUID(),
      status: "CREATED" as const,
      process: null,
    }));
  }

  /** `ready` when all serve, `ended` when one could not start or ended; each at most once per start. */
  start(deployment: Deployment, ready: () => void, ended: () => void): void {
    const starter = this.#starter;
    if (starter === undefined || deployment.instance.settings.cronSchedule !== null) {
      ready();
      return;
    }
    for (const replica of deployment.replicas) replica.status = "INITIALIZING";
    const started = deployment.replicas.map((replica, index) =>
      this.#run(starter, deployment, replica, index, ended),
    );
    this.#schedule.during(Promise.all(started).then(ready, ended));
  }

  restart(deployment: Deployment, ready: () => void, ended: () => void): void {
    for (const replica of deployment.replicas) this.#stop(replica);
    this.start(deployment, ready, ended);
  }

  end(deployment: Deployment, status: ReplicaStatus): void {
    for (const replica of deployment.replicas) {
      replica.status = status;
      this.#stop(replica);
    }
  }

  /** Stops every process and waits for it. */
  async close(): Promise<void> {
    for (const { replicas } of this.#world.deployments.values())
      for (const replica of replicas) this.#stop(replica);
    await Promise.all(this.#stopping);
  }

  async #run(
    starter: ProcessStarter,
    deployment: Deployment,
    replica: Replica,
    index: number,
    ended: () => void,
  ): Promise<void> {
    const { service, environment } = deployment.instance;
    const process = await starter({
      service: { id: service.id, name: service.name },
      environmentId: environment.id,
      deploymentId: deployment.id,
      replica: index,
      variables: processEnvironment(this.#world, deployment, replica),
    });
    if (process === undefined) return;
    if (deployment.status === "REMOVED") {
      this.#halt(process);
      return;
    }
    replica.process = process;
    const early = process.exited?.then((code) => {
      // A process that we stopped ourselves is no crash.
      if (replica.process !== process) return;
      replica.process = null;
      replica.status = "EXITED";
      if (code !== 0) ended();
      throw new Error("the process ended before it was ready");
    });
    early?.catch(() => {});
    await Promise.race([process.ready ?? Promise.resolve(), ...(early === undefined ? [] : [early])]);
  }

  #stop(replica: Replica): void {
    const { process } = replica;
    replica.process = null;
    if (process !== null) void this.#halt(process);
  }

  async #halt(process: ReplicaProcess): Promise<void> {
    const stopping = (async () => process.stop())().catch(() => {});
    this.#stopping.add(stopping);
    await stopping;
    this.#stopping.delete(stopping);
  }
}

/** The initial environment of a replica's process. */
export function processEnvironment(
  world: World,
  deployment: Deployment,
  replica: Replica,
): Record<string, string> {
  const own = [...deployment.snapshot.variables].map(([name, { rendered }]) => [name, rendered] as const);
  return {
    ...Object.fromEntries(own),
    ...providedVariables(world, deployment.instance),
    RAILWAY_DEPLOYMENT_ID: deployment.id,
    RAILWAY_SNAPSHOT_ID: deployment.snapshot.id,
    RAILWAY_REPLICA_ID: replica.id,
  };
}
