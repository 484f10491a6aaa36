/** Deployments: what a person does to them, what became of them, and what their processes really hold. */
import { z } from "zod";
import { ManualClock } from "../clock.ts";
import type { Simulation } from "../simulation.ts";
import { isInProgress, snapshotIdOf } from "../world/deployment-rules.ts";
import type { Deployment } from "../world/model.ts";
import { processEnvironment } from "../world/replicas.ts";
import { command } from "./command.ts";

const SERVICE = z.strictObject({ service: z.string(), environmentId: z.string().optional() });
const DEPLOYMENT = z.strictObject({ deploymentId: z.string() });

export interface DeploymentSummary {
  readonly id: string;
  readonly status: Deployment["status"];
  /** The operation that asked for it, "person" or "maintenance". */
  readonly cause: string;
  readonly createdAt: string;
  readonly snapshotId: string | null;
  readonly replicas: readonly string[];
}

export const DEPLOYMENT_COMMANDS = {
  /** Newest first. */
  deployments: command(SERVICE, (simulation, { service, environmentId }): DeploymentSummary[] =>
    simulation.instance(service, environmentId).deployments.map(summaryOf).reverse(),
  ),

  /** The initial environment of each process alive, newest deployment first. */
  processes: command(SERVICE, (simulation, { service, environmentId }) =>
    simulation
      .instance(service, environmentId)
      .deployments.flatMap((deployment) =>
        deployment.replicas
          .filter(({ status }) => ["RUNNING", "REMOVING", "RESTARTING"].includes(status))
          .map((replica) => ({
            deploymentId: deployment.id,
            status: replica.status,
            variables: processEnvironment(simulation.world, deployment, replica),
          })),
      )
      .reverse(),
  ),

  /** A person presses deploy. */
  deploy: command(SERVICE, (simulation, { service, environmentId }) => ({
    deploymentId: simulation.platform.deploy(simulation.instance(service, environmentId), "person").id,
  })),

  /**
   * The platform moves a service to another host by a deployment of its own: with what is stored by then, unannounced,
   * and not counted by any throttle.
   */
  maintenance: command(SERVICE, (simulation, { service, environmentId }) => ({
    deploymentId: simulation.deployer.start(simulation.instance(service, environmentId), {
      cause: "maintenance",
    }).id,
  })),

  /** A person goes back to an older deployment: its variables, its image. */
  rollback: command(DEPLOYMENT, (simulation, { deploymentId }) => {
    simulation.platform.rollback(deploymentOf(simulation, deploymentId));
  }),

  /** Its process ends with a failure. */
  crash: command(DEPLOYMENT, (simulation, { deploymentId }) =>
    simulation.deployer.crash(deploymentOf(simulation, deploymentId)),
  ),

  /** A person takes it away. */
  remove: command(DEPLOYMENT, (simulation, { deploymentId }) =>
    simulation.deployer.remove(deploymentOf(simulation, deploymentId)),
  ),

  sleep: command(DEPLOYMENT, (simulation, { deploymentId }) =>
    simulation.deployer.sleep(deploymentOf(simulation, deploymentId)),
  ),

  wake: command(DEPLOYMENT, (simulation, { deploymentId }) =>
    simulation.deployer.wake(deploymentOf(simulation, deploymentId)),
  ),

  /** Lets deployments go on that hang or wait for approval: one, or all. Answers how many. */
  releaseDeployments: command(
    z.strictObject({ deploymentId: z.string().optional() }),
    ({ deployer }, { deploymentId }) =>
      deployer.release(({ id }) => deploymentId === undefined || id === deploymentId),
  ),

  /** All that are in progress, of all services. */
  inProgress: command(z.strictObject({}), ({ world }): DeploymentSummary[] =>
    [...world.deployments.values()].filter(isInProgress).map(summaryOf),
  ),

  /** Resolves when nothing changes by itself any more; what hangs does not count. */
  idle: command(z.strictObject({}), async ({ schedule }): Promise<void> => schedule.idle()),

  /** Only with a manual clock. */
  advance: command(z.strictObject({ ms: z.number().nonnegative() }), ({ clock }, { ms }) => {
    if (!(clock instanceof ManualClock)) throw new Error("this simulator runs on the real clock");
    clock.advance(ms);
  }),
};

function deploymentOf({ world }: Simulation, id: string): Deployment {
  const deployment = world.deployments.get(id);
  if (deployment === undefined) throw new Error(`there is no deployment ${id}`);
  return deployment;
}

function summaryOf(deployment: Deployment): DeploymentSummary {
  return {
    id: deployment.id,
    status: deployment.status,
    cause: deployment.cause,
    createdAt: deployment.createdAt.toISOString(),
    snapshotId: snapshotIdOf(deployment),
    replicas: deployment.replicas.map(({ status }) => status),
  };
}
