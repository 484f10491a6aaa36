/** Pure questions about one deployment's state. */
import type { Deployment, DeploymentStatus, ServiceInstance } from "./model.ts";

const IN_PROGRESS: ReadonlySet<DeploymentStatus> = new Set([
  "INITIALIZING",
  "QUEUED",
  "WAITING",
  "NEEDS_APPROVAL",
  "BUILDING",
  "DEPLOYING",
]);
const BEFORE_THE_IMAGE: ReadonlySet<DeploymentStatus> = new Set([
  "INITIALIZING",
  "QUEUED",
  "WAITING",
  "NEEDS_APPROVAL",
  "BUILDING",
]);

export function isInProgress({ status }: Deployment): boolean {
  return IN_PROGRESS.has(status);
}

export function isBuilding({ status }: Deployment): boolean {
  return BEFORE_THE_IMAGE.has(status);
}

/** It serves, or would when called. */
export function isServing({ status }: Deployment): boolean {
  return status === "SUCCESS" || status === "SLEEPING";
}

/** null until the image exists, and for ever when it never did. */
export function snapshotIdOf(deployment: Deployment): string | null {
  return deployment.built ? deployment.snapshot.id : null;
}

export function canRedeploy(deployment: Deployment): boolean {
  return deployment.built && !isInProgress(deployment);
}

/** To an image that served once, and does not now. */
export function canRollback(deployment: Deployment): boolean {
  return deployment.built && deployment.status === "REMOVED";
}

export function isStopped(deployment: Deployment): boolean {
  return (
    deployment.replicas.length > 0 &&
    deployment.replicas.every(({ status }) => ["EXITED", "STOPPED", "REMOVED", "CRASHED"].includes(status))
  );
}

export function latestOf(instance: ServiceInstance): Deployment | undefined {
  return instance.deployments.at(-1);
}
