/**
 * The life of deployments.
 *
 *   INITIALIZING ─▶ BUILDING ─▶ DEPLOYING ─▶ SUCCESS ─▶ SLEEPING (serverless)
 *        │  │            │           │          ├─▶ CRASHED
 *        │  └▶ NEEDS_APPROVAL        │          └─▶ REMOVING ─▶ REMOVED   (a newer one took over, overlap, draining)
 *        └▶ SKIPPED      └▶ FAILED ◀─┘
 *
 * Promises: variables are taken when the deployment begins; the previous deployment serves until the newer one has
 * succeeded and the overlap is over; one that is overtaken while in progress is removed; a failure leaves the
 * previous one serving. A step that finds another state than it expected does nothing: somebody cancelled.
 *
 * How a deployment is meant to go wrong is asked of `ailments` when it begins. Real processes are run by `Replicas`.
 */
import { randomUUID } from "node:crypto";
import type { DeploymentAilment } from "../faults/fault.ts";
import type { DeploymentDurations } from "../options.ts";
import { isInProgress, isServing } from "./deployment-rules.ts";
import { variablesForDeployment } from "./environment-values.ts";
import type { Deployment, DeploymentStatus, Replica, ServiceInstance, Snapshot } from "./model.ts";
import type { Replicas } from "./replicas.ts";
import type { Schedule } from "./schedule.ts";
import type { World } from "./world.ts";

export interface DeployerParts {
  readonly world: World;
  readonly schedule: Schedule;
  readonly durations: DeploymentDurations;
  readonly replicas: Replicas;
  readonly ailmentFor: (instance: ServiceInstance) => DeploymentAilment | null;
}

export interface DeployRequest {
  readonly cause: string;
  /** Rollback: an older deployment's variables and image. */
  readonly from?: Deployment;
}

export class Deployer {
  readonly #parts: DeployerParts;
  /** Deployments that stand still until released or approved. */
  readonly #parked = new Map<Deployment, () => void>();

  constructor(parts: DeployerParts) {
    this.#parts = parts;
  }

  start(instance: ServiceInstance, request: DeployRequest): Deployment {
    const { durations, schedule } = this.#parts;
    const deployment = this.#create(instance, request, "INITIALIZING");
    const ailment = this.#parts.ailmentFor(instance);
    const build = () => {
      if (ailment?.kind === "deployment-skipped") {
        this.#move(deployment, "SKIPPED");
        return;
      }
      this.#move(deployment, "BUILDING");
      this.#unlessHung(deployment, ailment, () =>
        schedule.after(durations.buildingMs, () => this.#deploy(deployment, ailment)),
      );
    };
    const begin = () => this.#when(deployment, ["INITIALIZING", "NEEDS_APPROVAL"], build);
    if (ailment?.kind === "deployment-needs-approval") {
      this.#move(deployment, "NEEDS_APPROVAL");
      this.#parked.set(deployment, begin);
    } else {
      this.#unlessHung(deployment, ailment, () => schedule.after(durations.initializingMs, begin));
    }
    return deployment;
  }

  /** For building a world: a deployment that has succeeded already. */
  settled(instance: ServiceInstance): Deployment {
    const deployment = this.#create(instance, { cause: "person" }, "DEPLOYING");
    deployment.built = true;
    this.#parts.replicas.create(deployment);
    this.#parts.replicas.start(
      deployment,
      () => {},
      () => this.#crash(deployment),
    );
    this.#succeed(deployment, null);
    return deployment;
  }

  /** Lets hanging ones go on, or those that wait for approval. */
  release(which: (deployment: Deployment) => boolean): number {
    const released = [...this.#parked].filter(([deployment]) => which(deployment));
    for (const [deployment, goOn] of released) {
      this.#parked.delete(deployment);
      goOn();
    }
    return released.length;
  }

  /** Takes it away at once (cancel, or a newer one overtook it before it served). */
  drop(deployment: Deployment): void {
    this.#parked.delete(deployment);
    this.#parts.replicas.end(deployment, "REMOVED");
    this.#move(deployment, "REMOVED");
  }

  /** Takes a serving one away: it drains first. */
  remove(deployment: Deployment): void {
    if (isInProgress(deployment) || deployment.status === "CRASHED" || deployment.status === "FAILED") {
      this.drop(deployment);
      return;
    }
    if (!isServing(deployment)) return;
    this.#move(deployment, "REMOVING");
    this.#mark(deployment, "REMOVING");
    const drainingMs = this.#seconds(deployment, "drainingSeconds", "RAILWAY_DEPLOYMENT_DRAINING_SECONDS");
    this.#parts.schedule.after(drainingMs, () =>
      this.#when(deployment, ["REMOVING"], () => this.drop(deployment)),
    );
  }

  /** The process again, with the variables it had. */
  restart(deployment: Deployment): void {
    const { replicas, schedule, durations } = this.#parts;
    this.#mark(deployment, "RESTARTING");
    schedule.after(durations.restartingMs, () =>
      this.#when(deployment, ["SUCCESS", "SLEEPING"], () => {
        this.#move(deployment, "SUCCESS");
        replicas.restart(
          deployment,
          () => this.#mark(deployment, "RUNNING"),
          () => this.#crash(deployment),
        );
      }),
    );
  }

  stop(deployment: Deployment): void {
    this.#parts.replicas.end(deployment, "STOPPED");
  }

  crash(deployment: Deployment): void {
    this.#crash(deployment);
  }

  sleep(deployment: Deployment): void {
    this.#when(deployment, ["SUCCESS"], () => {
      this.#parts.replicas.end(deployment, "STOPPED");
      this.#move(deployment, "SLEEPING");
    });
  }

  wake(deployment: Deployment): void {
    this.#when(deployment, ["SLEEPING"], () => this.restart(deployment));
  }

  #create(instance: ServiceInstance, request: DeployRequest, status: DeploymentStatus): Deployment {
    const { world } = this.#parts;
    const now = world.now();
    const snapshot: Snapshot = {
      id: randomUUID(),
      createdAt: now,
      variables: request.from?.snapshot.variables ?? variablesForDeployment(world, instance),
    };
    const deployment: Deployment = {
      id: randomUUID(),
      instance,
      createdAt: now,
      cause: request.cause,
      snapshot,
      source: request.from?.source ?? instance.settings.source,
      status,
      statusUpdatedAt: now,
      built: false,
      replicas: [],
    };
    instance.deployments.push(deployment);
    world.deployments.set(deployment.id, deployment);
    return deployment;
  }

  #deploy(deployment: Deployment, ailment: DeploymentAilment | null): void {
    const { durations, schedule, replicas } = this.#parts;
    const failsAt = ailment?.kind === "deployment-fails" ? (ailment.stage ?? "build") : null;
    this.#when(deployment, ["BUILDING"], () => {
      if (failsAt === "build") {
        this.#move(deployment, "FAILED");
        return;
      }
      deployment.built = true;
      this.#move(deployment, "DEPLOYING");
      replicas.create(deployment);
      this.#unlessHung(deployment, ailment, () =>
        schedule.after(durations.deployingMs, () =>
          this.#when(deployment, ["DEPLOYING"], () => {
            if (failsAt === "deploy") {
              this.#fail(deployment);
              return;
            }
            const ready = () =>
              this.#when(deployment, ["DEPLOYING"], () => this.#succeed(deployment, ailment));
            replicas.start(deployment, ready, () => this.#crash(deployment));
          }),
        ),
      );
    });
  }

  #succeed(deployment: Deployment, ailment: DeploymentAilment | null): void {
    const { durations, schedule } = this.#parts;
    const { deployments, settings } = deployment.instance;
    this.#move(deployment, "SUCCESS");
    if (settings.cronSchedule !== null) this.#parts.replicas.end(deployment, "EXITED");
    else this.#mark(deployment, "RUNNING");
    const position = deployments.indexOf(deployment);
    const overlapMs = this.#seconds(deployment, "overlapSeconds", "RAILWAY_DEPLOYMENT_OVERLAP_SECONDS");
    // Also those still in progress: none of them may come back over this one.
    for (const older of deployments.slice(0, position)) {
      if (isInProgress(older) || older.status === "CRASHED") this.drop(older);
      else if (isServing(older)) schedule.after(overlapMs, () => this.remove(older));
    }
    if (ailment?.kind === "deployment-crashes") {
      schedule.after(ailment.afterMs ?? 0, () => this.#crash(deployment));
    } else if (settings.sleepApplication) {
      schedule.after(durations.sleepAfterMs, () => this.sleep(deployment));
    }
  }

  /** A process that ends before it served fails the deployment; later it crashes it. */
  #crash(deployment: Deployment): void {
    if (deployment.status === "DEPLOYING") {
      this.#fail(deployment);
      return;
    }
    this.#when(deployment, ["SUCCESS"], () => {
      this.#parts.replicas.end(deployment, "CRASHED");
      this.#move(deployment, "CRASHED");
    });
  }

  #fail(deployment: Deployment): void {
    this.#parts.replicas.end(deployment, "CRASHED");
    this.#move(deployment, "FAILED");
  }

  #unlessHung(deployment: Deployment, ailment: DeploymentAilment | null, goOn: () => void): void {
    if (ailment?.kind === "deployment-hangs" && (ailment.at ?? "BUILDING") === deployment.status) {
      this.#parked.set(deployment, goOn);
    } else {
      goOn();
    }
  }

  #when(deployment: Deployment, states: readonly DeploymentStatus[], action: () => void): void {
    if (states.includes(deployment.status)) action();
  }

  #move(deployment: Deployment, status: DeploymentStatus): void {
    deployment.status = status;
    deployment.statusUpdatedAt = this.#parts.world.now();
  }

  #mark(deployment: Deployment, status: Replica["status"]): void {
    for (const replica of deployment.replicas) replica.status = status;
  }

  /** The setting, or else the variable that the deployment started with. In ms. */
  #seconds(deployment: Deployment, setting: "overlapSeconds" | "drainingSeconds", variable: string): number {
    const told = Number(deployment.snapshot.variables.get(variable)?.rendered);
    const seconds = deployment.instance.settings[setting] ?? (Number.isFinite(told) ? told : 0);
    return seconds * this.#parts.durations.secondMs;
  }
}
